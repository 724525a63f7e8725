import { mergeSketches, quantile } from '../core/model/latency-sketch.ts'
import type { TrafficRow } from '../store/queries.ts'
import { found, labelOf, pageRequest, refOf } from './found.ts'
import type { Handlers } from './route.ts'

export const history: Handlers<'operations.list' | 'audit.list' | 'counters.show'> = {
  'operations.list': async (call) => {
    const ref = refOf(call)
    found(await call.ports.queries.environment(ref), labelOf(ref))
    const { items, cursor } = await call.ports.queries.operations(ref, pageRequest(call.query))
    return { items: [...items], cursor }
  },
  'audit.list': async ({ tenant, query, ports }) => {
    const { items, cursor } = await ports.queries.audit(tenant, pageRequest(query))
    return { items: items.map(({ seq, at, by, action, target, detail }) => ({ id: seq, at, by, action, target, detail: { ...detail } })), cursor }
  },
  'counters.show': async (call) => {
    const ref = refOf(call)
    const { minutes } = call.query
    found(await call.ports.queries.environment(ref), labelOf(ref))
    const rows = await call.ports.queries.traffic(ref, minutes * 60_000)
    const groups = Map.groupBy(rows, (row) => `${row.service} ${row.origin} ${row.track}`)
    return { minutes, services: [...groups.keys()].sort().map((key) => summed(groups.get(key) as [TrafficRow, ...TrafficRow[]])) }
  },
}

/** Hops of one service together. */
function summed(rows: readonly [TrafficRow, ...TrafficRow[]]) {
  const [{ service, origin, track }] = rows
  const total = (of: (row: TrafficRow) => number) => rows.reduce((sum, row) => sum + of(row), 0)
  const latency = mergeSketches(rows.map((row) => row.latency))
  return {
    service,
    release: origin,
    track,
    requests: total((row) => row.requests),
    errors: total((row) => row.errors),
    rejected4xx: total((row) => row.rejected4xx),
    p50Ms: quantile(latency, 0.5),
    p95Ms: quantile(latency, 0.95),
  }
}
