import { subscribe } from 'node:diagnostics_channel'
import { callerOf, type HeadersOut, writeHeaders } from '../propagation.ts'
import { KIND, type Span } from '../span.ts'
import type { Tracer } from '../tracer.ts'
import { shownPath } from '../url.ts'
import { address } from './http-client.ts'
import { methodName } from './http-server.ts'

const MOST_PEERS = 1000
const SPAN = Symbol('weir.span')

/** A request of undici: what `fetch` makes, and `undici.request`. Its headers are name, value, name, value, …; up to version 5 a text. */
interface UndiciRequest {
  readonly method: string
  readonly path: string
  readonly origin: string | URL
  [SPAN]?: Span
  headers: string | unknown[]
  addHeader(name: string, value: string): unknown
}

/** A CLIENT span for each request of undici's, Node's own and any that the app brought, by the channels that it publishes on. */
export function traceFetch(tracer: Tracer): void {
  const peerOf = peers()
  const on = (
    event: string,
    act: (message: { readonly request: UndiciRequest; readonly response: { readonly statusCode: number }; readonly error: unknown }) => void,
  ) =>
    subscribe(`undici:request:${event}`, (message) => {
      try {
        act(message as Parameters<typeof act>[0])
      } catch (error) {
        tracer.trouble('fetch', error)
      }
    })

  on('create', ({ request }) => {
    if (tracer.idle || request.method === 'CONNECT') return
    const headers = headersOf(request)
    const scope = tracer.start(KIND.client, methodName(request.method), callerOf(tracer.scope, headers))
    writeHeaders(scope, headers)
    const { span } = scope
    if (span === null) return
    request[SPAN] = span
    const { server, port, origin } = peerOf(request.origin)
    span.put('http.request.method', span.name)
    span.put('server.address', server)
    span.put('server.port', port)
    span.put('url.full', origin + shownPath(request.path))
  })
  on('headers', ({ request, response }) => {
    const span = request[SPAN]
    if (span === undefined || response.statusCode < 200) return
    span.put('http.response.status_code', response.statusCode)
    if (response.statusCode >= 500) span.fail(String(response.statusCode))
  })
  on('trailers', ({ request }) => request[SPAN]?.end())
  on('error', ({ request, error }) => {
    const span = request[SPAN]
    span?.failWith(error)
    span?.end()
  })
}

interface Peer {
  readonly server: string
  readonly port: number
  readonly origin: string
}

/** A service calls few others again and again. */
function peers(): (origin: string | URL) => Peer {
  const known = new Map<string, Peer>()
  return (origin) => {
    const key = String(origin)
    const found = known.get(key)
    if (found !== undefined) return found
    const { protocol, host } = new URL(key)
    const [server, port] = address(host, protocol)
    const peer = { server, port, origin: `${protocol}//${server}:${port}` }
    if (known.size < MOST_PEERS) known.set(key, peer)
    return peer
  }
}

function headersOf(request: UndiciRequest): HeadersOut {
  const { headers } = request
  if (typeof headers === 'string') return headersInText(request)
  const find = (name: string) => {
    for (let at = 0; at < headers.length; at += 2) {
      const it = headers[at]
      if (it === name || (typeof it === 'string' && it.length === name.length && it.toLowerCase() === name)) return at
    }
    return -1
  }
  return {
    get(name) {
      const at = find(name)
      return at === -1 ? '' : String(headers[at + 1])
    },
    set(name, value) {
      const at = find(name)
      if (at === -1) request.addHeader(name, value)
      else headers[at + 1] = value
    },
  }
}

function headersInText(request: UndiciRequest): HeadersOut {
  const line = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)\\r\\n`, 'im')
  return {
    get: (name) => line(name).exec(String(request.headers))?.[1] ?? '',
    set(name, value) {
      request.headers = String(request.headers).replace(line(name), '')
      request.addHeader(name, value)
    },
  }
}
