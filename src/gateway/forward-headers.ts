import type { Forwarded } from './forwarded.ts'
import type { RequestHead } from './request-head.ts'
import type { NewTraceHeaders } from './spans.ts'

/** For one connection only (RFC 9110 §7.6.1), or replaced by the gateway's own framing. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])
/** Handled apart on the way in: framing, and what node has answered already. */
const REQUEST_OWN = new Set(['content-length', 'expect', 'baggage', 'x-request-id', 'x-weir-release', 'x-weir-track', 'weir-shadow'])
/** At the entry the gateway says who the client is; on inner hops what the caller passes on stays. */
const ENTRY_OWN = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-real-ip', 'forwarded'])
/** Replaced as one, where the gateway adds a span: two that contradict each other would tear the trace apart. */
const TRACE_OWN = new Set(['traceparent', 'tracestate', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags'])
const RESPONSE_OWN = new Set(['x-weir-release', 'x-weir-track'])

export interface Added {
  readonly baggage: string | null
  readonly requestId: string
  /** null: what came goes on. */
  readonly trace: NewTraceHeaders | null
  /** null on inner hops. */
  readonly forwarded: Forwarded | null
  /** A copy, or what a copy asks of others: it is told, so that the service can keep from what must not happen twice. */
  readonly shadow: boolean
}

/**
 * The head to send to a target, complete with the empty line.
 *
 * @example upstreamHead('GET', head, request.rawHeaders, added, '') // "GET /cart HTTP/1.1\r\nHost: …\r\n\r\n"
 */
export function upstreamHead(method: string, head: RequestHead, raw: readonly string[], added: Added, framing: string): string {
  const list = upstreamHeaderList(head, raw, added)
  let text = `${method} ${head.target} HTTP/1.1\r\n`
  for (let at = 0; at < list.length; at += 2) text += `${list[at]}: ${list[at + 1]}\r\n`
  return `${text}${framing}\r\n`
}

/** The headers that reach a target: name, value, name, value, … */
export function upstreamHeaderList(head: RequestHead, raw: readonly string[], added: Added): string[] {
  const list: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || REQUEST_OWN.has(lower)) continue
    if (added.forwarded !== null && ENTRY_OWN.has(lower)) continue
    if (added.trace !== null && TRACE_OWN.has(lower)) continue
    if (head.hopByHop.length > 0 && head.hopByHop.includes(lower)) continue
    list.push(name, raw[at + 1] as string)
  }
  if (added.baggage !== null) list.push('baggage', added.baggage)
  if (added.trace !== null) {
    list.push('traceparent', added.trace.traceparent)
    if (added.trace.tracestate !== null) list.push('tracestate', added.trace.tracestate)
    if (added.trace.b3 !== null) list.push('b3', added.trace.b3)
  }
  if (added.forwarded !== null)
    list.push('x-forwarded-for', added.forwarded.chain, 'x-forwarded-proto', added.forwarded.proto, 'x-forwarded-host', head.authority)
  list.push('x-request-id', added.requestId)
  if (added.shadow) list.push('weir-shadow', '1')
  return list
}

/** Headers less those that say where the request stands in a trace. */
export function withoutTrace(raw: readonly string[]): string[] {
  return raw.filter((_, at) => !TRACE_OWN.has((raw[at - (at % 2)] as string).toLowerCase()))
}

/** Length of the body that follows, as headers. */
export function framingOf(head: RequestHead): string {
  if (head.chunked) return 'transfer-encoding: chunked\r\n'
  return head.contentLength === null ? '' : `content-length: ${head.contentLength}\r\n`
}

/** A service's answer headers without those that were meant for the connection to the gateway. */
export function downstreamHeaders(raw: readonly string[]): string[] {
  const kept: string[] = []
  let named: string[] | null = null
  for (let at = 0; at < raw.length; at += 2) {
    if ((raw[at] as string).toLowerCase() === 'connection') {
      const tokens = (raw[at + 1] as string).toLowerCase()
      if (tokens !== 'close' && tokens !== 'keep-alive') named = tokens.split(',').map((token) => token.trim())
    }
  }
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || RESPONSE_OWN.has(lower) || named?.includes(lower)) continue
    kept.push(name, raw[at + 1] as string)
  }
  return kept
}
