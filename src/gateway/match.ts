import type { Listener } from '../core/model/routing.ts'

export type RouteListener = Extract<Listener, { kind: 'route' }>
export interface Routed<T> {
  readonly listener: RouteListener
  readonly owner: T
}

/** Routes by host, each list with the longest path first. `null` host and `*.suffix` are looked at only when the exact host has no match. */
export interface RouteIndex<T> {
  readonly exact: ReadonlyMap<string, readonly Routed<T>[]>
  readonly wildcard: ReadonlyMap<string, readonly Routed<T>[]>
  readonly anyHost: readonly Routed<T>[]
}

export function indexRoutes<T>(routes: readonly Routed<T>[]): RouteIndex<T> {
  const exact = new Map<string, Routed<T>[]>()
  const wildcard = new Map<string, Routed<T>[]>()
  const anyHost: Routed<T>[] = []
  for (const route of routes) {
    const host = route.listener.host
    if (host === null) anyHost.push(route)
    else if (host.startsWith('*.')) push(wildcard, host.slice(2), route)
    else push(exact, host, route)
  }
  for (const list of [anyHost, ...exact.values(), ...wildcard.values()]) list.sort((a, b) => b.listener.path.length - a.listener.path.length)
  return { exact, wildcard, anyHost }
}

/**
 * Exact host before `*.suffix` before any host; within it the longest path prefix on segment borders.
 *
 * @example matchRoute(index, 'shop.example.com', '/cart/7') // the route { host: 'shop.example.com', path: '/cart' }
 */
export function matchRoute<T>(index: RouteIndex<T>, host: string, path: string): Routed<T> | null {
  const dot = host.indexOf('.')
  return (
    longest(index.exact.get(host), path) ??
    (dot > 0 && index.wildcard.size > 0 ? longest(index.wildcard.get(host.slice(dot + 1)), path) : null) ??
    longest(index.anyHost, path)
  )
}

function longest<T>(routes: readonly Routed<T>[] | undefined, path: string): Routed<T> | null {
  if (!routes) return null
  for (const route of routes) if (isPrefix(route.listener.path, path)) return route
  return null
}

/** `/api` is a prefix of `/api` and `/api/x`, not of `/apis`. */
function isPrefix(prefix: string, path: string): boolean {
  if (prefix === '/') return true
  const bare = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  return path.startsWith(bare) && (path.length === bare.length || path.charCodeAt(bare.length) === 47)
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list) list.push(value)
  else map.set(key, [value])
}
