/** Chance from a seed: fast, and the same everywhere (sfc32). */
export interface Chance {
  /** 0 ≤ x < 1 */
  uniform(): number
  normal(): number
  poisson(mean: number): number
  exponential(mean: number): number
  below(n: number): number
}

export function chance(seed: number): Chance {
  let a = 0x9e3779b9
  let b = seed >>> 0
  let c = Math.floor(seed / 2 ** 32) ^ 0x243f6a88
  let d = 1
  const uniform = (): number => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return (t >>> 0) / 4294967296
  }
  for (let i = 0; i < 15; i++) uniform()
  let spare = Number.NaN
  const normal = (): number => {
    if (!Number.isNaN(spare)) {
      const value = spare
      spare = Number.NaN
      return value
    }
    for (;;) {
      const x = 2 * uniform() - 1
      const y = 2 * uniform() - 1
      const s = x * x + y * y
      if (s >= 1 || s === 0) continue
      const factor = Math.sqrt((-2 * Math.log(s)) / s)
      spare = y * factor
      return x * factor
    }
  }
  const poisson = (mean: number): number => {
    if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal()))
    const limit = Math.exp(-mean)
    let product = uniform()
    let n = 0
    for (; product > limit; n++) product *= uniform()
    return n
  }
  return { uniform, normal, poisson, exponential: (mean) => -mean * Math.log(1 - uniform()), below: (n) => Math.floor(uniform() * n) }
}
