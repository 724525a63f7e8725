import { environmentId } from './environment-id.ts'
import type { Handlers } from './route.ts'

export const telemetry: Handlers<'graph.show' | 'why.show'> = {
  'graph.show': async (call) => {
    const graph = await call.ports.telemetry.graph(await environmentId(call), { windowMs: call.query.minutes * 60_000 })
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
    const why = await call.ports.telemetry.why(await environmentId(call), { service, windowMs: minutes * 60_000 })
    return {
      ...why,
      at: timeOf(why.at),
      since: why.since === null ? null : timeOf(why.since),
      holes: [...why.holes],
      ranked: why.ranked.map((it) => ({ ...it, evidence: [...it.evidence] })),
    }
  },
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
