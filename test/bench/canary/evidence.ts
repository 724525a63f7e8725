/** Ticks of a stream as the blocks of counts that gateway workers make of requests. */
import { type ClientRow, type EvidenceBlock, type EvidenceRow, QUANTILES, type ReplicaRow, type Side, type Thresholds } from '../../../src/core/canary/index.ts'
import type { Stream, Tick, World } from './streams.ts'

/** A fresh replica's first requests, whose latency does not count. */
const WARMING = 20
const HISTORY = 300

export interface Gateway {
  readonly thresholds: Thresholds
  block(tick: Tick): EvidenceBlock
}

export const SERVICE = 'web'

export function createGateway(world: World, stream: Stream): Gateway {
  const names = Array.from({ length: world.routes }, (_, i) => `GET /r${i}`)
  const frozen = names.map((_, route) => quantilesOf(stream.sampleStable(route, HISTORY)))
  const thresholds = { [SERVICE]: Object.fromEntries(names.map((name, route) => [name, frozen[route] as number[]])) }
  const byRoute = Array.from({ length: 2 * world.routes }, () => counters())
  const byReplica = Array.from({ length: world.replicas.stable + world.replicas.canary }, () => counters())
  const byClient = world.unit === 'client' ? Array.from({ length: world.clients }, () => ({ ...counters(), failed: new Set<string>() })) : []

  return {
    thresholds,
    block(tick) {
      for (let i = 0; i < tick.count; i++) {
        const canary = tick.onCanary[i] as number
        const route = tick.route[i] as number
        const failed = tick.failed[i] as number
        const replica = byReplica[canary * world.replicas.stable + (tick.replica[i] as number)] as Counters
        const ofRoute = byRoute[2 * route + canary] as Counters
        const limits = frozen[route] as number[]
        const latencyMs = tick.latencyMs[i] as number
        const timed = canary === 0 || (tick.nth[i] as number) >= WARMING
        let slower = 0
        if (timed) while (slower < limits.length && latencyMs > (limits[slower] as number)) slower++
        tally(ofRoute, canary, failed, timed, slower)
        tally(replica, canary, failed, timed, slower)
        if (byClient.length > 0) {
          const client = byClient[tick.client[i] as number] as Counters & { failed: Set<string> }
          tally(client, canary, failed, timed, slower)
          if (failed === 1) client.failed.add(`${SERVICE} ${names[route]}`)
        }
      }
      const rows: EvidenceRow[] = []
      const onCanary = tick.onCanary.subarray(0, tick.count).reduce((sum, it) => sum + it, 0)
      const sent = (
        [
          ['canary', onCanary],
          ['stable', tick.count - onCanary],
        ] as const
      ).map(([side, requests]) => ({ service: SERVICE, side, requests, drawn: requests }))
      byRoute.forEach((it, at) => {
        if (it.requests > 0) rows.push({ service: SERVICE, route: names[at >> 1] as string, ...take(it), rejected4xx: 0 })
        clear(it)
      })
      const replicas: ReplicaRow[] = []
      byReplica.forEach((it, at) => {
        if (it.requests > 0) replicas.push({ service: SERVICE, replica: `web-${at}`, ...take(it) })
        clear(it)
      })
      const clients: ClientRow[] = []
      byClient.forEach((it, at) => {
        if (it.requests > 0) clients.push({ client: `c${at}`, ...take(it), rejected4xx: 0, failed: [...it.failed] })
        clear(it)
        it.failed.clear()
      })
      return { rollout: 'r', stage: 1, fromMs: tick.fromMs, toMs: tick.toMs, weight: world.share, rows, sent, replicas, clients }
    },
  }
}

interface Counters {
  side: Side
  requests: number
  errors: number
  timed: number
  /** Requests between two thresholds. */
  readonly between: Float64Array
}

function counters(): Counters {
  return { side: 'stable', requests: 0, errors: 0, timed: 0, between: new Float64Array(QUANTILES.length + 1) }
}

function tally(it: Counters, canary: number, failed: number, timed: boolean, slower: number): void {
  it.side = canary === 1 ? 'canary' : 'stable'
  it.requests++
  it.errors += failed
  if (!timed) return
  it.timed++
  it.between[slower] = (it.between[slower] as number) + 1
}

function take({ side, requests, errors, timed, between }: Counters) {
  const slow = [0, 0, 0, 0, 0]
  let sum = 0
  for (let j = QUANTILES.length - 1; j >= 0; j--) slow[j] = sum += between[j + 1] as number
  return { side, requests, errors, timed, slow }
}

function clear(it: Counters): void {
  if (it.requests === 0) return
  it.requests = it.errors = it.timed = 0
  it.between.fill(0)
}

function quantilesOf(values: Float64Array): number[] {
  values.sort()
  return QUANTILES.map((q) => values[Math.min(values.length - 1, Math.floor(q * values.length))] as number)
}
