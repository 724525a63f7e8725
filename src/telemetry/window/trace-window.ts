import type { Analyser } from '../../core/tracegraph/analyse.ts'
import { MalformedProtobuf, ProtobufReader } from '../wire/protobuf-reader.ts'
import { readSpans, type SpanPlaces } from '../wire/span-reader.ts'
import type { ClosedTrace } from './closed-trace.ts'
import { DueWheel } from './due-wheel.ts'
import { type CappedLabel, Labels } from './labels.ts'
import { type Loss, Losses } from './losses.ts'
import { NameTable } from './name-table.ts'
import { OpenSpans } from './open-spans.ts'
import { asks, MET, Pairs } from './pairs.ts'
import { RawRing } from './raw-ring.ts'
import { Rejections } from './rejections.ts'
import { type Claims, type Resource, Resources } from './resources.ts'
import { SpanDecoder } from './span-decoder.ts'
import { NOWHERE, SpanRing } from './span-ring.ts'
import { hexOf, STATE, TraceTable } from './trace-table.ts'

/** A trace is closed so long after its last span, … */
export const QUIET_MS = 2000
/** … and in any case so long after its first. */
export const LONGEST_MS = 30_000
/** Labels may have new values again after this. */
const FORGET_LABELS_MS = 24 * 3600 * 1000
/** Spans of one request that are decoded before they enter their traces. */
const CHUNK = 65_536
const MAX_RESOURCES = 16_384

export interface TraceWindowOptions {
  /** At most 4,194,304. */
  readonly maxSpans: number
  /** For columns and traces; fewer spans than `maxSpans` where they do not fit. */
  readonly maxBytes: number
  /** For the spans as they came. */
  readonly rawBytes: number
  readonly maxSpansPerTrace?: number
  /** Milliseconds since 1970 that never go back. */
  now(): number
  readonly analyser: Analyser
  /** Shared with whoever else names services and operations. */
  readonly names?: NameTable
  readonly losses?: Losses
  /** Whose spans are these? Asked for requests without a scope; null: nobody's that is known. */
  scopeOf?(claims: Claims, trusted: boolean): number | null
  /** Both ends of a call are there; callee −1: the caller names a database or broker, which makes no spans. */
  onEdge?(scope: number, caller: number, callee: number): void
  onClosed(closed: ClosedTrace): void
}

/** Whose the spans of a request are: an environment's, or for the spans to say. */
export type Sender = number | 'trusted' | 'claimed'

export interface Accepted {
  readonly accepted: number
  readonly rejected: number
  /** Why some were rejected, for people. */
  readonly because: string | null
  /** The request is no OTLP at all; nothing of it was taken. */
  readonly malformed: boolean
}

export interface WindowHealth {
  readonly spans: number
  readonly capacity: number
  readonly traces: number
  readonly openTraces: number
  /** Spans ever accepted. */
  readonly accepted: number
  /** 0 … 1: how much of the window is taken by traces that are not closed. */
  readonly pressure: number
  readonly bytes: number
  readonly names: { readonly count: number; readonly turnedAway: number }
  readonly losses: readonly Loss[]
  readonly capped: readonly CappedLabel[]
}

/**
 * The recent spans of all environments, in bounded memory. Calls are told of when both ends have come, traces when they are closed.
 *
 * @example
 * const window = new TraceWindow({ maxSpans: 1 << 20, maxBytes: 2 ** 28, rawBytes: 2 ** 26, now, analyser: createAnalyser(), onClosed })
 * window.accept(12, request) // { accepted: 512, rejected: 0, because: null, malformed: false }
 * setInterval(() => window.tick(now()), 100)
 */
