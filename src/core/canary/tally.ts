/** What was counted of a service or route on both sides: since the beginning, and lately. */
import { type EvidenceRow, QUANTILES, type Side } from './evidence.ts'

/** Places in a side's counts. */
export const REQUESTS = 0
export const ERRORS = 1
export const REJECTED = 2
export const TIMED = 3
export const ABANDONED = 4
export const SLOW = 5
const WIDTH = SLOW + QUANTILES.length
/** Lately: between one and two of these. */
const PERIOD_MS = 30_000

export class Tally {
  readonly #total = new Float64Array(2 * WIDTH)
  readonly #stage = new Float64Array(2 * WIDTH)
  readonly #recent = new Float64Array(2 * WIDTH)
  readonly #before = new Float64Array(2 * WIDTH)
  /** Of events on both sides, how many would be the canary's by its share of the trials; of stages that have ended. */
  readonly #expected = new Float64Array(WIDTH)
  #period = Number.NEGATIVE_INFINITY

  add(row: EvidenceRow, toMs: number): void {
    const period = Math.floor(toMs / PERIOD_MS)
    if (period > this.#period) {
      if (period === this.#period + 1) this.#before.set(this.#recent)
      else this.#before.fill(0)
      this.#recent.fill(0)
      this.#period = period
    }
    const base = row.side === 'canary' ? 0 : WIDTH
    for (const counts of [this.#total, this.#stage, this.#recent]) {
      bump(counts, base + REQUESTS, row.requests)
      bump(counts, base + ERRORS, row.errors)
      bump(counts, base + REJECTED, row.rejected4xx)
      bump(counts, base + TIMED, row.timed)
      bump(counts, base + ABANDONED, row.abandoned ?? 0)
      for (let j = 0; j < row.slow.length; j++) bump(counts, base + SLOW + j, row.slow[j] as number)
    }
  }

  nextStage(): void {
    for (let place = 0; place < WIDTH; place++) this.#expected[place] = this.expected(place)
    this.#stage.fill(0)
  }

  count(side: Side, place: number): number {
    return this.#total[at(side, place)] as number
  }

  inStage(side: Side, place: number): number {
    return this.#stage[at(side, place)] as number
  }

  lately(side: Side, place: number): number {
    return (this.#recent[at(side, place)] as number) + (this.#before[at(side, place)] as number)
  }

  expected(place: number): number {
    const trials = place >= SLOW ? TIMED : REQUESTS
    const extra = place === ABANDONED ? ABANDONED : null
    const of = (side: Side) => this.inStage(side, trials) + (extra === null ? 0 : this.inStage(side, extra))
    const all = of('canary') + of('stable')
    const events = this.inStage('canary', place) + this.inStage('stable', place)
    return (this.#expected[place] as number) + (all === 0 ? 0 : (events * of('canary')) / all)
  }
}

function bump(counts: Float64Array, at: number, by: number): void {
  counts[at] = (counts[at] as number) + by
}

function at(side: Side, place: number): number {
  return (side === 'canary' ? 0 : WIDTH) + place
}
