import { enters, type Scratch } from './scratch.ts'
import { KIND, type SpanColumns } from './spans.ts'

/** Clocks that count milliseconds make a child seem to begin or end up to this much outside of its parent. */
const ROUNDING_US = 1000
/** … and what is a hundredth of the parent is measuring, not waiting. */
const TOLERANCE = 0.01

/**
 * Puts every child where its parent can have seen it, parents first.
 *
 * | child | its times | waited for |
 * |---|---|---|
 * | by the same clock, within the parent | kept | yes |
 * | by the same clock, ends after the parent | kept | no: the parent did not wait |
 * | by the same clock, wholly outside of the parent | kept | no |
 * | by another clock, fits into the parent | kept | yes |
 * | by another clock, does not fit | its clock is moved: centred in the parent, half of the slack before and half after | yes |
 * | by another clock, longer than the parent (the caller gave up) | its clock is moved: begins with the parent | yes, as long as the parent lasted |
 * | producer, consumer | kept | no |
 *
 * So across hosts only durations count, never a difference of two clocks.
 */
export function align(s: Scratch, spans: SpanColumns, rows: Int32Array, length: number): void {
  for (let at = 0; at < length; at++) {
    const p = s.order[at] as number
    const parent = s.parents[p] as number
    if (parent < 0) {
      s.shiftUs[p] = 0
      s.waited[p] = 0
      s.segment[p] = p
      s.visit[p] = p
      continue
    }
    s.segment[p] = s.kind[p] === KIND.consumer ? p : (s.segment[parent] as number)
    s.visit[p] = enters(s, p, parent) ? p : (s.visit[parent] as number)
    const ownClock = hasOwnClock(s, spans, rows, p, parent)
    const detached = s.kind[p] === KIND.consumer || s.kind[p] === KIND.producer || (s.kind[parent] === KIND.producer && ownClock)
    s.shiftUs[p] = ownClock ? (detached ? 0 : moveInto(s, p, parent)) : (s.shiftUs[parent] as number)
    s.startUs[p] = (s.startUs[p] as number) + (s.shiftUs[p] as number)
    s.endUs[p] = (s.endUs[p] as number) + (s.shiftUs[p] as number)
    see(s, p, parent, ownClock, detached)
  }
}

function hasOwnClock(s: Scratch, spans: SpanColumns, rows: Int32Array, p: number, parent: number): boolean {
  if (enters(s, p, parent)) return true
  return spans.instance[rows[p] as number] !== spans.instance[rows[parent] as number]
}

function moveInto(s: Scratch, p: number, parent: number): number {
  const start = s.startUs[p] as number
  const end = s.endUs[p] as number
  const from = s.startUs[parent] as number
  const to = s.endUs[parent] as number
  if (start >= from && end <= to) return 0
  const slack = to - from - (end - start)
  return from + (slack > 0 ? slack / 2 : 0) - start
}

function see(s: Scratch, p: number, parent: number, ownClock: boolean, detached: boolean): void {
  const start = s.startUs[p] as number
  const end = s.endUs[p] as number
  const from = s.startUs[parent] as number
  const to = s.endUs[parent] as number
  const outlives = !ownClock && end > to + Math.max(ROUNDING_US, TOLERANCE * (to - from))
  const outside = end < from || start > to
  s.waited[p] = detached || outlives || outside ? 0 : 1
  s.seenStartUs[p] = start > from ? start : from
  s.seenEndUs[p] = end < to ? end : to
}
