import type { Healthcheck } from '../../../core/model/app-graph.ts'
import { portVariable } from './environment.ts'
import { listenersOf, whyNotListening } from './listeners.ts'
import { type ProbeResult, probeNetwork } from './probe.ts'

/** A replica that is just starting is asked soon and then less and less often, so that it serves as soon as it can. */
const EAGER = { firstMs: 20, growth: 1.3, mostMs: 250 }
/** Without a check: ready when it has run for this long. */
const SETTLED_MS = 1_000
/**
 * Where a process listens is looked up this often at most, and not in the first moments of a start, when nobody listens yet as a matter of
 * course: the kernel walks over all connections of the machine for it.
 */
const EXPLAIN_EVERY_MS = 2_000
/** Once ready, then unready for this long (at least as many checks again as made it unready): it is restarted. */
const PATIENCE_MS = 30_000

export interface HealthWatchInput {
  readonly healthcheck: Healthcheck
  readonly ports: Readonly<Record<string, number>>
  /** Whether it was ready when an earlier runner saw it last. */
  readonly ready: boolean
  readonly pids: () => number[]
  /** Runs a command beside the process. */
  readonly run: (argv: readonly string[], timeoutMs: number) => Promise<ProbeResult>
}
export interface HealthEvents {
  ready(): void
  unready(cause: string): void
  /** Still not ready, and why. */
  failing(cause: string): void
  /** Not ready within the start period, or no more for too long. */
  hopeless(cause: string): void
}

/**
 * Asks one incarnation of a replica how it is, until stopped.
 *
 * | was ready | check | failures in a row          | says                             |
 * |-----------|-------|----------------------------|----------------------------------|
 * | no        | good  |                            | ready                            |
 * | no        | bad   | within the start period    | failing                          |
 * | no        | bad   | < retries after the period | failing                          |
 * | no        | bad   | retries after the period   | hopeless                         |
 * | yes       | bad   | < retries                  | nothing                          |
 * | yes       | bad   | retries                    | unready                          |
 * | yes       | bad   | more, longer than patience | hopeless                         |
 * | yes       | good  |                            | ready, when it was unready       |
 */
export class HealthWatch {
  readonly #input: HealthWatchInput
  readonly #events: HealthEvents
  readonly #since = performance.now()
  #ready: boolean
  #wasReady: boolean
  #failures = 0
  #unreadySince = 0
  #eagerMs = EAGER.firstMs
  #explanation: { readonly cause: string | null; readonly at: number } = { cause: null, at: performance.now() }
  #timer: NodeJS.Timeout | null = null
  #stopped = false

  constructor(input: HealthWatchInput, events: HealthEvents) {
    this.#input = input
    this.#events = events
    this.#ready = input.ready
    this.#wasReady = input.ready
    if (input.healthcheck.kind !== 'none') this.#again(EAGER.firstMs)
    else if (!input.ready) this.#timer = setTimeout(() => this.#good(), SETTLED_MS)
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer) clearTimeout(this.#timer)
  }

  #again(ms: number): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#look(), ms)
  }

  async #look(): Promise<void> {
    const result = await this.#probe().catch((error: Error): ProbeResult => ({ ok: false, cause: error.message, nobodyListens: false }))
    if (this.#stopped) return
    if (result.ok) this.#good()
    else this.#bad(result)
    this.#again(this.#eager() ? this.#nextEager() : this.#input.healthcheck.intervalMs)
  }

  #eager(): boolean {
    return !this.#wasReady && performance.now() - this.#since < this.#input.healthcheck.startPeriodMs
  }

  #nextEager(): number {
    this.#eagerMs = Math.min(this.#eagerMs * EAGER.growth, EAGER.mostMs, this.#input.healthcheck.intervalMs)
    return this.#eagerMs
  }

  #good(): void {
    this.#failures = 0
    if (this.#ready) return
    this.#ready = true
    this.#wasReady = true
    this.#events.ready()
  }

  #bad(result: Extract<ProbeResult, { ok: false }>): void {
    const { retries, intervalMs } = this.#input.healthcheck
    if (!this.#eager()) this.#failures++
    if (this.#ready && this.#failures < retries) return
    const cause = this.#explain(result)
    if (cause === null) return
    if (this.#ready) {
      this.#ready = false
      this.#unreadySince = performance.now()
      this.#events.unready(cause)
    } else if (this.#wasReady) {
      const patienceMs = Math.max(PATIENCE_MS, retries * intervalMs)
      if (performance.now() - this.#unreadySince > patienceMs) this.#events.hopeless(cause)
      else this.#events.failing(cause)
    } else if (this.#failures >= retries && !this.#eager()) {
      this.#events.hopeless(cause)
    } else {
      this.#events.failing(cause)
    }
  }

  async #probe(): Promise<ProbeResult> {
    const { healthcheck, ports, run } = this.#input
    switch (healthcheck.kind) {
      case 'none':
        return { ok: true }
      case 'command':
        return run(healthcheck.argv, healthcheck.timeoutMs)
      case 'http':
      case 'tcp':
        return probeNetwork(healthcheck, ports[healthcheck.port] ?? 0, healthcheck.timeoutMs)
    }
  }

  /** null: it is starting, and too early to say anything. */
  #explain(result: Extract<ProbeResult, { ok: false }>): string | null {
    const { healthcheck, ports, pids } = this.#input
    if (!result.nobodyListens || (healthcheck.kind !== 'http' && healthcheck.kind !== 'tcp')) return result.cause
    const now = performance.now()
    if (this.#eager() && now - this.#explanation.at < EXPLAIN_EVERY_MS) return this.#explanation.cause
    const first = Object.keys(ports)[0] === healthcheck.port
    const variable = first ? 'PORT' : portVariable(healthcheck.port)
    const cause = whyNotListening(listenersOf(pids()), variable, ports[healthcheck.port] ?? 0) ?? result.cause
    this.#explanation = { cause, at: now }
    return cause
  }
}
