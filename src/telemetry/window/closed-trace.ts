import type { TraceAnalysis } from '../../core/tracegraph/analyse.ts'
import type { Resource } from './resources.ts'
import type { SpanRing } from './span-ring.ts'

/** A trace of which nothing more is expected. The object and all arrays of it are used again for the next trace: copy what is to stay. */
export interface ClosedTrace {
  readonly scope: number
  /** Rows of `columns`, in the order in which they came. */
  readonly rows: Int32Array
  readonly count: number
  /**
   * The first `counted` rows were told of before: late spans came, and the trace is told of again as a whole. Only rows from there on are
   * new for whoever counts; 0: the trace is new.
   */
  readonly counted: number
  readonly late: boolean
  /** Whether every row that was told of before is still there. */
  readonly whole: boolean
  /** In `TraceTable`. */
  readonly slot: number
  readonly columns: SpanRing
  readonly analysis: TraceAnalysis
  /** 32 hex digits. */
  traceId(): string
  /** The Span message of a row as it came; null: written over. Valid only during the call. */
  rawOf(row: number): Uint8Array | null
  /** The Resource message; null: not kept. */
  resourceOf(row: number): Uint8Array | null
  /** The same, parsed, with its number, by which equal ones are known. */
  makerOf(row: number): Resource | null
}
