/** Something that must not wait for ever. */
export interface Expiring {
  onDeadline(): void
}

/** One coarse timer for all waiting requests: setting and moving a deadline costs a map entry, not a timer. */
export class Deadlines {
  readonly #due = new Map<Expiring, number>()
  readonly #tickMs: number
  #timer: NodeJS.Timeout | null = null

  constructor(tickMs: number) {
    this.#tickMs = tickMs
  }

  set(it: Expiring, inMs: number): void {
    this.#due.set(it, performance.now() + inMs)
    this.#timer ??= setInterval(() => this.#expire(), this.#tickMs).unref()
  }

  clear(it: Expiring): void {
    this.#due.delete(it)
  }

  #expire(): void {
    const now = performance.now()
    for (const [it, at] of this.#due) {
      if (at > now) continue
      this.#due.delete(it)
      it.onDeadline()
    }
    if (this.#due.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}
