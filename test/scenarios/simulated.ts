/** A scenario in made-up traffic, before the real judge: seconds of traffic in milliseconds. */
import { createJudge, NOTHING_BESIDE, type SideEvidence, STANDARD_ANALYSIS, type Verdict } from '../../src/core/canary/index.ts'
import { errorsSeen } from '../bench/canary/errors-seen.ts'
import { createGateway, SERVICE } from '../bench/canary/evidence.ts'
import { chance } from '../bench/canary/random.ts'
import { createStream, type Fault, QUIET, type Tick, type World } from '../bench/canary/streams.ts'
import { ROUTES, type Scenario, type ScenarioFault, type Unit } from './scenario.ts'

const LOOK_MS = 250
/** Until a process that ended is there again, and ready. */
const STARTS_AGAIN_MS = 1500

export interface Decided {
  /** Since the canary's first request; infinite: neither in the time. */
  readonly seconds: number
  readonly verdict: Verdict
  /** Failed requests on the canary until then. */
  readonly badAnswers: number
}

/** @example simulate(scenario, { unit: 'request', seed: 1, forS: 60 }).verdict.text // "canary 9 of 9 errors, …" */
export function simulate(
  { load, canary, fault }: Scenario,
  { unit, seed, forS }: { readonly unit: Unit; readonly seed: number; readonly forS: number },
): Decided {
  const traffic = { rps: load.rate, clients: load.clients, errors: load.errors, share: canary.weight, unit, routes: ROUTES }
  const world: World = { ...QUIET, ...traffic, replicas: { canary: 1, stable: 1 }, spread: 0.3, fault: ofRequests(fault) }
  const stream = createStream(world, seed)
  const gateway = createGateway(world, stream)
  const replicas = { [SERVICE]: world.replicas.canary }
  const judge = createJudge(STANDARD_ANALYSIS, { unit, designEffect: 1, changed: [SERVICE], replicas, thresholds: gateway.thresholds })
  // most answers of 500 are without an exception that anybody told of.
  const errors = errorsSeen(world, chance(seed), (onCanary) =>
    fault?.kind !== 'new-exception' ? null : onCanary ? 'RangeError at total' : 'TypeError at total',
  )
  const replica = new CanaryReplica(fault)
  let badAnswers = 0
  let now = 0
  let side = NOTHING_BESIDE
  while (now < forS * 1000) {
    const tick = stream.next(LOOK_MS)
    now = tick.toMs
    replica.affect(tick)
    for (let i = 0; i < tick.count; i++) badAnswers += (tick.onCanary[i] as number) & (tick.failed[i] as number)
    errors.see(tick)
    judge.add(gateway.block(tick))
    side = { ...NOTHING_BESIDE, signatures: errors.signatures, deaths: replica.deaths }
    if (judge.look(side, now) !== 'inconclusive') return { seconds: now / 1000, verdict: judge.verdict(side, now), badAnswers }
  }
  return { seconds: Number.POSITIVE_INFINITY, verdict: judge.verdict(side, now), badAnswers }
}

function ofRequests(fault: ScenarioFault | null): Fault | null {
  if (fault?.kind === 'errors') return fault.route === null ? { errors: fault.share } : { errors: fault.share, route: fault.route }
  return fault?.kind === 'slower' ? { slower: fault.factor } : null
}

/** The one process of the new release: what it does to its requests, and its ends. */
class CanaryReplica {
  readonly #fault: ScenarioFault | null
  #served = 0
  #sinceMs = 0
  #deaths = 0

  constructor(fault: ScenarioFault | null) {
    this.#fault = fault
  }

  affect({ fromMs, toMs, count, onCanary, failed, latencyMs }: Tick): void {
    for (let i = 0; i < count; i++) {
      if (onCanary[i] !== 1) continue
      const atMs = fromMs + ((i + 0.5) / count) * (toMs - fromMs)
      if (this.#fault?.kind === 'dependency') latencyMs[i] = (latencyMs[i] as number) + this.#fault.takesMs
      if (atMs < this.#sinceMs || this.#endsAt(atMs)) {
        failed[i] = 1
        latencyMs[i] = 1
      }
    }
  }

  get deaths(): SideEvidence['deaths'] {
    const cause = this.#fault?.kind === 'out-of-memory' ? 'out of memory' : 'exit code 1'
    return this.#deaths === 0 ? [] : [{ service: SERVICE, replica: `${SERVICE}-canary`, side: 'canary', count: this.#deaths, cause }]
  }

  /** Whether this request is the one that it ends with; the next process then starts. */
  #endsAt(atMs: number): boolean {
    this.#served++
    const fault = this.#fault
    const ends = (fault?.kind === 'crash' && this.#served > fault.afterRequests) || (fault?.kind === 'out-of-memory' && atMs - this.#sinceMs >= fault.afterMs)
    if (!ends) return false
    this.#deaths++
    this.#served = 0
    this.#sinceMs = atMs + STARTS_AGAIN_MS
    return true
  }
}
