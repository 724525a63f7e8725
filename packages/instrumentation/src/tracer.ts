import { AsyncLocalStorage } from 'node:async_hooks'
import { Clock } from './clock.ts'
import { newSpanId, newTraceId } from './ids.ts'
import type { Sampler } from './sampler.ts'
import { Scope, SUPPRESSED } from './scope.ts'
import { type Kind, Span, type SpanOwner } from './span.ts'

export interface TracerOptions {
  /** Null: no spans are made, only headers and baggage are passed on. */
  readonly sample: Sampler | null
  readonly ended: (span: Span) => void
  /** Trouble of the instrumentation itself; it never reaches the app. */
  readonly trouble: (where: string, error: unknown) => void
}

/** Makes spans and carries their scopes along. */
export class Tracer implements SpanOwner {
  readonly scopes = new AsyncLocalStorage<Scope>()
  readonly clock = new Clock()
  readonly ended: (span: Span) => void
  readonly trouble: (where: string, error: unknown) => void
  readonly #sample: Sampler | null
  #standsBy = false

  constructor({ sample, ended, trouble }: TracerOptions) {
    this.#sample = sample
    this.ended = (span) => (this.#standsBy ? undefined : ended(span))
    this.trouble = trouble
  }

  now(): number {
    return this.clock.now()
  }

  /** True: the app brings its own tracing, so nothing is to be done any more, by nobody here. */
  get standsBy(): boolean {
    return this.#standsBy
  }

  standBy(): void {
    this.#standsBy = true
  }

  /** What the work at hand belongs to. */
  get scope(): Scope | undefined {
    return this.scopes.getStore()
  }

  /** Whether a hook has nothing to do here: the instrumentation's own work, or the app traces itself. */
  get idle(): boolean {
    return this.#standsBy || this.scopes.getStore() === SUPPRESSED
  }

  /** A scope for a piece of work, with a span in it where it is sampled. */
  start(kind: Kind, name: string, parent: Scope | undefined): Scope {
    const inTrace = parent !== undefined && parent.traceId !== ''
    if (this.#sample === null) return parent ?? NOTHING
    const traceId = inTrace ? parent.traceId : newTraceId()
    const { tracestate = '', baggage = '', b3 = null } = parent ?? {}
    if (!this.#sample(parent, traceId)) return inTrace && !parent.sampled ? parent : new Scope(traceId, newSpanId(), false, tracestate, baggage, b3, null)
    const span = new Span(this, traceId, newSpanId(), inTrace ? parent.spanId : '', tracestate, kind, name)
    return new Scope(traceId, span.spanId, true, tracestate, baggage, b3, span)
  }
}

const NOTHING = new Scope('', '', false, '', '', null, null)
