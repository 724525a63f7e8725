import type { Metrics } from './metrics.ts'
import type { Rival } from './rival.ts'

interface Settings {
  readonly name: string
  readonly intervalS: number
  readonly windowS: number
  readonly threshold: number
  readonly minSuccess: number
  readonly isSlow: (metrics: Metrics, from: number) => boolean
}

/** A look before there are any would count against a canary that has just begun. */
const FIRST_VALUES_S = 10

/**
 * Flagger's scheduler: a check each interval; the first metric out of range, or without values, counts one failed check; they add up over the
 * whole run. The roll-back comes at the *start* of the tick that finds `threshold` of them. Ten good ones promote (its Kubernetes provider).
 */
function flagger({ name, intervalS, windowS, threshold, minSuccess, isSlow }: Settings): Rival {
  return {
    name,
    create(phase) {
      let [failed, passed, nextAt] = [0, 0, Math.max(FIRST_VALUES_S, Math.ceil(phase * intervalS))]
      return {
        get nextAt() {
          return nextAt
        },
        look(metrics) {
          nextAt += intervalS
          if (failed >= threshold) return 'fail'
          const from = metrics.now - windowS
          const rate = metrics.errorRate('canary', from)
          if (rate === null || 1 - rate < minSuccess || isSlow(metrics, from)) failed++
          else passed++
          return passed >= 10 ? 'pass' : null
        },
      }
    },
  }
}

/** Its built-in metrics: 99 % of answers no 5xx, 99 of 100 within 500 ms; interval a minute, threshold 1. */
export const FLAGGER = flagger({
  name: 'Flagger, as documented',
  intervalS: 60,
  windowS: 60,
  threshold: 1,
  minSuccess: 0.99,
  isSlow: (metrics, from) => (metrics.latency('canary', 0.99, from) ?? Number.POSITIVE_INFINITY) > 500,
})

/** By hand, as fast as it goes: a look each 5 s over 15 s, one bad one is enough; latency against the primary's by a query of one's own. */
export const FLAGGER_TUNED = flagger({ name: 'Flagger, tuned', intervalS: 5, windowS: 15, threshold: 1, minSuccess: 0.99, isSlow: isSlowerThanStable })

/** A hand-written query: the canary's p90 beyond the stable side's by a fifth. */
export function isSlowerThanStable(metrics: Metrics, from: number): boolean {
  const [canary, stable] = [metrics.latency('canary', 0.9, from), metrics.latency('stable', 0.9, from)]
  return canary !== null && stable !== null && canary > 1.2 * stable
}
