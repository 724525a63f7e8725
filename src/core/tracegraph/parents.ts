import { answers, asks, type Scratch } from './scratch.ts'
import type { SpanColumns } from './spans.ts'

/**
 * Finds every span's parent: its position, or −1 for a root or where the parent is not there.
 *
 * | span | its parent is |
 * |---|---|
 * | server or consumer that shares its id with a client (Zipkin) | that client |
 * | any other | the span with the parent's id; of a client and a server that share it, the server |
 *
 * Ids are compared, never only their hashes; `seed` keeps senders from choosing ids that all fall into one slot.
 * Cycles are cut at their earliest span.
 */
export function resolveParents(s: Scratch, spans: SpanColumns, rows: Int32Array, count: number, seed: number): void {
  fillTable(s, spans, rows, count, seed)
  for (let p = 0; p < count; p++) {
    s.parents[p] = s.repeated[p] === 1 ? -1 : parentOf(s, spans, rows, p, seed)
  }
  cutCycles(s, count)
}

function parentOf(s: Scratch, spans: SpanColumns, rows: Int32Array, p: number, seed: number): number {
  const row = rows[p] as number
  if (answers(s.kind[p] as number)) {
    const client = find(s, spans, rows, spans.id[2 * row] as number, spans.id[2 * row + 1] as number, 1, seed)
    if (client >= 0) return client
  }
  const high = spans.parent[2 * row] as number
  const low = spans.parent[2 * row + 1] as number
  if ((high | low) === 0) return -1
  const found = find(s, spans, rows, high, low, 0, seed)
  const parent = found >= 0 ? found : find(s, spans, rows, high, low, 1, seed)
  return parent === p ? -1 : parent
}

function fillTable(s: Scratch, spans: SpanColumns, rows: Int32Array, count: number, seed: number): void {
  const mask = maskFor(count)
  s.slots.fill(-1, 0, mask + 1)
  for (let p = 0; p < count; p++) {
    s.repeated[p] = 0
    const row = rows[p] as number
    const high = spans.id[2 * row] as number
    const low = spans.id[2 * row + 1] as number
    if ((high | low) === 0) continue
    const side = asks(s.kind[p] as number) ? 1 : 0
    let slot = hash(high, low, side, seed) & mask
    for (;;) {
      const other = s.slots[slot] as number
      if (other < 0) {
        s.slots[slot] = p
        break
      }
      if (isSpan(s, spans, rows, other, high, low, side)) {
        if (sameSpan(s, spans, rows, other, p)) s.repeated[p] = 1
        break
      }
      slot = (slot + 1) & mask
    }
  }
  s.work[0] = mask
}

function find(s: Scratch, spans: SpanColumns, rows: Int32Array, high: number, low: number, side: number, seed: number): number {
  const mask = s.work[0] as number
  let slot = hash(high, low, side, seed) & mask
  for (;;) {
    const p = s.slots[slot] as number
    if (p < 0 || isSpan(s, spans, rows, p, high, low, side)) return p
    slot = (slot + 1) & mask
  }
}

function isSpan(s: Scratch, spans: SpanColumns, rows: Int32Array, p: number, high: number, low: number, side: number): boolean {
  const row = rows[p] as number
  return spans.id[2 * row] === high && spans.id[2 * row + 1] === low && (asks(s.kind[p] as number) ? 1 : 0) === side
}

/** Delivered twice, as senders do that had no answer to the first attempt. */
function sameSpan(s: Scratch, spans: SpanColumns, rows: Int32Array, a: number, b: number): boolean {
  return s.service[a] === s.service[b] && s.kind[a] === s.kind[b] && spans.startUs[rows[a] as number] === spans.startUs[rows[b] as number]
}

function maskFor(count: number): number {
  let size = 16
  while (size < count * 2) size *= 2
  return size - 1
}

function hash(high: number, low: number, side: number, seed: number): number {
  let h = Math.imul(high ^ seed, 0x9e3779b1)
  h = Math.imul((h ^ (h >>> 16)) + low + side, 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13) ^ seed, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Each span is walked over once: a walk upwards ends at a root, at an earlier walk, or at itself. */
function cutCycles(s: Scratch, count: number): void {
  const walk = s.work
  walk.fill(0, 0, count)
  for (let from = 0; from < count; from++) {
    let p = from
    while (p >= 0 && walk[p] === 0) {
      walk[p] = from + 1
      p = s.parents[p] as number
    }
    if (p >= 0 && walk[p] === from + 1) s.parents[earliestOnCycle(s, p)] = -1
  }
}

function earliestOnCycle(s: Scratch, on: number): number {
  let earliest = on
  for (let p = s.parents[on] as number; p !== on; p = s.parents[p] as number) {
    const later = (s.startUs[p] as number) - (s.startUs[earliest] as number)
    if (later < 0 || (later === 0 && p < earliest)) earliest = p
  }
  return earliest
}
