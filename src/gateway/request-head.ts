import { NO_TRACE, type TraceHeaders } from './trace-context.ts'

/**
 * What the gateway must know of a request's head, read in one pass over the raw header list, and what makes it refuse one.
 * Node's parser has already refused malformed names and values, bad chunk sizes and Content-Length together with
 * Transfer-Encoding; what is left here is what two parsers in a row could still understand differently.
 */
export interface RequestHead {
  /** Lower case, without port; null when it cannot be a host. */
  readonly host: string
  /** The Host header as it came. */
  readonly authority: string
  /** Path and query, never absolute. */
  readonly target: string
  /** `target` without the query. */
  readonly path: string
  readonly contentLength: number | null
  readonly chunked: boolean
  readonly accept: string | null
  readonly authorization: string | null
  readonly baggage: string | null
  readonly cookie: string | null
  readonly forwardedFor: string | null
  readonly forwardedProto: string | null
  readonly requestId: string | null
  readonly trace: TraceHeaders
  /** Header names listed in Connection: for this hop only. */
  readonly hopByHop: readonly string[]
}

export interface Refusal {
  readonly status: 400 | 501
  readonly cause: string
}

/**
 * @example
 * const head = readHead('GET', '/cart?x=1', ['Host', 'shop.example.com'])
 * if ('cause' in head) … // refused
 */
export function readHead(method: string, url: string, raw: readonly string[]): RequestHead | Refusal {
  let host: string | null = null
  let contentLength: string | null = null
  let transferEncoding: string | null = null
  let accept: string | null = null
  let authorization: string | null = null
  let baggage: string | null = null
  let cookie: string | null = null
  let forwardedFor: string | null = null
  let forwardedProto: string | null = null
  let requestId: string | null = null
  let trace: Mutable<TraceHeaders> | null = null
  let hopByHop: string[] = NONE
  for (let at = 0; at < raw.length; at += 2) {
    const value = raw[at + 1] as string
    const name = raw[at] as string
    if (name.length < 2 || name.length > 17) continue
    switch (name.toLowerCase()) {
      case 'host':
        if (host !== null) return refuse('more than one Host header')
        host = value
        break
      case 'content-length':
        if (contentLength !== null) return refuse('more than one Content-Length header')
        contentLength = value
        break
      case 'transfer-encoding':
        if (transferEncoding !== null) return refuse('more than one Transfer-Encoding header')
        transferEncoding = value
        break
      case 'connection':
        hopByHop = hopByHop.concat(
          value
            .toLowerCase()
            .split(',')
            .map((token) => token.trim()),
        )
        break
      case 'accept':
        accept ??= value
        break
      case 'authorization':
        authorization ??= value
        break
      case 'baggage':
        baggage = joined(baggage, value, ',')
        break
      case 'cookie':
        cookie = joined(cookie, value, '; ')
        break
      case 'x-forwarded-for':
        forwardedFor = joined(forwardedFor, value, ', ')
        break
      case 'x-forwarded-proto':
        forwardedProto ??= value
        break
      case 'x-request-id':
        requestId ??= value
        break
      case 'traceparent':
        trace ??= { ...NO_TRACE }
        trace.traceparent ??= value
        break
      case 'tracestate':
        trace ??= { ...NO_TRACE }
        trace.tracestate = joined(trace.tracestate, value, ',')
        break
      case 'b3':
        trace ??= { ...NO_TRACE }
        trace.b3 ??= value
        break
      case 'x-b3-traceid':
        trace ??= { ...NO_TRACE }
        trace.b3Trace ??= value
        break
      case 'x-b3-spanid':
        trace ??= { ...NO_TRACE }
        trace.b3Span ??= value
        break
      case 'x-b3-sampled':
        trace ??= { ...NO_TRACE }
        trace.b3Sampled ??= value
        break
    }
  }
  if (host === null) return refuse('no Host header')
  if (contentLength !== null && !/^\d{1,15}$/.test(contentLength)) return refuse('a Content-Length that is not a number')
  if (contentLength !== null && transferEncoding !== null) return refuse('Content-Length together with Transfer-Encoding')
  if (transferEncoding !== null && transferEncoding.toLowerCase() !== 'chunked') return { status: 501, cause: 'a Transfer-Encoding other than chunked' }
  if (hopByHop.some((token) => KEPT.has(token))) return refuse('a Connection header that names a header which must reach the service')

  let target = url
  if (target.charCodeAt(0) !== SLASH) {
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target)
    if (absolute) {
      if ((absolute[1] as string).toLowerCase() !== host.toLowerCase()) return refuse('a request target whose host is not the one of the Host header')
      target = absolute[2] as string
      if (target.charCodeAt(0) !== SLASH) target = `/${target}`
    } else if (!(target === '*' && method === 'OPTIONS')) return refuse('a request target that is not a path')
  }
  const name = hostName(host)
  if (name === null) return refuse('a Host header that is not a host')
  if (target.includes('#')) return refuse('a request target with a fragment')
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (CLIMBS.test(path)) return refuse('a path that climbs by ".." segments')
  return {
    host: name,
    authority: host,
    target,
    path,
    contentLength: contentLength === null ? null : Number(contentLength),
    chunked: transferEncoding !== null,
    accept,
    authorization,
    baggage,
    cookie,
    forwardedFor,
    forwardedProto,
    requestId,
    trace: trace ?? NO_TRACE,
    hopByHop,
  }
}

/** `Shop.Example.com:8080` → `shop.example.com`; null when it cannot be one. */
export function hostName(authority: string): string | null {
  const known = seen.get(authority)
  if (known !== undefined) return known
  const match = HOST.exec(authority)
  if (!match) return null
  const name = (match[1] as string).toLowerCase().replace(/\.$/, '')
  if (seen.size >= 1000) seen.clear() // hosts are few; whoever sends thousands must not fill the memory
  seen.set(authority, name)
  return name
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }
const seen = new Map<string, string>()
const NONE: string[] = []
const SLASH = 47
const HOST = /^([a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i
/** A `..` segment in any spelling that some server would resolve: routing by prefix must not be walked around. */
const CLIMBS = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){2}(?:$|[/\\;]|%2f|%5c)/i
/** Dropping one of these on the way would change what the request says or how long it is. */
const KEPT = new Set(['host', 'content-length', 'transfer-encoding', 'authorization', 'cookie', 'x-forwarded-for', 'x-request-id'])

function joined(before: string | null, value: string, by: string): string {
  return before === null ? value : before + by + value
}

function refuse(cause: string): Refusal {
  return { status: 400, cause }
}
