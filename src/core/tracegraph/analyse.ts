import { align } from './align.ts'
import { findCalls } from './calls.ts'
import { CRITICAL, criticalPath } from './critical-path.ts'
import { uncovered } from './exclusive-time.ts'
import { orderByDepth, sortByReturn } from './order.ts'
import { ownTimes } from './own-time.ts'
import { resolveParents } from './parents.ts'
import { createScratch, load, type Scratch } from './scratch.ts'
import type { SpanColumns } from './spans.ts'

/** What one trace says. All columns are indexed by position: position `p` is the span in row `rows[p]`. Valid until the analyser's next call. */
export interface TraceAnalysis {
  count: number
  rows: Int32Array
  /** Position of the root: of the spans without a parent the one that began first. −1 of an empty trace. */
  root: number
  /** Names of the root: its operation is the class of the whole trace. */
  rootOperation: number
  rootService: number
  /** The root says that it has no parent; else the trace lacks its beginning. */
  complete: boolean
  /** Spans whose parent is not there. */
  orphans: number
  /** Spans that were delivered twice; they count once. */
  repeated: number
  /** 1: delivered before, and not counted again. */
  isRepeated: Uint8Array
  /** −1: none. */
  parents: Int32Array
  /** Times after correction of skewed clocks. */
  startUs: Float64Array
  endUs: Float64Array
  /** 1: the caller waited for it. */
  waited: Uint8Array
  /** Position of the span whose operation is the class: the root, a consumer, or a span without its parent. */
  segment: Int32Array
  /** Position of the span by which its service was entered: a visit is that span and what the same service did below it. */
  visit: Int32Array
  /** Of a visit: its time less that in which it waited for another service. */
  ownUs: Float64Array
  /** Time that no child covers, in microseconds. */
  exclusiveUs: Float64Array
  /** The position whose service has to answer for it: its own; of a client's, the server that it waited for. */
  chargedTo: Int32Array
  /** See `CRITICAL`. */
  critical: Uint8Array
  criticalUs: Float64Array
  dragUs: Float64Array
  calls: Calls
}

export interface Calls {
  count: number
  /** Position of the client's span; −1: the caller made none. */
  client: Int32Array
  /** Position of the span in the calling service. */
  caller: Int32Array
  /** Position of the span that answered; −1: nobody is known to have, see `peer` of the client. */
  callee: Int32Array
  /** What the client waited beyond its server: queue and network. */
  gapUs: Float64Array
  retry: Uint8Array
}

export interface Analyser {
  /**
   * Works out the trace in `rows[0 … count]`.
   *
   * @example analyser.analyse(columns, rows, rows.length).criticalUs[0]
   */
  analyse(spans: SpanColumns, rows: Int32Array, count: number): TraceAnalysis
}

/** Room that is kept from trace to trace; a larger trace gets its own, which is then given back. */
const KEPT = 16_384

/**
 * An analyser with arrays of its own, so not to be shared between traces that are looked at together. `seed` is any number that senders of spans
 * cannot know.
 *
 * @example const analyser = createAnalyser({ seed: randomInt(2 ** 31) })
 */
export function createAnalyser({ seed }: { readonly seed: number } = { seed: 1 }): Analyser {
  let scratch = createScratch(1024)
  const analysis = emptyAnalysis(scratch)
  return {
    analyse(spans, rows, count) {
      if (count > scratch.capacity || (scratch.capacity > KEPT && count <= KEPT)) {
        scratch = createScratch(count > KEPT ? count : Math.max(KEPT, 2 * count))
        Object.assign(analysis, emptyAnalysis(scratch))
      }
      work(scratch, analysis, spans, rows, count, seed)
      return analysis
    },
  }
}

function work(s: Scratch, analysis: TraceAnalysis, spans: SpanColumns, rows: Int32Array, count: number, seed: number): void {
  load(s, spans, rows, count)
  resolveParents(s, spans, rows, count, seed)
  const length = orderByDepth(s, count)
  findRoot(s, analysis, spans, rows, count)
  forgetRepeated(s, count, length)
  align(s, spans, rows, length)
  for (let at = 0; at < length; at++) {
    const p = s.order[at] as number
    sortByReturn(s, s.firstChild[p] as number, s.firstChild[p + 1] as number)
    s.exclusiveUs[p] = uncovered(s, p)
  }
  s.critical.fill(CRITICAL.no, 0, count)
  s.criticalUs.fill(0, 0, count)
  s.dragUs.fill(0, 0, count)
  for (let at = 0; at < length; at++) criticalPath(s, s.order[at] as number, analysis.root)
  analysis.calls.count = findCalls(s, spans, rows, length)
  ownTimes(s, count, length)
  analysis.count = count
  analysis.rows = rows
  analysis.repeated = count - length
}

/** A span delivered twice is nobody's child and has no time of its own. */
function forgetRepeated(s: Scratch, count: number, length: number): void {
  if (length === count) return
  for (let p = 0; p < count; p++) {
    if (s.repeated[p] === 0) continue
    s.waited[p] = 0
    s.exclusiveUs[p] = 0
    s.segment[p] = p
    s.visit[p] = p
    s.ownUs[p] = 0
    s.waitsIn[p] = -1
    s.chargedTo[p] = p
  }
}

function findRoot(s: Scratch, analysis: TraceAnalysis, spans: SpanColumns, rows: Int32Array, count: number): void {
  analysis.root = -1
  analysis.orphans = 0
  analysis.complete = false
  for (let p = 0; p < count; p++) {
    if ((s.parents[p] as number) >= 0 || s.repeated[p] === 1) continue
    const row = rows[p] as number
    const isTop = ((spans.parent[2 * row] as number) | (spans.parent[2 * row + 1] as number)) === 0
    if (!isTop) analysis.orphans++
    const root = analysis.root
    if (root < 0 || (isTop && !analysis.complete) || (isTop === analysis.complete && (s.startUs[p] as number) < (s.startUs[root] as number))) {
      analysis.root = p
      analysis.complete ||= isTop
    }
  }
  const row = rows[analysis.root] ?? 0
  analysis.rootOperation = analysis.root < 0 ? 0 : (spans.operation[row] as number)
  analysis.rootService = analysis.root < 0 ? 0 : (spans.service[row] as number)
}

function emptyAnalysis(s: Scratch): TraceAnalysis {
  return {
    count: 0,
    rows: new Int32Array(0),
    root: -1,
    rootOperation: 0,
    rootService: 0,
    complete: false,
    orphans: 0,
    repeated: 0,
    isRepeated: s.repeated,
    parents: s.parents,
    startUs: s.startUs,
    endUs: s.endUs,
    waited: s.waited,
    segment: s.segment,
    visit: s.visit,
    ownUs: s.ownUs,
    exclusiveUs: s.exclusiveUs,
    chargedTo: s.chargedTo,
    critical: s.critical,
    criticalUs: s.criticalUs,
    dragUs: s.dragUs,
    calls: { count: 0, client: s.callClient, caller: s.callCaller, callee: s.callCallee, gapUs: s.callGapUs, retry: s.callRetry },
  }
}
