export interface Candidate {
  readonly inflight: number
  /** On the worker's monotonic clock; 0 when healthy. */
  readonly ejectedUntil: number
}

/**
 * Power of two choices: of two drawn at random the one with fewer requests in flight. Nearly as even as asking all
 * (Mitzenmacher 2001), and no herd runs to the one that looks idle. Ejected targets are passed over unless all are:
 * then a bad chance is better than none.
 *
 * @returns null only when `targets` minus `tried` is empty.
 */
export function chooseTarget<T extends Candidate>(targets: readonly T[], tried: readonly T[], now: number, random: () => number): T | null {
  let open = targets
  if (tried.length > 0 || targets.some((it) => it.ejectedUntil > now)) {
    const untried = targets.filter((it) => !tried.includes(it))
    const healthy = untried.filter((it) => it.ejectedUntil <= now)
    open = healthy.length > 0 ? healthy : untried
  }
  const count = open.length
  if (count === 0) return null
  if (count === 1) return open[0] as T
  const first = Math.floor(random() * count)
  const second = (first + 1 + Math.floor(random() * (count - 1))) % count
  const [a, b] = [open[first] as T, open[second] as T]
  return b.inflight < a.inflight ? b : a
}

export interface Health {
  failures: number
  ejections: number
  ejectedUntil: number
}

/** Failures in a row that take a target out; a refused connection needs no second opinion. */
const FAILURES_TO_EJECT = 5
const FIRST_EJECTION_MS = 500
const LONGEST_EJECTION_MS = 30_000

/** Passive health: a target that fails five times in a row, or refuses, is left out for 0.5 s, then twice as long each time. */
export function recordFailure(health: Health, refused: boolean, now: number): void {
  health.failures++
  if (!refused && health.failures < FAILURES_TO_EJECT) return
  health.failures = 0
  health.ejectedUntil = now + Math.min(LONGEST_EJECTION_MS, FIRST_EJECTION_MS * 2 ** Math.min(health.ejections, 16))
  health.ejections++
}

export function recordSuccess(health: Health): void {
  health.failures = 0
  health.ejections = 0
  health.ejectedUntil = 0
}
