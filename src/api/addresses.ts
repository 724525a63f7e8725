import type { EnvironmentSummary } from '../store/queries.ts'
import type { ApiOptions } from './options.ts'

type Gateway = ApiOptions['gateway']

/** Where people reach an environment: its routes on the gateway's shared listener, or the port of its own. */
export function urlsOf(environment: Pick<EnvironmentSummary, 'current' | 'routes' | 'port'>, gateway: Gateway): string[] {
  if (environment.current === null) return []
  if (environment.routes.length === 0) return [`http://${hostOf(gateway)}:${environment.port}/`]
  return environment.routes.map((route) => routeUrl(route, gateway))
}

export function routeUrl(route: { readonly host: string | null; readonly path: string }, gateway: Gateway): string {
  const host = route.host ?? hostOf(gateway)
  return `http://${host}${gateway.port === 80 ? '' : `:${gateway.port}`}${route.path}`
}

/** Where the gateway listens on all addresses of the machine, the one that it has for certain. */
function hostOf({ host }: Gateway): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
