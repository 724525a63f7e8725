/** What the tests look for. Odds ratios are of one event: an error, or a request slower than a threshold. */
import type { Grid } from './e-process.ts'

/**
 * Split by request, any ratio above 1 is a fault, by theorem; a fourth is put up with all the same, since machines are never quite alike.
 * The first grid finds regressions, the second outages: those from single batches, which may then be small.
 */
const ERROR_MARGIN = 1.25
export const ERRORS: Grid = grid(ERROR_MARGIN, [1.5, 2.2, 3.5, 6, 12, 30], [1, 1, 1, 1, 1, 1])
export const OUTAGE: Grid = grid(ERROR_MARGIN, [60, 3000], [1, 2])

/** Of a request slower than a quantile of the stable side: less is put up with, for a tenth slower is about 1.3 times as many. */
const SLOW_MARGIN = 1.1
export const SLOW: Grid = grid(SLOW_MARGIN, [1.2, 1.5, 2.1, 3.5, 8, 25], [1, 1.5, 1.5, 1, 1, 1])

/** Whether it is fewer: what a pass must make certain. `limit` is the odds ratio that is excluded. */
export function exclusion(limit: number): Grid {
  return { reference: limit, odds: [1, 0.8, 0.6], weights: [0.7, 0.2, 0.1] }
}

function grid(reference: number, multiples: readonly number[], weights: readonly number[]): Grid {
  const whole = weights.reduce((sum, it) => sum + it, 0)
  return { reference, odds: multiples.map((it) => it * reference), weights: weights.map((it) => it / whole) }
}
