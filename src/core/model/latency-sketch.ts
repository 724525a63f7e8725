/**
 * DDSketch (Masson, Rim, Lee 2019) with relative accuracy α = 1 %: bucket i holds the values in (γ^(i−1), γ^i], γ = (1+α)/(1−α),
 * and is read as 2γ^i/(γ+1), which is off by at most α. Counts of equal buckets add up, so sketches of workers, routes and
 * seconds merge without loss. Sparse form on the wire: [bucket, count, bucket, count, …], buckets ascending.
 */
const ALPHA = 0.01
const GAMMA = (1 + ALPHA) / (1 - ALPHA)
const LOG_GAMMA = Math.log(GAMMA)
/** Anything faster is counted as this: 1 µs. */
const SMALLEST_MS = 0.001

/** @example bucketOf(12.5) // 127 */
export function bucketOf(ms: number): number {
  return Math.ceil(Math.log(ms > SMALLEST_MS ? ms : SMALLEST_MS) / LOG_GAMMA)
}

/** The value that a bucket stands for, in milliseconds. */
export function valueOf(bucket: number): number {
  return (2 * GAMMA ** bucket) / (GAMMA + 1)
}

/** Sum of sparse sketches. */
export function mergeSketches(sketches: readonly (readonly number[])[]): number[] {
  const counts = new Map<number, number>()
  for (const sketch of sketches) {
    for (let at = 0; at + 1 < sketch.length; at += 2) {
      const bucket = sketch[at] as number
      counts.set(bucket, (counts.get(bucket) ?? 0) + (sketch[at + 1] as number))
    }
  }
  return sparse(counts)
}

/** A map of counts in the sparse form. */
export function sparse(counts: ReadonlyMap<number, number>): number[] {
  return [...counts].sort((a, b) => a[0] - b[0]).flat()
}

/**
 * The value below which the share `q` of all observations lies; null of an empty sketch.
 *
 * @example quantile([127, 99, 300, 1], 0.5) // 12.5 ± 1 %
 */
export function quantile(sketch: readonly number[], q: number): number | null {
  let total = 0
  for (let at = 1; at < sketch.length; at += 2) total += sketch[at] as number
  if (total === 0) return null
  const rank = q * (total - 1)
  let seen = 0
  for (let at = 0; at + 1 < sketch.length; at += 2) {
    seen += sketch[at + 1] as number
    if (seen > rank) return valueOf(sketch[at] as number)
  }
  return valueOf(sketch[sketch.length - 2] as number)
}
