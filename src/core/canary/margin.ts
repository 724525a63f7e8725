/** How much worse the canary is, as far as was seen: nobody is rolled back for a difference that is certain and too small to matter. */
import { QUANTILES, type Side } from './evidence.ts'
import { REQUESTS, SLOW, type Tally, TIMED } from './tally.ts'

/** Milliseconds that a request is slower by must be at least so many. */
export const LEAST_SLOWER_MS = 5
/** Where milliseconds are not known: so many times as many slow requests. */
const MORE_SLOW_REQUESTS = 1.25

type Count = (side: Side, place: number) => number

/** Whether the canary's share of `events` among `trials` is above the stable one by the margin, since the beginning or lately. */
export function isAbove(tally: Tally, events: number, margin: number, trials: readonly number[] = [REQUESTS]): boolean {
  const rate = (count: Count, side: Side) => {
    const all = trials.reduce((sum, place) => sum + count(side, place), 0)
    return all === 0 ? 0 : count(side, events) / all
  }
  return views(tally).some((count) => rate(count, 'canary') - rate(count, 'stable') >= margin)
}

/** Whether a request at this quantile takes longer by the margin and by milliseconds that matter. */
export function isSlower(
  routes: readonly { readonly tally: Tally; readonly thresholds: readonly number[] | null }[],
  quantile: number,
  margin: number,
): boolean {
  return [0, 1].some((view) => {
    let weight = 0
    let logRatio = 0
    let slowerMs = 0
    for (const { tally, thresholds } of routes) {
      const count = views(tally)[view] as Count
      const timed = count('canary', TIMED)
      if (timed === 0 || count('stable', TIMED) === 0) continue
      const at = thresholds === null ? null : stableLatency(count, thresholds, quantile)
      const more = smoothed(count, 'canary', quantile) / smoothed(count, 'stable', quantile)
      const ratio = at === null || thresholds === null ? (more >= MORE_SLOW_REQUESTS ? 1 + margin : 1) : (thresholds[quantile] as number) / at
      weight += timed
      logRatio += timed * Math.log(ratio)
      slowerMs += timed * (at === null || thresholds === null ? (ratio > 1 ? LEAST_SLOWER_MS : 0) : (thresholds[quantile] as number) - at)
    }
    return weight > 0 && Math.exp(logRatio / weight) >= 1 + margin - 1e-9 && slowerMs / weight >= LEAST_SLOWER_MS - 1e-9
  })
}

/**
 * Latency that as many stable requests exceed as canary requests exceed the threshold: what was so slow before it became the threshold.
 * Between two thresholds, and a little below the first, log latency is a straight line over the log odds of being slower.
 */
function stableLatency(count: Count, thresholds: readonly number[], quantile: number): number {
  const stable = (i: number) => logit(smoothed(count, 'stable', i))
  const wanted = logit(smoothed(count, 'canary', quantile))
  if (wanted <= stable(quantile)) return thresholds[quantile] as number
  let i = Math.max(1, quantile)
  while (i > 1 && stable(i - 1) < wanted) i--
  const [low, high] = [stable(i - 1), stable(i)]
  return between(thresholds, i, low > high ? (wanted - high) / (low - high) : 1)
}

/** From the i-th threshold (0) to the one before it (1), and further. */
function between(thresholds: readonly number[], i: number, part: number): number {
  const [low, high] = [Math.log(thresholds[i - 1] as number), Math.log(thresholds[i] as number)]
  return Math.exp(high + part * (low - high))
}

function smoothed(count: Count, side: Side, quantile: number): number {
  return (count(side, SLOW + quantile) + 0.5) / (count(side, TIMED) + 1)
}

function logit(p: number): number {
  const inside = Math.min(0.999, Math.max(1e-6, p))
  return Math.log(inside / (1 - inside))
}

function views(tally: Tally): readonly Count[] {
  return [(side, place) => tally.count(side, place), (side, place) => tally.lately(side, place)]
}

/** As a person says it: the quantiles are what is compared. */
export function quantileName(quantile: number): string {
  return `q${Math.round((QUANTILES[quantile] ?? 0) * 100)}`
}
