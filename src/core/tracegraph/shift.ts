import { type Cell, createCell, LOG_STEP, mergeCell, observations } from './cell.ts'

/** By how much something changed, in units of its usual spread, with what makes that uncertain. */
export interface Shift {
  readonly observations: number
  /** Difference of the means of clipped, scaled logarithms. */
  readonly shift: number
  /** Variance of the difference from having seen only so many. */
  readonly sampling: number
  /** Variance of the difference that is there on any day: how much the mean moves from bucket to bucket, and 5 %. */
  readonly drift: number
}

/** One visit says at most this much: what is further out than so many spreads is as far out. */
const CLIP = 6
/** A change by less than this is not a change, however often it was seen. */
const MATTERS = Math.log(1.05)
/** With fewer observations before, nothing is known of what is usual. */
const LEAST_BEFORE = 5

/**
 * Compares the present of one cell with its past, robustly: x' = clip((ln x − median) / spread, ±6), where median and spread (half of what
 * holds the middle 68 %) are those of the past. A single slow visit among many says little; a few that are all far out say much.
 *
 * Null: not enough is known.
 */
export function shiftOf(now: readonly Cell[], past: readonly Cell[]): Shift | null {
  const before = merged(past)
  const present = merged(now)
  const seen = observations(present)
  const known = observations(before)
  if (seen === 0 || known < LEAST_BEFORE) return null
  const centre = quantileBin(before, 0.5)
  const spread = Math.max(0.7, (quantileBin(before, 0.84) - quantileBin(before, 0.16)) / 2)
  const usual = clipped(before, centre, spread)
  const variance = Math.max(1, usual.variance)
  const floor = MATTERS / (spread * LOG_STEP)
  return {
    observations: seen,
    shift: clipped(present, centre, spread).mean - usual.mean,
    sampling: variance / seen + variance / known,
    drift: between(past, centre, spread, variance) + floor * floor,
  }
}

export function merged(cells: readonly Cell[]): Cell {
  const sum = createCell()
  for (const cell of cells) mergeCell(sum, cell)
  return sum
}

function quantileBin(cell: Cell, q: number): number {
  const rank = q * cell.weight
  let seen = 0
  for (let at = 0; at < cell.bins.length; at++) {
    seen += cell.bins[at] as number
    if (seen > rank) return at
  }
  return cell.bins.length - 1
}

function clipped(cell: Cell, centre: number, spread: number): { mean: number; variance: number } {
  let sum = 0
  let squares = 0
  let weight = 0
  for (let at = 0; at < cell.bins.length; at++) {
    const count = cell.bins[at] as number
    if (count === 0) continue
    const value = Math.max(-CLIP, Math.min(CLIP, (at - centre) / spread))
    sum += count * value
    squares += count * value * value
    weight += count
  }
  const mean = weight === 0 ? 0 : sum / weight
  return { mean, variance: weight === 0 ? 0 : squares / weight - mean * mean }
}

/** Variance between buckets beyond that of the visits within them (method of moments, one-way layout). */
function between(past: readonly Cell[], centre: number, spread: number, variance: number): number {
  const groups = past.filter(({ weight }) => weight > 0).map((cell) => ({ count: observations(cell), mean: clipped(cell, centre, spread).mean }))
  const total = groups.reduce((sum, { count }) => sum + count, 0)
  if (groups.length < 2) return 0
  const mean = groups.reduce((sum, group) => sum + group.count * group.mean, 0) / total
  const spreadOfMeans = groups.reduce((sum, group) => sum + group.count * (group.mean - mean) ** 2, 0) / (groups.length - 1)
  const typicalCount = (total - groups.reduce((sum, { count }) => sum + count * count, 0) / total) / (groups.length - 1)
  return typicalCount > 0 ? Math.max(0, (spreadOfMeans - variance) / typicalCount) : 0
}

/**
 * The z of several shifts taken together, as of all edges into one service. What they drift, they drift together: only the uncertainty of
 * sampling shrinks with their number.
 */
export function pooled(shifts: readonly Shift[]): { z: number; observations: number } {
  const total = shifts.reduce((sum, { observations: count }) => sum + count, 0)
  if (total === 0) return { z: 0, observations: 0 }
  const mean = (value: (shift: Shift) => number) => shifts.reduce((sum, it) => sum + it.observations * value(it), 0) / total
  const sampling = shifts.reduce((sum, it) => sum + it.observations ** 2 * it.sampling, 0) / total ** 2
  return { z: mean(({ shift }) => shift) / Math.sqrt(sampling + mean(({ drift }) => drift)), observations: total }
}

/**
 * The value that a standard normal variable stays below with probability `p`, for `p` of 0.5 and more (Abramowitz and Stegun 26.2.23; off by
 * less than 0.0005).
 *
 * @example normalQuantile(0.975) // 1.96
 */
export function normalQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(1 - p))
  return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t)
}