export class TraceWindow {
  readonly names: NameTable
  readonly losses: Losses
  readonly columns: SpanRing
  readonly traces: TraceTable
  readonly raw: RawRing
  readonly resources: Resources
  readonly #options: TraceWindowOptions
  readonly #labels: Labels
  readonly #pairs: Pairs
  readonly #wheel: DueWheel
  readonly #decoder: SpanDecoder
  readonly #reader = new ProtobufReader(new Uint8Array(0))
  readonly #maxSpansPerTrace: number
  readonly #chunk: number
  /** Spans are numbered as they come; a span's row is its number modulo the size. Those from `#tail` to `#head` are there. */
  #head = 0
  #tail = 0
  /** Spans before this one have entered their traces; those from here on are decoded only. */
  #entered = 0
  readonly #open = new OpenSpans()
  #openTraces = 0
  /** The trace that last had too many spans: what more comes of it must not push out others. */
  #fullSlot = NOWHERE
  #accepted = 0
  #forgetLabelsMs: number
  #rows = new Int32Array(1024)
  readonly #closed: Mutable<ClosedTrace>
  // Of the request being read:
  #sender: Sender = 0
  #nowMs = 0
  #wallUs = 0
  #rawAt = -1
  #from = 0
  #resource: Resource | null = null
  readonly #rejected = new Rejections()

