import type { Clock, Random } from '../core/model/world.ts'

const FIRST_RETRY_MS = 100
const MOST_RETRY_MS = 30_000

export interface LoopOptions {
  readonly clock: Clock
  readonly random: Random
  /** How many keys may be worked on side by side. */
  readonly concurrency: number
  /** Looks at the key and does what is needed; says in how many ms to look again though nothing changes (null: never). `failures`: in a row so far. */
  readonly reconcile: (key: string, failures: number) => Promise<number | null>
  /** Called for every failure; the loop itself only waits and tries again. */
  readonly failed: (key: string, error: unknown, retryInMs: number) => void
}

/**
 * A loop that knows nothing. A key says *which*, never *what happened*: a lost event costs a delay, not a wrong state. One key is never
 * worked on twice at once; asked for again meanwhile, it runs again afterwards. A failure waits: 0.1 s, doubling to 30 s, with full jitter
 * in its upper half (so that a herd spreads out).
 *
 * @example loop.enqueue('env:e12')
 */
export class Loop {
  readonly #options: LoopOptions
  readonly #waiting = new Set<string>()
  readonly #running = new Map<string, { again: boolean }>()
  readonly #failures = new Map<string, number>()
  readonly #timers = new Map<string, () => void>()
  #stopped = false
  #idle: (() => void)[] = []

  constructor(options: LoopOptions) {
    this.#options = options
  }

  enqueue(key: string): void {
    if (this.#stopped) return
    const running = this.#running.get(key)
    if (running) running.again = true
    else this.#waiting.add(key)
    this.#next()
  }

  /** Looks at the key soon unless it is going to be looked at anyway: whoever names all keys at once makes no crowd of them. */
  attend(key: string): void {
    if (!this.#timers.has(key) && !this.#running.has(key)) this.enqueue(key)
  }

  /** Takes no more keys and waits for the passes under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#waiting.clear()
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #next(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#options.concurrency) return
      this.#waiting.delete(key)
      void this.#run(key)
    }
  }

  async #run(key: string): Promise<void> {
    const run = { again: false }
    this.#running.set(key, run)
    this.#timers.get(key)?.()
    this.#timers.delete(key)
    try {
      const wakeInMs = await this.#options.reconcile(key, this.#failures.get(key) ?? 0)
      this.#failures.delete(key)
      if (wakeInMs !== null) this.#wake(key, wakeInMs)
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1
      this.#failures.set(key, failures)
      const full = Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1))
      const retryInMs = full / 2 + (this.#options.random.next() * full) / 2
      this.#options.failed(key, error, retryInMs)
      this.#wake(key, retryInMs)
    }
    this.#running.delete(key)
    if (run.again && !this.#stopped) this.#waiting.add(key)
    if (this.#stopped && this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
    this.#next()
  }

  #wake(key: string, inMs: number): void {
    if (this.#stopped) return
    this.#timers.set(
      key,
      this.#options.clock.after(inMs, () => {
        this.#timers.delete(key)
        this.enqueue(key)
      }),
    )
  }
}
