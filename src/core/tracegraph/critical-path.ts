import type { Scratch } from './scratch.ts'

/** Two spans that overlap by no more than this share of their parent followed each other; their clocks are only so exact. */
const OVERLAP = 0.01

/** What a span is for the critical path: not on it, on the root's, or on that of a part nobody waits for (a consumer, a span without its parent). */
export const CRITICAL = { no: 0, yes: 1, apart: 2 } as const

/**
 * The critical path (CRISP, ATC'22): the time of a span, looked at from its end, belongs to the child that returned last; before that one began,
 * to the child that returned last of those that had returned by then; and to the span itself where there is none. Each moment of the root
 * belongs to exactly one span, so critical times add up to the root's duration.
 *
 * Drag: how much sooner the root would have ended at most, had this span and all below it taken no time: until then another child of the
 * same parent is the one that is waited for.
 *
 * Spans come in `order`, parents first; children sorted as they returned.
 */
export function criticalPath(s: Scratch, p: number, root: number): void {
  if (s.segment[p] === p || (s.parents[p] as number) < 0) begin(s, p, p === root ? CRITICAL.yes : CRITICAL.apart)
  if (s.critical[p] === CRITICAL.no) return
  const start = s.windowStartUs[p] as number
  const end = s.windowEndUs[p] as number
  const overlap = OVERLAP * ((s.endUs[p] as number) - (s.startUs[p] as number))
  let cursor = end
  let limit = Infinity
  let own = end - start
  let dragging = -1
  const until = s.firstChild[p + 1] as number
  for (let at = s.firstChild[p] as number; at < until; at++) {
    const child = s.children[at] as number
    if (s.waited[child] === 0) continue
    const returned = s.seenEndUs[child] as number
    const from = Math.max(s.seenStartUs[child] as number, start)
    const to = returned < cursor ? returned : cursor
    if (returned > limit || from >= to) {
      if (dragging >= 0) dragging = dragUntil(s, dragging, returned)
      continue
    }
    s.critical[child] = s.critical[p] as number
    s.windowStartUs[child] = from
    s.windowEndUs[child] = to
    s.dragUs[child] = Math.min(to - from, s.dragUs[p] as number)
    dragging = child
    own -= to - from
    cursor = from
    limit = from + overlap
  }
  s.criticalUs[p] = own > 0 ? own : 0
}

function begin(s: Scratch, p: number, critical: number): void {
  s.critical[p] = critical
  s.windowStartUs[p] = s.startUs[p] as number
  s.windowEndUs[p] = s.endUs[p] as number
  s.dragUs[p] = (s.endUs[p] as number) - (s.startUs[p] as number)
}

/** A child beside the path that returned within the time of the one on it bounds what shortening that one can bring. */
function dragUntil(s: Scratch, child: number, returned: number): number {
  const drag = Math.max(0, (s.windowEndUs[child] as number) - returned)
  if (drag < (s.dragUs[child] as number)) s.dragUs[child] = drag
  return -1
}
