import type { IncomingMessage, ServerResponse } from 'node:http'
import { readCaller } from '../propagation.ts'
import type { Scope } from '../scope.ts'
import { KIND } from '../span.ts'
import type { Tracer } from '../tracer.ts'
import { pathPattern, shownPath } from '../url.ts'

/** Where a request keeps its scope; frameworks' hooks find it there. */
const SCOPE = Symbol('weir.scope')
const ROUTE = Symbol('weir.route')

export interface TracedRequest {
  [SCOPE]?: Scope
  [ROUTE]?: string
  /** As express leaves them on the request that it has routed. */
  readonly route?: { readonly path?: unknown }
  readonly baseUrl?: unknown
}

type Emit = (this: unknown, event: string | symbol, ...args: unknown[]) => boolean

/**
 * A SERVER span for each request, and its handlers run in its scope. `prototype` is that of net.Server, which the servers of http, https and
 * http2 have in common: none of these needs to be loaded for it.
 */
export function traceServers(tracer: Tracer, prototype: { emit: Emit }): void {
  const emit = prototype.emit
  prototype.emit = function tracedEmit(this: unknown, event, ...args) {
    if (event !== 'request' && event !== 'upgrade' && event !== 'checkContinue') return Reflect.apply(emit, this, [event, ...args])
    const scope = begin(tracer, event, args)
    if (scope === undefined) return Reflect.apply(emit, this, [event, ...args])
    try {
      return tracer.scopes.run(scope, () => Reflect.apply(emit, this, [event, ...args]))
    } catch (error) {
      scope.span?.failWith(error) // it goes on to where it would have gone
      scope.span?.end()
      throw error
    } finally {
      if (event === 'upgrade') scope.span?.end() // what comes then is a conversation, not an answer
    }
  }
}

/** The route by which a framework found the handler. */
export function setRoute(request: object | undefined, route: unknown): void {
  if (request !== undefined && typeof route === 'string') (request as TracedRequest)[ROUTE] = route
}

/** What a handler threw and a framework caught. */
export function setError(request: object | undefined, error: unknown): void {
  if (request === undefined || error === undefined || error === null) return
  const span = (request as TracedRequest)[SCOPE]?.span
  if (span?.events?.some((it) => it.name === 'exception') !== true) span?.recordException(error)
}

function begin(tracer: Tracer, event: string, [first, second]: readonly unknown[]): Scope | undefined {
  if (tracer.idle) return undefined
  try {
    const request = first as IncomingMessage & TracedRequest
    if (typeof request?.headers !== 'object') return undefined // a server of something else
    if (request[SCOPE] !== undefined) return undefined // handed on from another server
    const caller = readCaller(request.headers)
    const method = methodName(request.method)
    const scope = tracer.start(KIND.server, method, caller ?? undefined)
    request[SCOPE] = scope
    if (request.headers['transfer-encoding'] !== undefined || request.headers['content-length'] !== undefined) keepScope(tracer, request, scope)
    const { span } = scope
    if (span === null) return scope
    const path = shownPath(request.url ?? '/')
    span.name = `${method} ${pathPattern(path)}`
    span.put('http.request.method', method)
    span.put('url.path', path)
    span.put('url.scheme', 'encrypted' in request.socket ? 'https' : 'http')
    if (event === 'upgrade') span.put('network.protocol.name', String(request.headers.upgrade))
    else (second as ServerResponse).on('close', () => end(tracer, request, second as ServerResponse))
    return scope
  } catch (error) {
    tracer.trouble('http server', error)
    return undefined
  }
}

/** A body's events come from the connection, which knows no request: its listeners are brought back into the scope. */
function keepScope(tracer: Tracer, request: IncomingMessage, scope: Scope): void {
  const emit = request.emit as Emit
  const bound: Emit = function (this: unknown, ...args) {
    if (tracer.scopes.getStore() !== undefined) return Reflect.apply(emit, this, args)
    return tracer.scopes.run(scope, () => Reflect.apply(emit, this, args))
  }
  Object.defineProperty(request, 'emit', { value: bound, writable: true, configurable: true, enumerable: false })
}

function end(tracer: Tracer, request: IncomingMessage & TracedRequest, response: ServerResponse): void {
  try {
    const span = request[SCOPE]?.span
    if (span === null || span === undefined) return
    const route = routeOf(request)
    if (route !== null) {
      span.put('http.route', route)
      span.name = `${methodName(request.method)} ${route}`
    }
    if (response.headersSent) span.put('http.response.status_code', response.statusCode)
    if (response.headersSent && response.statusCode >= 500) span.fail(String(response.statusCode))
    span.end()
  } catch (error) {
    tracer.trouble('http server', error)
  }
}

/** Express leaves the matched route on the request, below where its router is mounted. */
function routeOf(request: TracedRequest): string | null {
  if (request[ROUTE] !== undefined) return request[ROUTE]
  const path = request.route?.path
  if (typeof path !== 'string') return null
  const mounted = typeof request.baseUrl === 'string' ? request.baseUrl : ''
  return `${mounted.replace(/\/[^/]*\d[^/]*/g, '/:id')}${path === '/' && mounted !== '' ? '' : path}`
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'QUERY'])

export function methodName(method: string | undefined): string {
  return method !== undefined && METHODS.has(method) ? method : '_OTHER'
}
