const MOST_DRIFT_MS = 5

/** Wall time with the steps of the monotonic clock, so that no span ends before it began. */
export class Clock {
  #originMs = performance.timeOrigin

  /** Milliseconds since 1970, with a fraction. */
  now(): number {
    return this.#originMs + performance.now()
  }

  /** After a sleep of the machine or a step of its clock, times are those of the wall again. */
  align(): void {
    const driftMs = Date.now() - this.now()
    if (Math.abs(driftMs) > MOST_DRIFT_MS) this.#originMs += driftMs
  }
}
