/** One more worker when all are busier than this; one less when the rest would still be under half of it for a minute. */
const BUSY = 0.6
const QUIET_MS = 60_000

export interface WorkerLimits {
  readonly min: number
  readonly max: number
}

/**
 * How many workers there should be.
 *
 * @example const count = new WorkerCount({ min: 1, max: 4 }, 0); count.next({ count: 1, mean: 0.9 }, 1000) // 2
 */
export class WorkerCount {
  readonly #limits: WorkerLimits
  #wanted: number
  #quietSince: number

  constructor(limits: WorkerLimits, now: number) {
    this.#limits = limits
    this.#wanted = limits.min
    this.#quietSince = now
  }

  get wanted(): number {
    return this.#wanted
  }

  /** `count` workers take connections and are busy for the share `mean` of their time, 0…1. */
  next({ count, mean }: { readonly count: number; readonly mean: number }, now: number): number {
    const quiet = this.#wanted > this.#limits.min && (mean * count) / (this.#wanted - 1) < BUSY / 2
    if (!quiet) this.#quietSince = now
    // While the last one asked for is still starting, the load says nothing of what it will take over.
    if (mean > BUSY && count === this.#wanted && this.#wanted < this.#limits.max) this.#wanted++
    else if (quiet && now - this.#quietSince > QUIET_MS) {
      this.#wanted--
      this.#quietSince = now
    }
    return this.#wanted
  }
}
