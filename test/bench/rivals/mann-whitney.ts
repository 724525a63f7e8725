/** Mann–Whitney's test with a shift estimate, by the normal approximation with corrections for continuity and ties, as R's `wilcox.test` has it. */

/** z of "x lies higher than y by more than `shift`". */
export function shiftZ(x: readonly number[], y: readonly number[], shift: number): number {
  const all = [...x.map((value) => ({ value: value - shift, isX: true })), ...y.map((value) => ({ value, isX: false }))].sort((a, b) => a.value - b.value)
  let [ranksOfX, ties] = [0, 0]
  for (let at = 0; at < all.length; ) {
    let until = at
    while (until < all.length && all[until]?.value === all[at]?.value) until++
    const tied = until - at
    ties += tied ** 3 - tied
    for (let i = at; i < until; i++) if (all[i]?.isX) ranksOfX += (at + 1 + until) / 2
    at = until
  }
  const [nx, ny] = [x.length, y.length]
  const n = nx + ny
  const difference = ranksOfX - (nx * (nx + 1)) / 2 - (nx * ny) / 2
  const sigma = Math.sqrt(((nx * ny) / 12) * (n + 1 - ties / (n * (n - 1))))
  return sigma === 0 ? 0 : (difference - Math.sign(difference) * 0.5) / sigma
}

/** The shift at which z is `z`: the estimate for 0, ends of a confidence interval for its quantiles. Held within what differences there are. */
export function shiftAt(x: readonly number[], y: readonly number[], z: number): number {
  let low = Math.min(...x) - Math.max(...y)
  let high = Math.max(...x) - Math.min(...y)
  if (shiftZ(x, y, low) <= z) return low
  if (shiftZ(x, y, high) >= z) return high
  for (let i = 0; i < 60 && high - low > 1e-9; i++) {
    const middle = (low + high) / 2
    if (shiftZ(x, y, middle) > z) low = middle
    else high = middle
  }
  return (low + high) / 2
}
