import type { Clock, Random } from '../../src/core/model/world.ts'

interface Due {
  readonly at: number
  readonly order: number
  readonly call: () => void
}

/**
 * Time that only moves when everybody waits for it. Whatever is due first runs first; what is due at the same moment runs in the order
 * it was asked for. Between two moments all promises settle, so that a run depends on nothing but its seed.
 */
export class SimulatedClock implements Clock {
  #now = 0
  #wallOffset = 1_790_000_000_000
  #order = 0
  readonly #due: Due[] = []

  monotonic(): number {
    return this.#now
  }

  wall(): number {
    return this.#now + this.#wallOffset
  }

  /** Somebody sets the machine's clock. */
  jumpWall(ms: number): void {
    this.#wallOffset += ms
  }

  after(ms: number, call: () => void): () => void {
    const entry = { at: this.#now + Math.max(0, ms), order: this.#order++, call }
    this.#due.push(entry)
    return () => {
      const index = this.#due.indexOf(entry)
      if (index !== -1) this.#due.splice(index, 1)
    }
  }

  /** Lets `ms` pass, or less when nothing is due any more. Returns false when `until` said stop. */
  async run(ms: number, until: () => boolean = () => false): Promise<boolean> {
    const end = this.#now + ms
    for (;;) {
      await settle()
      if (until()) return false
      const next = this.#due.reduce<Due | null>(
        (first, it) => (!first || it.at < first.at || (it.at === first.at && it.order < first.order) ? it : first),
        null,
      )
      if (!next || next.at > end) break
      this.#due.splice(this.#due.indexOf(next), 1)
      this.#now = Math.max(this.#now, next.at)
      next.call()
    }
    this.#now = end
    return true
  }
}

/** All promise reactions that are ready have run: a turn of the event loop comes after the last of them. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** mulberry32 (Tommy Ettinger): 32 bits of state, enough to choose faults; the same seed gives the same run. */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  hex(bytes: number): string {
    return Array.from({ length: bytes }, () =>
      Math.floor(this.next() * 256)
        .toString(16)
        .padStart(2, '0'),
    ).join('')
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }
}
