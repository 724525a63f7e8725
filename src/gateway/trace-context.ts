import { hexId } from './ids.ts'

/** Where a request stands in its trace, in the words of whoever sent it. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly trace: string
  /** 16 hex digits: the span that asks. */
  readonly span: string
  readonly sampled: boolean
}

/** The headers that carry it: W3C's, and Zipkin's (B3) in one or in several. */
export interface TraceHeaders {
  readonly traceparent: string | null
  readonly tracestate: string | null
  readonly b3: string | null
  readonly b3Trace: string | null
  readonly b3Span: string | null
  readonly b3Sampled: string | null
}

export const NO_TRACE: TraceHeaders = { traceparent: null, tracestate: null, b3: null, b3Trace: null, b3Span: null, b3Sampled: null }

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-|$)/
const B3 = /^([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d]))?(?:-[0-9a-f]{16})?$/
const B3_TRACE = /^(?:[0-9a-f]{16}){1,2}$/
const B3_SPAN = /^[0-9a-f]{16}$/
const ZERO_TRACE = '0'.repeat(32)
const ZERO_SPAN = '0'.repeat(16)

/**
 * The context that a request brings; W3C's comes first. null: none, or one that is not well-formed.
 *
 * @example readContext({ ...NO_TRACE, traceparent: '00-4bf9…-00f0…-01' }) // { trace: '4bf9…', span: '00f0…', sampled: true }
 */
export function readContext(headers: TraceHeaders): TraceContext | null {
  if (headers === NO_TRACE) return null
  const { traceparent } = headers
  if (traceparent !== null && TRACEPARENT.test(traceparent) && !traceparent.startsWith('ff')) {
    const flags = Number.parseInt(traceparent.slice(53, 55), 16)
    return context(traceparent.slice(3, 35), traceparent.slice(36, 52), (flags & 1) === 1)
  }
  if (headers.b3 !== null) {
    const match = B3.exec(headers.b3.toLowerCase())
    return match && context((match[1] as string).padStart(32, '0'), match[2] as string, match[3] !== '0')
  }
  const [trace, span] = [headers.b3Trace?.toLowerCase() ?? '', headers.b3Span?.toLowerCase() ?? '']
  if (!B3_TRACE.test(trace) || !B3_SPAN.test(span)) return null
  return context(trace.padStart(32, '0'), span, headers.b3Sampled !== '0' && headers.b3Sampled !== 'false')
}

function context(trace: string, span: string, sampled: boolean): TraceContext | null {
  return trace === ZERO_TRACE || span === ZERO_SPAN ? null : { trace, span, sampled }
}

export function traceparentOf({ trace, span, sampled }: TraceContext): string {
  return `00-${trace}-${span}-${sampled ? '01' : '00'}`
}

export function b3Of({ trace, span, sampled }: TraceContext): string {
  return `${trace}-${span}-${sampled ? '1' : '0'}`
}

/**
 * `tracestate` with the threshold of consistent probability sampling in its member `ot`, first as the standard wants it for what was changed;
 * null: nothing is left to say.
 *
 * @example withThreshold('vendor=1,ot=th:8;rv:abc', 'c') // 'ot=th:c,vendor=1'
 */
export function withThreshold(tracestate: string | null, threshold: string | null): string | null {
  if (tracestate === null) return threshold === null ? null : `ot=th:${threshold}`
  const others = tracestate.split(',').filter((member) => member.trim() !== '' && !member.trim().startsWith('ot='))
  const all = threshold === null ? others : [`ot=th:${threshold}`, ...others]
  return all.length === 0 ? null : all.join(',')
}

/**
 * A new span id of the gateway's. Its last two bytes follow from the first six, so that every worker knows it again: a service that sends on
 * the headers it got, and makes no spans of its own, is told from one that does.
 */
export function gatewaySpanId(): string {
  const random = hexId(6)
  return random + tagOf(random)
}

/** One in 65,536 ids of others looks like ours; it costs a span too many. */
export function isGatewaySpanId(id: string): boolean {
  return id.endsWith(tagOf(id.slice(0, 12)))
}

function tagOf(random: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < random.length; at++) hash = Math.imul(hash ^ random.charCodeAt(at), 0x01000193)
  return ((hash ^ (hash >>> 16)) & 0xffff).toString(16).padStart(4, '0')
}
