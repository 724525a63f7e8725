/** Bits of the threshold: as fine as traces a second need it, and short on the wire. */
const STEPS = 65_536
const WINDOW_MS = 1000

/**
 * Head sampling by rate: all traces while they are few, and as many a second as are wanted when they are more. The choice is by the trace's id
 * (consistent probability sampling: its last seven bytes are random, and those at or above the threshold are kept), so that everybody along
 * the way comes to the same one; the threshold goes on in `tracestate`, so that what is counted can be weighted.
 */
export class TraceSampler {
  /** Hex digits as `tracestate` has them; null: all are kept. */
  threshold: string | null = null
  readonly #perSecond: number
  readonly #now: () => number
  /** Of the ids that are kept, by four of their digits. */
  #lowest = 0
  #since: number
  #seen = 0
  #kept = 0

  constructor(perSecond: number, now: () => number) {
    this.#perSecond = perSecond
    this.#now = now
    this.#since = now()
  }

  /** Whether the trace of this id is kept. Ids that were chosen outside to be kept are kept up to twice the rate. */
  keeps(trace: string): boolean {
    const now = this.#now()
    if (now - this.#since >= WINDOW_MS) this.#adjust(now)
    this.#seen++
    if (this.#lowest > 0 && Number.parseInt(trace.slice(18, 22), 16) < this.#lowest) return false
    return this.#kept++ < 2 * this.#perSecond
  }

  #adjust(now: number): void {
    const wanted = (this.#perSecond * (now - this.#since)) / 1000
    this.#lowest = this.#seen <= wanted ? 0 : Math.min(STEPS - 1, Math.round((1 - wanted / this.#seen) * STEPS))
    this.threshold = this.#lowest === 0 ? null : this.#lowest.toString(16).padStart(4, '0').replace(/0+$/, '')
    this.#since = now
    this.#seen = 0
    this.#kept = 0
  }
}