  constructor(options: TraceWindowOptions) {
    this.#options = options
    const size = sizeFor(options)
    this.names = options.names ?? new NameTable()
    this.losses = options.losses ?? new Losses()
    this.columns = new SpanRing(size)
    this.traces = new TraceTable(Math.max(1, size >> 1))
    this.raw = new RawRing(options.rawBytes)
    this.#labels = new Labels(this.names)
    this.resources = new Resources(this.names, this.#labels, { max: MAX_RESOURCES, windowSpans: size })
    this.#pairs = new Pairs(this.columns)
    this.#wheel = new DueWheel(this.traces, options.now())
    this.#decoder = new SpanDecoder(this.columns, this.names)
    this.#maxSpansPerTrace = Math.min(options.maxSpansPerTrace ?? 50_000, size >> 2)
    this.#chunk = Math.min(CHUNK, size >> 2)
    this.#forgetLabelsMs = options.now() + FORGET_LABELS_MS
    this.#closed = this.#emptyClosed()
  }

  /** 0 … 1: how much of the window is taken by traces that are not closed. Near 1, more spans would push out what nobody has seen. */
  get pressure(): number {
    return Math.max(this.#open.total / this.columns.size, this.#openTraces / this.traces.size)
  }

  /** 0 … 1: how much of the window is taken by traces of one environment that are not closed. */
  shareOf(scope: number): number {
    return this.#open.of(scope) / this.columns.size
  }

  /**
   * Takes in one ExportTraceServiceRequest. What is rejected is counted by cause; bytes that are no OTLP leave nothing behind but what had
   * entered before, in a request of more than 65,536 spans.
   */
  accept(sender: Sender, request: Uint8Array): Accepted {
    this.#sender = sender
    this.#nowMs = this.#options.now()
    this.#wallUs = this.#nowMs * 1000
    this.#rawAt = this.raw.put(request)
    this.#rejected.clear()
    const before = this.#accepted
    const reader = this.#reader
    this.#from = this.#rawAt === -1 ? 0 : this.raw.offsetOf(this.#rawAt)
    reader.bytes = this.#rawAt === -1 ? new Uint8Array(request.buffer, request.byteOffset, request.length) : this.raw.bytes
    reader.at = this.#from
    let malformed = false
    try {
      readSpans(reader, this.#from + request.length, this)
      this.#enter()
    } catch (error) {
      if (!(error instanceof MalformedProtobuf)) throw error
      malformed = true
      this.#dropDecoded()
    }
    return this.#answer(this.#accepted - before, malformed)
  }

  /** Closes what is due. To be called a few times a second. */
  tick(nowMs: number): void {
    this.#wheel.due(nowMs, (slot) => this.#lookAt(slot, nowMs))
    if (nowMs < this.#forgetLabelsMs) return
    this.#labels.forget()
    this.#forgetLabelsMs = nowMs + FORGET_LABELS_MS
  }

  /** Closes every trace now, as at the end of the process. */
  closeAll(): void {
    for (let slot = 0; slot < this.traces.size; slot++) {
      if (this.traces.state[slot] !== STATE.open) continue
      this.#wheel.remove(slot)
      this.#close(slot)
    }
  }

  health(): WindowHealth {
    const { columns, traces, raw, names } = this
    return {
      spans: this.#head - this.#tail,
      capacity: columns.size,
      traces: traces.taken,
      openTraces: this.#openTraces,
      accepted: this.#accepted,
      pressure: this.pressure,
      bytes: columns.size * SpanRing.BYTES_PER_SPAN + traces.size * TraceTable.BYTES_PER_TRACE + raw.bytes.length + names.byteSize,
      names: { count: names.size, turnedAway: names.turnedAway },
      losses: this.losses.list(),
      capped: this.#labels.capped(),
    }
  }

  /** The rows of all spans from the newest to the oldest. */
  *newestFirst(): Generator<number> {
    for (let span = this.#head - 1; span >= this.#tail; span--) {
      const row = span % this.columns.size
      if (this.columns.slot[row] !== NOWHERE) yield row
    }
  }

  /** The rows of one trace, in the order in which they came. */
  rowsOf(slot: number): Int32Array {
    const count = this.#gather(slot)
    return this.#rows.subarray(0, count)
  }

  /** Part of `SpanSink`. */
  resource(from: number, to: number): void {
    const { bytes } = this.#reader
    const scope = typeof this.#sender === 'number' ? this.#sender : 0
    const resource = this.resources.of(scope, bytes, from, to, this.#tail)
    this.#resource = typeof this.#sender === 'number' ? resource : this.#claimed(resource, resource.claims, bytes, from, to)
  }

  /** Part of `SpanSink`: the span gets the next row. */
  span(places: SpanPlaces): void {
    let resource = this.#resource
    if (resource === null) resource = this.#claimedBySpan(places)
    if (resource === null) {
      this.#rejected.homeless++
      return
    }
    if (this.#head - this.#entered >= this.#chunk) this.#enter()
    if (this.#head - this.#tail >= this.columns.size) this.#evictOldest()
    const row = this.#head % this.columns.size
    if (!this.#decoder.decode(this.#reader.bytes, places, resource, row, this.#wallUs)) {
      this.#rejected.badIds++
      this.losses.add(resource.scope, 'bad-id')
      return
    }
    if (this.#isFull(resource.scope, row)) {
      this.#refuseOfFull(resource.scope)
      return
    }
    if (this.#decoder.timeWasPutRight) this.losses.add(resource.scope, 'odd-time')
    this.columns.slot[row] = NOWHERE
    this.columns.rawAt[row] = this.#rawAt === -1 ? -1 : this.#rawAt + (places.from - this.#from)
    this.columns.rawLength[row] = places.to - places.from
    resource.lastSpan = this.#head++
  }

  #claimed(unclaimed: Resource, claims: Claims, bytes: Uint8Array, from: number, to: number): Resource | null {
    const scope = this.#options.scopeOf?.(claims, this.#sender === 'trusted') ?? null
    this.#unclaimed = { resource: unclaimed, from, to }
    return scope === null ? null : this.resources.of(scope, bytes, from, to, this.#tail)
  }

  #unclaimed: { resource: Resource; from: number; to: number } | null = null

  #claimedBySpan({ nameFrom, nameTo }: SpanPlaces): Resource | null {
    if (this.#sender !== 'claimed' || this.#unclaimed === null || nameTo - nameFrom > 256) return null
    const { bytes } = this.#reader
    const { resource, from, to } = this.#unclaimed
    const operation = Buffer.from(bytes.buffer, bytes.byteOffset + nameFrom, Math.max(0, nameTo - nameFrom)).toString()
    const scope = operation.includes('/') ? this.#options.scopeOf?.({ ...resource.claims, operation }, false) : null
    return typeof scope === 'number' ? this.resources.of(scope, bytes, from, to, this.#tail) : null
  }

  /** The decoded spans enter their traces. */
  #enter(): void {
    const { size, slot, trace } = this.columns
    let lastSlot = NOWHERE
    let lastScope = 0
    let entered = 0
    while (this.#entered < this.#head) {
      const row = this.#entered++ % size
      const scope = this.columns.scope[row] as number
      let at = lastSlot !== NOWHERE && this.#isTrace(lastSlot, scope, row) ? lastSlot : this.traces.find(scope, trace, 4 * row)
      if (at === NOWHERE) at = this.#begin(scope, row)
      lastSlot = at
      slot[row] = at
      if (scope !== lastScope) {
        this.#open.add(lastScope, entered)
        lastScope = scope
        entered = 0
      }
      if (this.#enterTrace(at, row, scope)) entered++
    }
    this.#open.add(lastScope, entered)
  }

  #isTrace(slot: number, scope: number, row: number): boolean {
    const { traces, columns } = this
    for (let word = 3; word >= 0; word--) if (traces.id[4 * slot + word] !== columns.trace[4 * row + word]) return false
    return traces.scope[slot] === scope && traces.state[slot] !== STATE.free
  }

  #begin(scope: number, row: number): number {
    let slot = this.traces.add(scope, this.columns.trace, 4 * row, this.#nowMs)
    while (slot === NOWHERE) {
      this.#evictOldest()
      slot = this.traces.add(scope, this.columns.trace, 4 * row, this.#nowMs)
    }
    this.#openTraces++
    this.#wheel.add(slot, this.#nowMs + QUIET_MS)
    return slot
  }

  #enterTrace(at: number, row: number, scope: number): boolean {
    const { columns, traces } = this
    if ((traces.count[at] as number) >= this.#maxSpansPerTrace) {
      columns.slot[row] = NOWHERE
      this.#fullSlot = at
      this.#refuseOfFull(scope)
      return false
    }
    const met = this.#pairs.add(row)
    if (met === MET.itself) {
      columns.slot[row] = NOWHERE
      this.losses.add(scope, 'repeated')
      this.#accepted++
      return false
    }
    const last = traces.lastRow[at] as number
    if (last === NOWHERE) traces.firstRow[at] = row
    else columns.next[last] = row
    traces.lastRow[at] = row
    columns.next[row] = NOWHERE
    traces.count[at] = (traces.count[at] as number) + 1
    traces.lastMs[at] = this.#nowMs
    if (traces.state[at] === STATE.closed) this.#reopen(at)
    this.#accepted++
    if (this.#options.onEdge) this.#tellOfEdge(scope, row, met)
    return true
  }

  #isFull(scope: number, row: number): boolean {
    const slot = this.#fullSlot
    return slot !== NOWHERE && this.#isTrace(slot, scope, row) && (this.traces.count[slot] as number) >= this.#maxSpansPerTrace
  }

  #refuseOfFull(scope: number): void {
    this.#rejected.tooMany++
    this.losses.add(scope, 'trace-too-large')
  }

  #tellOfEdge(scope: number, row: number, other: number): void {
    const { kind, toSystem } = this.columns
    const rowAsks = asks(kind[row] as number)
    if (other >= 0) this.#options.onEdge?.(scope, rowAsks ? row : other, rowAsks ? other : row)
    else if (toSystem[row] === 1) this.#options.onEdge?.(scope, row, -1)
  }

  #reopen(slot: number): void {
    this.traces.state[slot] = STATE.open
    this.traces.firstMs[slot] = this.#nowMs
    this.#openTraces++
    this.#wheel.add(slot, this.#nowMs + QUIET_MS)
  }

  #lookAt(slot: number, nowMs: number): void {
    const { firstMs, lastMs } = this.traces
    const dueMs = Math.min((lastMs[slot] as number) + QUIET_MS, (firstMs[slot] as number) + LONGEST_MS)
    if (dueMs > nowMs) this.#wheel.add(slot, dueMs)
    else this.#close(slot)
  }

  #close(slot: number): void {
    const { traces, columns } = this
    const count = this.#gather(slot)
    const counted = traces.counted[slot] as number
    traces.state[slot] = STATE.closed
    traces.counted[slot] = count
    this.#openTraces--
    this.#open.add(traces.scope[slot] as number, counted - count)
    this.#countRawGone(traces.scope[slot] as number, counted, count)
    const closed = this.#closed
    closed.scope = traces.scope[slot] as number
    closed.rows = this.#rows
    closed.count = count
    closed.counted = counted
    closed.late = counted > 0
    closed.whole = traces.torn[slot] === 0
    closed.slot = slot
    closed.analysis = this.#options.analyser.analyse(columns, this.#rows, count)
    this.#options.onClosed(closed)
  }

  #countRawGone(scope: number, from: number, to: number): void {
    let gone = 0
    for (let at = from; at < to; at++) if (this.raw.offsetOf(this.columns.rawAt[this.#rows[at] as number] as number) === -1) gone++
    if (gone > 0) this.losses.add(scope, 'raw-gone', gone)
  }

  #gather(slot: number): number {
    const count = this.traces.count[slot] as number
    if (count > this.#rows.length) this.#rows = new Int32Array(2 * count)
    let row = this.traces.firstRow[slot] as number
    for (let at = 0; at < count; at++) {
      this.#rows[at] = row
      row = this.columns.next[row] as number
    }
    return count
  }

  /** The oldest span makes room; it is the first of its trace. */
  #evictOldest(): void {
    const row = this.#tail++ % this.columns.size
    const { columns, traces } = this
    const slot = columns.slot[row] as number
    if (slot === NOWHERE) return
    this.#pairs.remove(row)
    columns.slot[row] = NOWHERE
    traces.firstRow[slot] = columns.next[row] as number
    traces.count[slot] = (traces.count[slot] as number) - 1
    if ((traces.counted[slot] as number) > 0) {
      traces.counted[slot] = (traces.counted[slot] as number) - 1
      traces.torn[slot] = 1
    } else {
      this.#open.add(traces.scope[slot] as number, -1)
      this.losses.add(traces.scope[slot] as number, 'window-full')
    }
    if ((traces.count[slot] as number) > 0) return
    if (traces.state[slot] === STATE.open) {
      this.#openTraces--
      this.#wheel.remove(slot)
    }
    traces.remove(slot)
  }

  #dropDecoded(): void {
    this.#head = this.#entered
  }

  #answer(accepted: number, malformed: boolean): Accepted {
    const scope = typeof this.#sender === 'number' ? this.#sender : 0
    const { homeless, count } = this.#rejected
    if (malformed) this.losses.add(scope, 'malformed')
    if (homeless > 0) this.losses.add(scope, 'unknown-scope', homeless)
    return { accepted, rejected: count, because: this.#rejected.because(this.#maxSpansPerTrace), malformed }
  }

  #emptyClosed(): Mutable<ClosedTrace> {
    const { columns, raw, resources } = this
    const rawOf = (row: number) => {
      const offset = raw.offsetOf(columns.rawAt[row] as number)
      return offset === -1 ? null : raw.bytes.subarray(offset, offset + (columns.rawLength[row] as number))
    }
    const makerOf = (row: number) => resources.at(columns.resource[row] as number)
    return {
      scope: 0,
      rows: this.#rows,
      count: 0,
      counted: 0,
      late: false,
      whole: true,
      slot: NOWHERE,
      columns,
      analysis: this.#options.analyser.analyse(columns, this.#rows, 0),
      traceId: () => hexOf(columns.trace, 4 * (this.#rows[0] as number), 4),
      rawOf,
      makerOf,
      resourceOf: (row) => makerOf(row)?.bytes ?? null,
    }
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const LARGEST = 4 * 2 ** 20
/** Fewer make no window. */
const SMALLEST = 64

function sizeFor({ maxSpans, maxBytes }: TraceWindowOptions): number {
  const perSpan = SpanRing.BYTES_PER_SPAN + TraceTable.BYTES_PER_TRACE / 2
  return Math.max(SMALLEST, Math.min(maxSpans, LARGEST, Math.floor(maxBytes / perSpan)))
}
