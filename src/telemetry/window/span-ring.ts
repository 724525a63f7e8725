import type { SpanColumns } from '../../core/tracegraph/spans.ts'

/** No trace holds the row: it is free, or its span was refused. */
export const NOWHERE = -1

/**
 * The columns of all spans in the window: a ring, the oldest row is written over. Beside what core/tracegraph reads, each row knows its
 * trace, the next span of it, its neighbours among spans with an equal pairing key, its resource, and its bytes in the raw ring.
 */
export class SpanRing implements SpanColumns {
  static readonly BYTES_PER_SPAN = 127

  readonly size: number
  readonly trace: Uint32Array
  readonly id: Uint32Array
  readonly parent: Uint32Array
  readonly startUs: Float64Array
  readonly durationUs: Float64Array
  readonly service: Uint32Array
  readonly operation: Uint32Array
  readonly peer: Uint32Array
  readonly instance: Uint32Array
  readonly release: Uint32Array
  readonly kind: Uint8Array
  readonly failed: Uint8Array
  readonly weight: Float32Array
  /** Number of the environment. */
  readonly scope: Uint32Array
  /** 1: `peer` is a database or broker, which makes no spans. */
  readonly toSystem: Uint8Array
  /** Number in `Resources`. */
  readonly resource: Uint32Array
  /** Position in the raw ring and length there; −1: not kept. */
  readonly rawAt: Float64Array
  readonly rawLength: Uint32Array
  /** Trace in `TraceTable`, or `NOWHERE`. */
  readonly slot: Int32Array
  /** The next row of the same trace, in the order of arrival; −1: it is the last. */
  readonly next: Int32Array
  /** See `Pairs`. */
  readonly pairNext: Int32Array
  readonly pairPrevious: Int32Array

  constructor(size: number) {
    this.size = size
    this.trace = new Uint32Array(4 * size)
    this.id = new Uint32Array(2 * size)
    this.parent = new Uint32Array(2 * size)
    this.startUs = new Float64Array(size)
    this.durationUs = new Float64Array(size)
    this.service = new Uint32Array(size)
    this.operation = new Uint32Array(size)
    this.peer = new Uint32Array(size)
    this.instance = new Uint32Array(size)
    this.release = new Uint32Array(size)
    this.kind = new Uint8Array(size)
    this.failed = new Uint8Array(size)
    this.weight = new Float32Array(size)
    this.scope = new Uint32Array(size)
    this.toSystem = new Uint8Array(size)
    this.resource = new Uint32Array(size)
    this.rawAt = new Float64Array(size)
    this.rawLength = new Uint32Array(size)
    this.slot = new Int32Array(size)
    this.next = new Int32Array(size)
    this.pairNext = new Int32Array(size)
    this.pairPrevious = new Int32Array(size)
  }
}
