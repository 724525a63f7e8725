import type { Span } from './span.ts'

/** How a trace came in that is not by W3C `traceparent`; it is sent on in the same form too, for services that know only that. */
export type B3Form = 'single' | 'multi'

/**
 * What is carried along with a piece of work: whose trace it belongs to, and what its callees must be told.
 * Made for each incoming request and each span; a scope without `traceId` carries only baggage.
 */
export class Scope {
  readonly traceId: string
  /** The span that callees have as their parent. */
  readonly spanId: string
  readonly sampled: boolean
  readonly tracestate: string
  /** As it came in, unchanged. */
  readonly baggage: string
  readonly b3: B3Form | null
  /** Null: nothing is recorded here, the ids are someone else's. */
  readonly span: Span | null
  /** The OpenTelemetry API's context for this scope, made when an app asks for it. */
  context: unknown = undefined

  constructor(traceId: string, spanId: string, sampled: boolean, tracestate: string, baggage: string, b3: B3Form | null, span: Span | null) {
    this.traceId = traceId
    this.spanId = spanId
    this.sampled = sampled
    this.tracestate = tracestate
    this.baggage = baggage
    this.b3 = b3
    this.span = span
  }
}

/** Work of the instrumentation itself: nothing below it is traced or given headers. */
export const SUPPRESSED = new Scope('', '', false, '', '', null, null)
