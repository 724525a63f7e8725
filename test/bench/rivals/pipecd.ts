import { shiftZ } from './mann-whitney.ts'
import type { Metrics, Side } from './metrics.ts'
import type { Rival } from './rival.ts'

interface Settings {
  readonly name: string
  readonly intervalS: number
  readonly durationS: number
  readonly failureLimit: number
  readonly stepS: number
}

/** Two sides at 0.05, whatever is configured. */
const Z = 1.959964

/**
 * PipeCD's automated deployment analysis, canary against primary: each interval a Mann–Whitney test over that interval's points for each
 * metric; one that lies higher is a failure, more than `failureLimit` of one metric end it.
 */
function pipecd({ name, intervalS, durationS, failureLimit, stepS }: Settings): Rival {
  return {
    name,
    create(phase) {
      const failures = FIGURES.map(() => 0)
      let nextAt = Math.ceil(intervalS + phase * stepS)
      return {
        get nextAt() {
          return nextAt
        },
        look(metrics) {
          nextAt += intervalS
          const points = Math.floor(intervalS / stepS)
          FIGURES.forEach((figure, at) => {
            const [canary, primary] = (['canary', 'stable'] as const).map((side) =>
              metrics.series((from, to) => figure(metrics, side, from, to), stepS, points),
            )
            if (canary && primary && canary.length > 0 && primary.length > 0 && shiftZ(canary, primary, 0) >= Z) failures[at] = (failures[at] ?? 0) + 1
          })
          if (failures.some((it) => it > failureLimit)) return 'fail'
          return metrics.now >= durationS ? 'pass' : null
        },
      }
    },
  }
}

const FIGURES: readonly ((metrics: Metrics, side: Side, from: number, to: number) => number | null)[] = [
  (metrics, side, from, to) => metrics.errorRate(side, from, to),
  (metrics, side, from, to) => metrics.latency(side, 0.9, from, to),
]

/** Its example: each 5 minutes for half an hour, failureLimit 1; points of a minute. */
export const PIPECD = pipecd({ name: 'PipeCD, as documented', intervalS: 300, durationS: 1800, failureLimit: 1, stepS: 60 })

/** Its window is its interval, and three points can never fail: four of five seconds each are the fastest that it has. */
export const PIPECD_TUNED = pipecd({ name: 'PipeCD, tuned', intervalS: 20, durationS: 1800, failureLimit: 0, stepS: 5 })
