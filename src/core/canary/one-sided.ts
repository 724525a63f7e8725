import { logBeta, logBetaIncUpper } from './special.ts'

/**
 * Evidence that events fall to one side more often than a share of `limit`, whatever the share really is: the mixture of all greater shares
 * with a uniform prior, in closed form. Valid for every share up to the limit, at every look.
 * ```ts
 * logOneSided(4, 4, 0.1) // 4 of 4 where one in ten was expected: log 20,000
 * ```
 */
export function logOneSided(events: number, all: number, limit: number): number {
  if (!(limit > 0 && limit < 1) || all === 0) return 0
  const [a, b] = [1 + events, 1 + all - events]
  return logBeta(a, b) + logBetaIncUpper(a, b, limit) - Math.log1p(-limit) - events * Math.log(limit) - (all - events) * Math.log1p(-limit)
}

/** The same where events on one side only are what is looked for: half of the bet is on that. */
export function logMostlyOne(events: number, all: number, limit: number): number {
  if (!(limit > 0 && limit < 1) || all === 0) return 0
  const mixed = logOneSided(events, all, limit) + Math.log(0.5)
  if (events < all) return mixed
  const only = -events * Math.log(limit) + Math.log(0.5)
  const [low, high] = mixed < only ? [mixed, only] : [only, mixed]
  return high + Math.log1p(Math.exp(low - high))
}
