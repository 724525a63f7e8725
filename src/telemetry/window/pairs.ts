import { randomInt } from 'node:crypto'
import { KIND } from '../../core/tracegraph/spans.ts'
import type { SpanRing } from './span-ring.ts'

const NONE = -1
/** So many spans with an equal key are looked at, newest first: a fan-out of 100,000 consumers must not cost their square. */
const MAX_WALK = 32

export const asks = (kind: number) => kind === KIND.client || kind === KIND.producer
export const answers = (kind: number) => kind === KIND.server || kind === KIND.consumer

/** `pairNext` of a row that is in no list. */
const APART = -2

/** What a new span met: the same span, delivered twice; or the other end of a call. */
export const MET = { nothing: -1, itself: -2 } as const

/**
 * Finds the two ends of a call as they arrive, whichever comes first. Both have the same key: a client its own id, a server that of its
 * parent. Rows with equal keys are in one list, in both directions so that a row leaves it at once.
 */
export class Pairs {
  readonly #spans: SpanRing
  readonly #heads: Int32Array
  readonly #seed = randomInt(2 ** 31)

  constructor(spans: SpanRing) {
    this.#spans = spans
    this.#heads = new Int32Array(2 ** (Math.ceil(Math.log2(spans.size)) + 1)).fill(NONE)
  }

  /**
   * Takes the row in; returns the row of its other end, or a value of `MET`. A span that was there before is not taken in again. Internal
   * spans have no other end; one of those that comes twice is left to the analysis.
   */
  add(row: number): number {
    const { slot, kind, id, pairNext, pairPrevious } = this.#spans
    if (!asks(kind[row] as number) && !answers(kind[row] as number)) {
      pairNext[row] = APART
      return MET.nothing
    }
    const key = this.#keyOf(row)
    const bucket = this.#bucket(key, row)
    const head = this.#heads[bucket] as number
    let met: number = MET.nothing
    let other = head
    for (let walked = 0; other !== NONE && walked < MAX_WALK; walked++, other = pairNext[other] as number) {
      if (slot[other] !== slot[row]) continue
      if (kind[other] === kind[row] && id[2 * other] === id[2 * row] && id[2 * other + 1] === id[2 * row + 1]) return MET.itself
      if (met === MET.nothing && this.#fits(row, other)) met = other
    }
    pairNext[row] = head
    pairPrevious[row] = ~bucket
    if (head !== NONE) pairPrevious[head] = row
    this.#heads[bucket] = row
    return met
  }

  remove(row: number): void {
    const { pairNext, pairPrevious } = this.#spans
    const next = pairNext[row] as number
    if (next === APART) return
    const previous = pairPrevious[row] as number
    if (next !== NONE) pairPrevious[next] = previous
    if (previous < 0) this.#heads[~previous] = next
    else pairNext[previous] = next
  }

  #fits(a: number, b: number): boolean {
    const { kind, id, parent } = this.#spans
    const caller = asks(kind[a] as number) ? a : b
    const callee = caller === a ? b : a
    return (
      asks(kind[caller] as number) && answers(kind[callee] as number) && parent[2 * callee] === id[2 * caller] && parent[2 * callee + 1] === id[2 * caller + 1]
    )
  }

  /** Low word of the key. */
  #keyOf(row: number): number {
    const { kind, id, parent } = this.#spans
    const isChild = ((parent[2 * row] as number) | (parent[2 * row + 1] as number)) !== 0
    const of = isChild && answers(kind[row] as number) ? parent : id
    return (of[2 * row + 1] as number) ^ Math.imul(of[2 * row] as number, 0x9e3779b1)
  }

  #bucket(key: number, row: number): number {
    let mixed = Math.imul(key ^ this.#seed, 0x85ebca6b)
    mixed = Math.imul((mixed ^ (mixed >>> 15)) + (this.#spans.slot[row] as number), 0xc2b2ae35)
    return ((mixed ^ (mixed >>> 16)) >>> 0) & (this.#heads.length - 1)
  }
}
