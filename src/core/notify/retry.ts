const FIRST_MS = 1_000
const GROWTH = 4
const LONGEST_MS = 3_600_000
/** Older than this and still not taken: nobody waits for it any more. */
export const GIVE_UP_AFTER_MS = 86_400_000

/**
 * How long to wait after a try that failed: 1 s, 4 s, 16 s, … an hour, each less up to a half, so that what failed together does not come
 * back together. `asked`: what the receiver wants, kept to up to an hour. `chance` in [0, 1).
 *
 * @example retryInMs(1, 0, null) // 1000
 * @example retryInMs(3, 0.5, null) // 12_000
 */
export function retryInMs(failures: number, chance: number, asked: number | null): number {
  const growing = Math.min(FIRST_MS * GROWTH ** Math.min(failures - 1, 10), LONGEST_MS) * (1 - chance / 2)
  return Math.round(Math.max(growing, Math.min(asked ?? 0, LONGEST_MS)))
}
