import type { Figure } from './goal.ts'

/** @example percentile([3, 1, 2], 0.95) // 3: of few values the highest */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** A figure that must not be higher than `most`. */
export function atMost(most: number, unit: string, value: number, detail: string): Figure {
  return { value, unit, target: `≤${most}${unit}`, pass: value <= most, detail }
}

/** A figure that must not be lower than `least`. */
export function atLeast(least: number, unit: string, value: number, detail: string): Figure {
  return { value, unit, target: `≥${least}${unit}`, pass: value >= least, detail }
}

/** Median and spread on one line: `n=10 median 1.02 s, 0.9–1.4`. */
export function spread(values: readonly number[], unit: string): string {
  const digits = unit === 's' ? 2 : 0
  const [low, mid, high] = [Math.min(...values), median(values), Math.max(...values)].map((it) => it.toFixed(digits))
  return `n=${values.length} median ${mid} ${unit}, ${low}–${high}`
}

/** Seconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now()
  await work()
  return (performance.now() - begun) / 1000
}
