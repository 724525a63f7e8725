import type { AppGraph, Probe, Service } from './app-graph.ts'

/** How a request for `probe.path` comes to the service from outside: by one of its routes, by the app's own port, or (null) not at all. */
export function wayTo(graph: Pick<AppGraph, 'entry'>, service: Service, probe: Probe): { readonly host: string | null } | 'port' | null {
  const speaksHttp = (port: string) => service.ports[port]?.protocol === 'http'
  if (graph.entry?.service === service.name) return speaksHttp(graph.entry.port) ? 'port' : null
  const path = probe.path.split('?')[0] as string
  const route = service.routes.find((it) => speaksHttp(it.port) && (it.path === '/' || path === it.path || path.startsWith(`${it.path}/`)))
  return route ? { host: route.host } : null
}
