import { KIND, type SpanColumns } from './spans.ts'

/**
 * The arrays that one trace is worked out in, indexed by position: position `p` is the span in row `rows[p]`. They are used again for the next
 * trace, so that a span costs no allocation.
 */
export interface Scratch {
  readonly capacity: number
  readonly service: Uint32Array
  readonly kind: Uint8Array
  /** Corrected times: those of the span's own clock, moved where they contradict the caller's. */
  readonly startUs: Float64Array
  readonly endUs: Float64Array
  /** By how much the clock that made the span was moved. */
  readonly shiftUs: Float64Array
  /** What a parent sees of its child: the child's time within the parent's. */
  readonly seenStartUs: Float64Array
  readonly seenEndUs: Float64Array
  readonly parents: Int32Array
  /** 1: this span was delivered twice, and counts only the first time. */
  readonly repeated: Uint8Array
  /** Positions, each parent before its children. */
  readonly order: Int32Array
  /** Children of `p`: `children[firstChild[p] … firstChild[p + 1]]`. */
  readonly firstChild: Int32Array
  readonly children: Int32Array
  /** 1: the parent did not end before this span had ended. */
  readonly waited: Uint8Array
  readonly segment: Int32Array
  readonly visit: Int32Array
  /** 1: what the span did, its visit waited for. */
  readonly attached: Uint8Array
  readonly waitsIn: Int32Array
  readonly ownUs: Float64Array
  readonly exclusiveUs: Float64Array
  readonly chargedTo: Int32Array
  readonly critical: Uint8Array
  readonly criticalUs: Float64Array
  readonly dragUs: Float64Array
  /** The part of a critical span's time that its caller waited for. */
  readonly windowStartUs: Float64Array
  readonly windowEndUs: Float64Array
  /** A span is at most one call's callee and makes at most one that nobody answered: twice the capacity. */
  readonly callClient: Int32Array
  readonly callCaller: Int32Array
  readonly callCallee: Int32Array
  readonly callGapUs: Float64Array
  readonly callRetry: Uint8Array
  readonly work: Int32Array
  /** A hash table's slots; always a power of two, at least twice as many as there can be calls. */
  readonly slots: Int32Array
}

export function createScratch(capacity: number): Scratch {
  const ints = (length = capacity) => new Int32Array(length)
  const bytes = () => new Uint8Array(capacity)
  const doubles = () => new Float64Array(capacity)
  let slots = 16
  const calls = capacity * 2
  while (slots < calls * 2) slots *= 2
  return {
    capacity,
    service: new Uint32Array(capacity),
    kind: bytes(),
    startUs: doubles(),
    endUs: doubles(),
    shiftUs: doubles(),
    seenStartUs: doubles(),
    seenEndUs: doubles(),
    parents: ints(),
    repeated: bytes(),
    order: ints(),
    firstChild: ints(capacity + 1),
    children: ints(),
    waited: bytes(),
    segment: ints(),
    visit: ints(),
    attached: bytes(),
    waitsIn: ints(),
    ownUs: doubles(),
    exclusiveUs: doubles(),
    chargedTo: ints(),
    critical: bytes(),
    criticalUs: doubles(),
    dragUs: doubles(),
    windowStartUs: doubles(),
    windowEndUs: doubles(),
    callClient: ints(calls),
    callCaller: ints(calls),
    callCallee: ints(calls),
    callGapUs: new Float64Array(calls),
    callRetry: new Uint8Array(calls),
    work: ints(),
    slots: ints(slots),
  }
}

/** Nothing that takes longer than a day is a request; a clock that says so is wrong. */
const LONGEST_US = 86_400_000_000
/** Beyond this (the year 2255) a double no longer tells microseconds apart. */
const LATEST_US = 2 ** 53

/** Times and kinds as they were sent, with what cannot be made sense of replaced. */
export function load(s: Scratch, spans: SpanColumns, rows: Int32Array, count: number): void {
  for (let p = 0; p < count; p++) {
    const row = rows[p] as number
    const start = spans.startUs[row] as number
    const duration = spans.durationUs[row] as number
    const from = start > 0 && start < LATEST_US ? start : 0
    s.startUs[p] = from
    s.endUs[p] = from + (duration > 0 ? Math.min(duration, LONGEST_US) : 0)
    s.service[p] = spans.service[row] as number
    s.kind[p] = spans.kind[row] as number
  }
}

/** The side that asks: clients and producers. */
export function asks(kind: number): boolean {
  return kind === KIND.client || kind === KIND.producer
}

/** The side that is asked: servers and consumers. */
export function answers(kind: number): boolean {
  return kind === KIND.server || kind === KIND.consumer
}

/** Whether a span begins another process's work than its parent: a server is elsewhere than its client even where both are the same service. */
export function enters(s: Scratch, p: number, parent: number): boolean {
  return s.service[p] !== s.service[parent] || (answers(s.kind[p] as number) && s.kind[parent] !== KIND.internal)
}
