import { uncovered } from './exclusive-time.ts'
import { groupBy, sortByReturn } from './order.ts'
import { asks, type Scratch } from './scratch.ts'
import { KIND } from './spans.ts'

/**
 * Own time of a visit: its time less that in which it waited for somebody else. Unlike the sum of exclusive times it counts nothing twice where
 * spans of a visit run side by side, such as one for "handle the request" beside the one for the call that this consists of.
 *
 * A client that is a visit of its own does nothing but wait. Comes last: the lists of children are used again, for the calls of each visit.
 */
export function ownTimes(s: Scratch, count: number, length: number): void {
  for (let at = 0; at < length; at++) {
    const p = s.order[at] as number
    const parent = s.parents[p] as number
    s.attached[p] = s.visit[p] === p || (s.waited[p] === 1 && s.attached[parent] === 1) ? 1 : 0
    s.waitsIn[p] = waitsIn(s, p, parent)
    if ((s.waitsIn[p] as number) >= 0) seeFrom(s, p, s.waitsIn[p] as number)
  }
  groupBy(s, s.waitsIn, count)
  for (let at = 0; at < length; at++) {
    const p = s.order[at] as number
    if (s.visit[p] === p && s.kind[p] !== KIND.client) {
      sortByReturn(s, s.firstChild[p] as number, s.firstChild[p + 1] as number)
      s.ownUs[p] = uncovered(s, p)
    } else {
      s.ownUs[p] = 0
    }
  }
}

/** The visit that waited for another service while this span lasted; −1: none did. */
function waitsIn(s: Scratch, p: number, parent: number): number {
  if (s.visit[p] !== p) return s.kind[p] === KIND.client && s.attached[p] === 1 ? (s.visit[p] as number) : -1
  if (parent >= 0) return s.waited[p] === 1 && !asks(s.kind[parent] as number) && s.attached[parent] === 1 ? (s.visit[parent] as number) : -1
  return -1
}

function seeFrom(s: Scratch, p: number, visit: number): void {
  s.seenStartUs[p] = Math.max(s.startUs[p] as number, s.startUs[visit] as number)
  s.seenEndUs[p] = Math.min(s.endUs[p] as number, s.endUs[visit] as number)
}
