import { shiftAt } from './mann-whitney.ts'
import type { Metrics, Side } from './metrics.ts'
import type { Rival } from './rival.ts'

interface Settings {
  readonly name: string
  readonly firstS: number
  readonly intervalS: number
  readonly lifetimeS: number
  readonly stepS: number
  readonly points: number
}

/** 1 % at each end: its confidence level is 0.98, whatever is configured. */
const Z = 2.326348
/** A shift counts when its interval lies beyond a quarter of the shift itself. */
const TOLERANCE = 0.25
/** A score below it ends a canary at once; at the end of its life it must reach PASS. */
const MARGINAL = 75
const PASS = 95

/**
 * Kayenta's NetflixACAJudge: each metric a series of points on both sides, compared by Mann–Whitney with its shift estimate; the score is the
 * share of metrics that are not higher.
 */
function kayenta({ name, firstS, intervalS, lifetimeS, stepS, points }: Settings): Rival {
  return {
    name,
    create(phase) {
      let nextAt = Math.ceil(firstS + phase * stepS)
      return {
        get nextAt() {
          return nextAt
        },
        look(metrics) {
          const isLast = metrics.now >= lifetimeS
          nextAt += intervalS
          const count = Math.min(points, Math.floor(metrics.now / stepS))
          const judged = FIGURES.map((figure) => isHigh(metrics, figure, stepS, count)).filter((it) => it !== null)
          if (judged.length === 0) return null
          const score = (100 * judged.filter((it) => !it).length) / judged.length
          if (score < MARGINAL) return 'fail'
          return isLast ? (score >= PASS ? 'pass' : 'fail') : null
        },
      }
    },
  }
}

type Figure = (metrics: Metrics, side: Side, from: number, to: number) => number | null
const FIGURES: readonly Figure[] = [
  (metrics, side, from, to) => metrics.errorRate(side, from, to),
  (metrics, side, from, to) => metrics.latency(side, 0.5, from, to),
  (metrics, side, from, to) => metrics.latency(side, 0.99, from, to),
]

/** null: no data. */
function isHigh(metrics: Metrics, figure: Figure, stepS: number, points: number): boolean | null {
  const [canary, stable] = (['canary', 'stable'] as const).map((side) => metrics.series((from, to) => figure(metrics, side, from, to), stepS, points))
  if (!canary || !stable || canary.length < 2 || stable.length < 2) return null
  if (new Set([...canary, ...stable]).size === 1) return false
  const shift = shiftAt(canary, stable, 0)
  const from = shiftAt(canary, stable, Z)
  return from > TOLERANCE * Math.abs(shift) && mean(canary) >= mean(stable)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, it) => sum + it, 0) / values.length
}

/** Its best practices: points of a minute, judged each hour for three hours. */
export const KAYENTA = kayenta({ name: 'Kayenta, as documented', firstS: 3600, intervalS: 3600, lifetimeS: 3 * 3600, stepS: 60, points: 180 })

export const KAYENTA_TUNED = kayenta({ name: 'Kayenta, tuned', firstS: 15, intervalS: 5, lifetimeS: 3600, stepS: 5, points: 3 })
