import { type B3Form, Scope } from './scope.ts'

export type HeadersIn = Readonly<Record<string, string | readonly string[] | undefined>>

/** Of versions after 00 more may follow. */
const TRACEPARENT = /^(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:$|-)/
/** Where the dashes of version 00 are is looked at first. */
const PLAIN = /^[0-9a-f]{2}-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$/
const B3_TRACE = /^(?!0+$)(?:[0-9a-f]{32}|[0-9a-f]{16})$/
const B3_SPAN = /^(?!0+$)[0-9a-f]{16}$/
/** What may stand in a header; anything else came by a way that is none. */
const HEADER = /^[\t\x20-\x7e\x80-\xff]+$/
/** Of all members together, by the recommendation on W3C baggage. */
const BAGGAGE_BYTES = 8192

/**
 * Who called, by its headers (names in lower case): W3C first, then B3. Null: they say nothing.
 *
 * @example readCaller({ traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' })?.sampled // true
 */
export function readCaller(headers: HeadersIn): Scope | null {
  const baggage = text(headers['baggage'])
  return (
    readTraceparent(text(headers['traceparent']), text(headers['tracestate']), baggage) ??
    readB3(headers, baggage) ??
    (baggage === '' ? null : new Scope('', '', false, '', baggage, null, null))
  )
}

export function readTraceparent(traceparent: string, tracestate: string, baggage: string): Scope | null {
  if (traceparent === '' || !(isPlain(traceparent) || TRACEPARENT.test(traceparent))) return null
  return new Scope(traceparent.slice(3, 35), traceparent.slice(36, 52), isOdd(traceparent.charCodeAt(54)), tracestate, baggage, null, null)
}

/** As nearly all are: version 00, and no digit that needs a second look. */
function isPlain(traceparent: string): boolean {
  const dashed = traceparent.length === 55 && traceparent.startsWith('00-') && traceparent[35] === '-' && traceparent[52] === '-'
  return dashed && traceparent[3] !== '0' && traceparent[36] !== '0' && PLAIN.test(traceparent)
}

/** The last bit of a hex digit: of the flags it says "sampled". */
function isOdd(hexDigit: number): boolean {
  return hexDigit < 58 ? hexDigit % 2 === 1 : hexDigit % 2 === 0
}

/** `b3: TRACE-SPAN[-SAMPLED[-PARENT]]`, or the same in a header each. Absent sampling is the next one's to decide: yes. */
function readB3(headers: HeadersIn, baggage: string): Scope | null {
  const single = text(headers['b3'])
  if (single !== '') {
    const [trace, span, sampled] = single.split('-')
    if (trace === '0') return null
    return fromB3(trace, span, sampled !== '0', baggage, 'single')
  }
  const trace = text(headers['x-b3-traceid'])
  if (trace === '') return null
  const sampled = text(headers['x-b3-sampled'])
  return fromB3(trace, text(headers['x-b3-spanid']), sampled !== '0' && sampled !== 'false', baggage, 'multi')
}

function fromB3(trace = '', span = '', sampled: boolean, baggage: string, form: B3Form): Scope | null {
  const [traceId, spanId] = [trace.toLowerCase(), span.toLowerCase()]
  if (!B3_TRACE.test(traceId) || !B3_SPAN.test(spanId)) return null
  return new Scope(traceId.padStart(32, '0'), spanId, sampled, '', baggage, form, null)
}

/** Where outgoing headers are looked up and put; names are in lower case. */
export interface HeadersOut {
  get(name: string): string
  set(name: string, value: string): void
}

/**
 * The caller that an outgoing request names by itself: an app that passes `traceparent` on by hand knows its trace even where the context
 * was lost on the way (a pool, a queue). Where both are of the same trace, the scope knows the nearer parent.
 */
export function callerOf(scope: Scope | undefined, headers: HeadersOut): Scope | undefined {
  const traceparent = headers.get('traceparent')
  if (traceparent === '' || (scope !== undefined && scope.traceId !== '' && traceparent.startsWith(scope.traceId, 3))) return scope
  return readTraceparent(traceparent, headers.get('tracestate'), scope?.baggage ?? '') ?? scope
}

/** Tells a callee whose trace it is in, and gives it the caller's baggage where the app did not. */
export function writeHeaders(scope: Scope, headers: HeadersOut): void {
  const passedOn = scope.span === null && headers.get('traceparent') !== '' // by the app itself, and nothing of ours is to come between
  if (scope.traceId !== '' && !passedOn) {
    headers.set('traceparent', `00-${scope.traceId}-${scope.spanId}-${scope.sampled ? '01' : '00'}`)
    if (scope.tracestate !== '' && HEADER.test(scope.tracestate)) headers.set('tracestate', scope.tracestate)
    if (scope.b3 !== null) writeB3(scope, headers)
  }
  if (scope.baggage === '' || !HEADER.test(scope.baggage)) return
  const own = headers.get('baggage')
  const merged = own === '' || own === scope.baggage ? scope.baggage : mergeBaggage(own, scope.baggage)
  if (merged !== own) headers.set('baggage', merged)
}

function writeB3({ traceId, spanId, sampled, b3 }: Scope, headers: HeadersOut): void {
  const trace = traceId.startsWith('0000000000000000') ? traceId.slice(16) : traceId
  if (b3 === 'single') return headers.set('b3', `${trace}-${spanId}-${sampled ? '1' : '0'}`)
  headers.set('x-b3-traceid', trace)
  headers.set('x-b3-spanid', spanId)
  headers.set('x-b3-sampled', sampled ? '1' : '0')
}

/**
 * The app's own members first; of the caller's those that it does not set itself.
 *
 * @example mergeBaggage('cart=7', 'weir-track=canary,cart=1') // 'cart=7,weir-track=canary'
 */
export function mergeBaggage(own: string, caller: string): string {
  const key = (member: string) => (member.split(/[=;]/, 1)[0] ?? '').trim()
  const keys = new Set(own.split(',').map(key))
  const missing = caller.split(',').filter((member) => key(member) !== '' && !keys.has(key(member)))
  const merged = [own, ...missing.map((member) => member.trim())].join(',')
  return merged.length > BAGGAGE_BYTES ? own : merged
}

function text(value: string | readonly string[] | undefined): string {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : value.join(',')
}
