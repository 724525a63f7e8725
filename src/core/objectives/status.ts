import type { Service } from '../model/app-graph.ts'
import { quantile, valueOf } from '../model/latency-sketch.ts'
import type { Counts } from './indicators.ts'

export type Objectives = Service['objectives']
export type ObjectiveName = keyof Objectives

const MINUTE = 60_000
/** The time in which a service is measured against its objectives, and those of the two pairs of the alarms. */
export const OBJECTIVE_WINDOWS_MS = { short: 5 * MINUTE, medium: 30 * MINUTE, long: 60 * MINUTE, longest: 360 * MINUTE } as const
export type ObjectiveWindow = keyof typeof OBJECTIVE_WINDOWS_MS

export interface ObjectiveStatus {
  readonly objective: ObjectiveName
  readonly target: number
  /** The same over the last hour; null: nothing was asked of the service. */
  readonly actual: number | null
  /** null: not known. */
  readonly met: boolean | null
  /** How fast the error budget goes: 1 uses it up exactly. null: it has none, or nothing is known. */
  readonly burn: Readonly<Record<ObjectiveWindow, number | null>>
  readonly alarm: 'fast' | 'slow' | null
}

/**
 * Burn rates at which an alarm goes off, both windows of a pair over it: 14.4 uses 2 % of a month's budget in an hour, 6 uses 5 % in six hours
 * (Beyer et al., The Site Reliability Workbook, ch. 5). The short window ends the alarm soon after the trouble has ended. With a large budget such a
 * rate is never reached (p50: at most 2), so there the rate counts that is `ofMost` of the highest that there is, 1 / budget.
 */
const PAIRS = [
  { alarm: 'fast', windows: ['short', 'long'], rate: 14.4, ofMost: 0.9 },
  { alarm: 'slow', windows: ['medium', 'longest'], rate: 6, ofMost: 0.75 },
] as const
/** Fewer bad requests than this in the longer window are no evidence. */
const LEAST_BAD = 5

const QUANTILES = { latencyP50: 0.5, latencyP95: 0.95, latencyP99: 0.99 } as const

/**
 * How a service stands to each of its objectives.
 *
 * | objective    | bad is          | budget        |
 * |--------------|-----------------|---------------|
 * | latencyP95   | slower than it  | 5 of 100      |
 * | availability | an error        | 1 − objective |
 * | throughput   | –               | –             |
 *
 * Throughput is what it must be able to serve: met as soon as it has served it, unknown before.
 */
export function objectiveStatus(objectives: Objectives, counts: Readonly<Record<ObjectiveWindow, Counts>>): ObjectiveStatus[] {
  return (Object.entries(objectives) as [ObjectiveName, number][]).map(([objective, target]) => {
    const budget = budgetOf(objective, target)
    const bad = (window: ObjectiveWindow) => badOf(objective, target, counts[window])
    const burnIn = (window: ObjectiveWindow) => burnOf(bad(window), counts[window].requests, budget)
    const burn = { short: burnIn('short'), medium: burnIn('medium'), long: burnIn('long'), longest: burnIn('longest') }
    const actual = actualOf(objective, counts.long)
    return { objective, target, actual, met: isMet(objective, target, actual), burn, alarm: budget === null ? null : alarmOf(burn, budget, bad) }
  })
}

function budgetOf(objective: ObjectiveName, target: number): number | null {
  if (objective === 'throughput') return null
  return objective === 'availability' ? 1 - target : 1 - QUANTILES[objective]
}

function badOf(objective: ObjectiveName, target: number, { errors, latency }: Counts): number {
  if (objective === 'availability') return errors
  if (objective === 'throughput') return 0
  let slower = 0
  for (let at = 0; at + 1 < latency.length; at += 2) if (valueOf(latency[at] as number) > target) slower += latency[at + 1] as number
  return slower
}

/** Without a budget any bad request uses up more than there is. */
function burnOf(bad: number, requests: number, budget: number | null): number | null {
  if (budget === null || requests === 0) return null
  if (budget <= 1e-9) return bad === 0 ? 0 : Number.MAX_VALUE
  return bad / requests / budget
}

function actualOf(objective: ObjectiveName, { requests, errors, latency }: Counts): number | null {
  if (requests === 0) return null
  if (objective === 'availability') return (requests - errors) / requests
  if (objective === 'throughput') return requests / (OBJECTIVE_WINDOWS_MS.long / 1000)
  return quantile(latency, QUANTILES[objective])
}

function isMet(objective: ObjectiveName, target: number, actual: number | null): boolean | null {
  if (actual === null) return null
  if (objective === 'throughput') return actual >= target ? true : null
  return objective === 'availability' ? actual >= target : actual <= target
}

function alarmOf(burn: ObjectiveStatus['burn'], budget: number, bad: (window: ObjectiveWindow) => number): ObjectiveStatus['alarm'] {
  for (const { alarm, windows, rate, ofMost } of PAIRS) {
    const most = budget <= 1e-9 ? Number.POSITIVE_INFINITY : 1 / budget
    const limit = Math.min(rate, ofMost * most)
    const [, longer] = windows
    if (windows.every((window) => (burn[window] ?? 0) >= limit) && bad(longer) >= LEAST_BAD) return alarm
  }
  return null
}
