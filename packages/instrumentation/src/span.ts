export const KIND = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const
export type Kind = (typeof KIND)[keyof typeof KIND]

const STATUS = { unset: 0, ok: 1, error: 2 } as const
const MOST_ATTRIBUTES = 64
const MOST_EVENTS = 16
const MOST_LINKS = 64

export type AttributeValue = string | number | boolean | readonly (string | number | boolean | null | undefined)[]
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>

export interface SpanEvent {
  readonly name: string
  readonly timeMs: number
  /** Key, value, key, value, … */
  readonly attributes: readonly (string | AttributeValue)[]
}

export interface SpanLink {
  readonly traceId: string
  readonly spanId: string
}

/** What a span needs of the one that made it. */
export interface SpanOwner {
  now(): number
  ended(span: Span): void
}

/** As the OpenTelemetry API gives times: milliseconds since 1970 or since the process began, `[seconds, nanoseconds]`, or a Date. */
export type TimeInput = number | readonly [number, number] | Date

/** One timed piece of work. Its methods are those of the OpenTelemetry API's `Span`, so an app that asks for the active span gets this one. */
export class Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly tracestate: string
  readonly kind: Kind
  name: string
  startMs: number
  endMs = 0
  /** Key, value, key, value, … */
  readonly attributes: (string | AttributeValue)[] = []
  events: SpanEvent[] | null = null
  links: SpanLink[] | null = null
  status: number = STATUS.unset
  statusMessage = ''
  readonly #owner: SpanOwner

  constructor(owner: SpanOwner, traceId: string, spanId: string, parentId: string, tracestate: string, kind: Kind, name: string) {
    this.#owner = owner
    this.traceId = traceId
    this.spanId = spanId
    this.parentId = parentId
    this.tracestate = tracestate
    this.kind = kind
    this.name = name
    this.startMs = owner.now()
  }

  /** For keys that are set once. */
  put(key: string, value: AttributeValue): void {
    this.attributes.push(key, value)
  }

  /** It failed: by its status (`500`), or by what was thrown. */
  fail(type: string, message = ''): void {
    this.put('error.type', type)
    this.status = STATUS.error
    this.statusMessage = message.slice(0, 256)
  }

  failWith(error: unknown): void {
    if (this.status === STATUS.error) return
    this.recordException(error)
    this.fail(typeOf(error), messageOf(error))
  }

  spanContext(): { traceId: string; spanId: string; traceFlags: number } {
    return { traceId: this.traceId, spanId: this.spanId, traceFlags: 1 }
  }

  setAttribute(key: string, value: AttributeValue | undefined): this {
    if (this.endMs !== 0 || value === undefined || value === null) return this
    for (let at = 0; at < this.attributes.length; at += 2) {
      if (this.attributes[at] !== key) continue
      this.attributes[at + 1] = value
      return this
    }
    if (this.attributes.length < MOST_ATTRIBUTES * 2) this.attributes.push(key, value)
    return this
  }

  setAttributes(attributes: Attributes): this {
    for (const [key, value] of Object.entries(attributes)) this.setAttribute(key, value)
    return this
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    const isTime = typeof attributesOrTime === 'number' || Array.isArray(attributesOrTime) || attributesOrTime instanceof Date
    const attributes = isTime || attributesOrTime === undefined ? {} : (attributesOrTime as Attributes)
    const flat = Object.entries(attributes).flatMap(([key, value]) => (value === undefined ? [] : [key, value]))
    return this.#event({ name, timeMs: this.#time(isTime ? (attributesOrTime as TimeInput) : time), attributes: flat })
  }

  addLink(link: { readonly context: SpanLink }): this {
    this.links ??= []
    if (this.links.length < MOST_LINKS) this.links.push({ traceId: link.context.traceId, spanId: link.context.spanId })
    return this
  }

  addLinks(links: readonly { readonly context: SpanLink }[]): this {
    for (const link of links) this.addLink(link)
    return this
  }

  setStatus(status: { readonly code: number; readonly message?: string }): this {
    this.status = status.code
    this.statusMessage = (status.message ?? '').slice(0, 256)
    return this
  }

  updateName(name: string): this {
    this.name = name
    return this
  }

  recordException(error: unknown, time?: TimeInput): void {
    const stack = error instanceof Error && typeof error.stack === 'string' ? error.stack.slice(0, 4096) : ''
    const attributes = ['exception.type', typeOf(error), 'exception.message', messageOf(error)]
    if (stack !== '') attributes.push('exception.stacktrace', stack)
    this.#event({ name: 'exception', timeMs: this.#time(time), attributes })
  }

  isRecording(): boolean {
    return this.endMs === 0
  }

  end(time?: TimeInput): void {
    if (this.endMs !== 0) return
    this.endMs = Math.max(this.startMs, this.#time(time))
    this.#owner.ended(this)
  }

  /** When it began, where the app says so itself. */
  beginAt(time: TimeInput | undefined): void {
    if (time !== undefined) this.startMs = this.#time(time)
  }

  #event(event: SpanEvent): this {
    this.events ??= []
    if (this.endMs === 0 && this.events.length < MOST_EVENTS) this.events.push(event)
    return this
  }

  #time(time: TimeInput | undefined): number {
    if (time === undefined) return this.#owner.now()
    if (time instanceof Date) return time.getTime()
    if (typeof time !== 'number') return time[0] * 1000 + time[1] / 1e6
    return time < performance.timeOrigin ? performance.timeOrigin + time : time
  }
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const { code } = error as { code?: unknown }
  return /^error$/i.test(error.name) && typeof code === 'string' && code !== '' ? code : error.name
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return String(message).slice(0, 1024)
}
