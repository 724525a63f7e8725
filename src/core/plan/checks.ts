import type { AppGraph, ReleaseChecks } from '../model/app-graph.ts'
import { wayTo } from '../model/probe-way.ts'

export interface PlannedCheck {
  readonly service: string
  readonly probe: string
  readonly port: string
}

/**
 * The probes that the new replicas are asked before a switch: those of changed services, because an unchanged one answers as it did. Each goes
 * to the port that users come by.
 *
 * @example checksBefore(graph, ['web'], { before: 'auto', … }) // [{ service: 'web', probe: 'home', port: 'http' }]
 */
export function checksBefore(graph: AppGraph, changed: readonly string[], { before }: ReleaseChecks): readonly PlannedCheck[] {
  return changed.flatMap((name) => {
    const service = graph.services[name]
    return Object.entries(service?.probes ?? {}).flatMap(([probe, declared]): PlannedCheck[] => {
      const way = service && (before === 'auto' || before.includes(probe)) ? wayTo(graph, service, declared) : null
      if (!service || way === null) return []
      const port = way === 'port' ? graph.entry?.port : service.routes.find((it) => it.host === way.host && service.ports[it.port]?.protocol === 'http')?.port
      return port === undefined ? [] : [{ service: name, probe, port }]
    })
  })
}
