import type { Scratch } from './scratch.ts'

/** Lists each span's children and an order in which every parent comes before its children. Returns the length of that order: repeated spans are not in it. */
export function orderByDepth(s: Scratch, count: number): number {
  groupBy(s, s.parents, count)
  let length = 0
  for (let p = 0; p < count; p++) {
    if ((s.parents[p] as number) < 0 && s.repeated[p] === 0) s.order[length++] = p
  }
  for (let done = 0; done < length; done++) {
    const p = s.order[done] as number
    const until = s.firstChild[p + 1] as number
    for (let at = s.firstChild[p] as number; at < until; at++) s.order[length++] = s.children[at] as number
  }
  return length
}

/** Up to here moving elements one by one is the fastest. */
const FEW = 12

/** Sorts a span's children as they returned, the last one first; of two that returned together the longer one first. */
export function sortByReturn(s: Scratch, from: number, to: number): void {
  if (to - from > FEW) {
    heapSort(s, from, to)
    return
  }
  for (let i = from + 1; i < to; i++) {
    const moving = s.children[i] as number
    let j = i - 1
    while (j >= from && before(s, moving, s.children[j] as number)) {
      s.children[j + 1] = s.children[j] as number
      j--
    }
    s.children[j + 1] = moving
  }
}

function before(s: Scratch, a: number, b: number): boolean {
  const byEnd = (s.seenEndUs[b] as number) - (s.seenEndUs[a] as number)
  if (byEnd !== 0) return byEnd < 0
  const byStart = (s.seenStartUs[a] as number) - (s.seenStartUs[b] as number)
  return byStart === 0 ? a < b : byStart < 0
}

/** In place and never worse than n log n, whatever the children look like. */
function heapSort(s: Scratch, from: number, to: number): void {
  const length = to - from
  for (let i = (length >> 1) - 1; i >= 0; i--) sink(s, from, i, length)
  for (let last = length - 1; last > 0; last--) {
    const first = s.children[from] as number
    s.children[from] = s.children[from + last] as number
    s.children[from + last] = first
    sink(s, from, 0, last)
  }
}

function sink(s: Scratch, from: number, top: number, length: number): void {
  const sinking = s.children[from + top] as number
  let hole = top
  for (;;) {
    let next = 2 * hole + 1
    if (next >= length) break
    if (next + 1 < length && before(s, s.children[from + next] as number, s.children[from + next + 1] as number)) next++
    if (!before(s, sinking, s.children[from + next] as number)) break
    s.children[from + hole] = s.children[from + next] as number
    hole = next
  }
  s.children[from + hole] = sinking
}

/** Lists for each position what it owns: `children[firstChild[p] … firstChild[p + 1]]`. */
export function groupBy(s: Scratch, owner: Int32Array, count: number): void {
  s.firstChild.fill(0, 0, count + 1)
  for (let p = 0; p < count; p++) {
    const its = owner[p] as number
    if (its >= 0) s.firstChild[its + 1] = (s.firstChild[its + 1] as number) + 1
  }
  for (let p = 0; p < count; p++) {
    s.firstChild[p + 1] = (s.firstChild[p + 1] as number) + (s.firstChild[p] as number)
    s.work[p] = s.firstChild[p] as number
  }
  for (let p = 0; p < count; p++) {
    const its = owner[p] as number
    if (its < 0) continue
    const at = s.work[its] as number
    s.children[at] = p
    s.work[its] = at + 1
  }
}
