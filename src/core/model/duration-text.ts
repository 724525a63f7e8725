const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** As the manifest would write it. @example durationText(600_000) // '10m' */
export function durationText(ms: number): string {
  for (const [unit, factor] of UNITS) if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`
  return `${ms}ms`
}
