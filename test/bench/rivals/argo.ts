import { isSlowerThanStable } from './flagger.ts'
import type { Metrics } from './metrics.ts'
import type { Rival } from './rival.ts'

interface Settings {
  readonly name: string
  readonly intervalS: number
  readonly windowS: number
  readonly failureLimit: number
  readonly minSuccess: number
  readonly isSlow: (metrics: Metrics, from: number) => boolean
}

const ERROR_RETRY_S = 10
const CONSECUTIVE_ERRORS = 4

/**
 * Argo Rollouts' analysis: a measurement each interval, the first at once; more than `failureLimit` failed ones abort. An empty answer is an
 * error: tried again after 10 s, and more than four in a row abort. It ends with the rollout's steps, so it never passes by itself.
 */
function argo({ name, intervalS, windowS, failureLimit, minSuccess, isSlow }: Settings): Rival {
  return {
    name,
    create(phase) {
      let [failures, errors, nextAt] = [0, 0, Math.max(1, Math.ceil(phase * Math.min(intervalS, ERROR_RETRY_S)))]
      return {
        get nextAt() {
          return nextAt
        },
        look(metrics) {
          const from = metrics.now - windowS
          const rate = metrics.errorRate('canary', from)
          if (rate === null) {
            nextAt += ERROR_RETRY_S
            return ++errors > CONSECUTIVE_ERRORS ? 'fail' : null
          }
          errors = 0
          nextAt += intervalS
          if (1 - rate < minSuccess || isSlow(metrics, from)) failures++
          return failures > failureLimit ? 'fail' : null
        },
      }
    },
  }
}

/** The documentation's example: `irate` over the newest scrapes, each 5 minutes, 95 % success, failureLimit 3. */
export const ARGO = argo({ name: 'Argo Rollouts, as documented', intervalS: 300, windowS: 30, failureLimit: 3, minSuccess: 0.95, isSlow: () => false })

export const ARGO_TUNED = argo({ name: 'Argo Rollouts, tuned', intervalS: 5, windowS: 15, failureLimit: 0, minSuccess: 0.99, isSlow: isSlowerThanStable })
