import { createAnalyser } from '../core/tracegraph/index.ts'
import { RecentTraces } from './recent.ts'
import type { TraceView } from './telemetry.ts'
import { RawRing } from './window/raw-ring.ts'
import { TraceWindow } from './window/trace-window.ts'

const SCOPE = 1
/** No span with two ids and two times is shorter on the wire. */
const SHORTEST_SPAN_BYTES = 48
/** A window takes no trace larger than a quarter of itself. */
const PARTS = 4

/**
 * A trace that was kept in the store, worked out again as one that has just come in.
 *
 * @example viewOfStored({ trace: '4bf9…', atMs, spans }) // null: these bytes hold no span of it
 */
export function viewOfStored({ trace, atMs, spans }: { readonly trace: string; readonly atMs: number; readonly spans: Uint8Array }): TraceView | null {
  const most = Math.min(2 ** 18, PARTS * Math.max(64, Math.ceil(spans.length / SHORTEST_SPAN_BYTES)))
  const window = new TraceWindow({
    maxSpans: most,
    maxSpansPerTrace: most / PARTS,
    maxBytes: 2 ** 27,
    rawBytes: RawRing.sizeFor(spans.length),
    now: () => atMs,
    analyser: createAnalyser(),
    onClosed: () => {},
  })
  window.accept(SCOPE, spans)
  return new RecentTraces(window).trace(SCOPE, trace)
}
