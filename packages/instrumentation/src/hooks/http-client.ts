import { errorMonitor } from 'node:events'
import type { ClientRequest } from 'node:http'
import { callerOf, type HeadersOut, writeHeaders } from '../propagation.ts'
import { KIND, type Span } from '../span.ts'
import type { Tracer } from '../tracer.ts'
import { shownPath } from '../url.ts'
import { methodName } from './http-server.ts'

interface Outgoing {
  /** Called once a request, before its headers are put into bytes: the last moment to add one. */
  _implicitHeader(this: ClientRequest): void
}

/** A CLIENT span for each request made with node:http or node:https, and the trace's headers in it. */
export function traceClientRequests(tracer: Tracer, prototype: Outgoing): void {
  const original = prototype._implicitHeader
  if (typeof original !== 'function') return
  prototype._implicitHeader = function tracedHeader(this: ClientRequest) {
    if (!tracer.idle) {
      try {
        begin(tracer, this)
      } catch (error) {
        tracer.trouble('http client', error)
      }
    }
    return original.call(this)
  }
}

function begin(tracer: Tracer, request: ClientRequest): void {
  const headers: HeadersOut = {
    get: (name) => String(request.getHeader(name) ?? ''),
    set: (name, value) => void request.setHeader(name, value),
  }
  const scope = tracer.start(KIND.client, methodName(request.method), callerOf(tracer.scope, headers))
  writeHeaders(scope, headers)
  const { span } = scope
  if (span === null) return
  const host = request.getHeader('host')
  const [server, port] = address(typeof host === 'string' ? host : request.host, request.protocol)
  span.put('http.request.method', span.name)
  span.put('server.address', server)
  span.put('server.port', port)
  span.put('url.full', `${request.protocol}//${server}:${port}${shownPath(request.path)}`)
  request.on(errorMonitor, (error) => span.failWith(error))
  request.on('close', () => end(request, span))
}

function end(request: ClientRequest & { readonly res?: { readonly statusCode?: number } | null }, span: Span): void {
  const status = request.res?.statusCode
  if (status !== undefined) span.put('http.response.status_code', status)
  if (status !== undefined && status >= 500) span.fail(String(status))
  span.end()
}

const MOST_ADDRESSES = 1000
const addresses = new Map<string, [string, number]>()

/** @example address('songs:8080', 'http:') // ['songs', 8080] */
export function address(host: string, protocol: string): [string, number] {
  const key = protocol + host
  const known = addresses.get(key)
  if (known !== undefined) return known
  const [, name = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? []
  const found: [string, number] = [name, port === undefined ? (protocol === 'https:' ? 443 : 80) : Number(port)]
  if (addresses.size < MOST_ADDRESSES) addresses.set(key, found) // a service calls few others again and again
  return found
}
