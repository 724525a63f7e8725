import type { EnvironmentSummary } from '../store/queries.ts'
import type { ApiOptions } from './options.ts'

type Gateway = ApiOptions['gateway']

/**
 * The gateway at the address by which this asker reached the machine, where it listens on all of them.
 *
 * @example asSeenFrom({ host: '0.0.0.0', port: 80 }, '::ffff:10.0.0.7') // { host: '10.0.0.7', port: 80 }
 */
export function asSeenFrom(gateway: Gateway, localAddress: string | undefined): Gateway {
  if (localAddress === undefined || !['0.0.0.0', '::'].includes(gateway.host)) return gateway
  return { ...gateway, host: localAddress.replace(/^::ffff:(?=\d+\.)/, '') }
}

/** Where people reach an environment: its routes on the gateway's shared listener, or the port of its own. */
export function urlsOf(environment: Pick<EnvironmentSummary, 'current' | 'routes' | 'port'>, gateway: Gateway): string[] {
  if (environment.current === null) return []
  if (environment.routes.length === 0) return [ownUrl(environment.port, gateway)]
  return environment.routes.map((route) => routeUrl(route, gateway))
}

/** Of an app without routes. */
export function ownUrl(port: number, gateway: Gateway): string {
  return `http://${hostOf(gateway)}:${port}/`
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
