import { WeirError } from '../errors.ts'
import { found, labelOf, refOf } from './found.ts'
import type { Call, Handlers } from './route.ts'

type Ids = 'graph.show' | 'why.show' | 'traces.list' | 'traces.show'

export const telemetry: Handlers<Ids> = {
  'graph.show': async (call) => {
    const graph = await call.ports.telemetry.graph(await environmentOf(call), { windowMs: call.query.minutes * 60_000 })
    return {
      at: timeOf(graph.at),
      minutes: graph.windowMs / 60_000,
      services: graph.services.map((it) => ({ ...it, releases: [...it.releases] })),
      edges: graph.edges.map((it) => ({ ...it, lastSeen: timeOf(it.lastSeen) })),
      classes: [...graph.classes],
    }
  },
  'why.show': async (call) => {
    const { service, minutes } = call.query
    const why = await call.ports.telemetry.why(await environmentOf(call), { service, windowMs: minutes * 60_000 })
    return { ...why, at: timeOf(why.at), ranked: why.ranked.map((it) => ({ ...it, evidence: [...it.evidence] })) }
  },
  'traces.list': async (call) => {
    const { service, errors, minMs, limit, cursor } = call.query
    const before = cursor === undefined ? undefined : beforeOf(cursor)
    const lines = await call.ports.telemetry.traces(await environmentOf(call), { service, errors: errors === 'true', minMs, before, limit })
    const last = lines.length === limit ? lines.at(-1) : undefined
    return { items: lines.map((it) => ({ ...it, at: timeOf(it.at), services: [...it.services] })), cursor: last ? String(last.at) : null }
  },
  'traces.show': async (call) => {
    const { trace: id } = call.params
    const trace = found(await call.ports.telemetry.trace(await environmentOf(call), id), `trace ${id}`, 'weir traces')
    return { ...trace, at: timeOf(trace.at), services: [...trace.services], tree: trace.tree.map((it) => ({ ...it, attributes: { ...it.attributes } })) }
  },
}

/** Its id, which the telemetry process knows it by; another tenant's is not found. */
async function environmentOf(call: Pick<Call<'graph.show'>, 'tenant' | 'params' | 'ports'>): Promise<string> {
  const ref = refOf(call)
  return found(await call.ports.queries.environment(ref), labelOf(ref)).id
}

function beforeOf(cursor: string): number {
  const ms = Number(cursor)
  if (!Number.isFinite(ms))
    throw new WeirError('E_USAGE', { message: 'no cursor that was given out', cause: JSON.stringify(cursor), next: 'begin without one' })
  return ms
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
