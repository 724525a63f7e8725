/**
 * Milliseconds since 1970 that go on evenly and never back, whatever is done to the clock: when that is put back, time runs on from where it
 * was until the clock has caught up; when it is put forward, or the machine had slept, time follows.
 *
 * @example
 * const now = steadyNow(Date.now, () => performance.now())
 * now() // about Date.now()
 */
export function steadyNow(clock: () => number, monotonic: () => number): () => number {
  let ahead = Number.NEGATIVE_INFINITY
  return () => {
    const ran = monotonic()
    ahead = Math.max(ahead, clock() - ran)
    return ahead + ran
  }
}
