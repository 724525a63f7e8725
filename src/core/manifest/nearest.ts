/**
 * The known word that `word` was probably meant to be, or null when none is near.
 *
 * @example nearest('prots', ['ports', 'routes']) // 'ports'
 */
export function nearest(word: string, known: Iterable<string>): string | null {
  let best: string | null = null
  let least = Math.max(1, Math.floor(Math.min(word.length, 40) / 3)) + 1
  for (const candidate of known) {
    const steps = word.replaceAll('-', '_').toLowerCase() === candidate.replaceAll('-', '_').toLowerCase() ? 0 : distance(word.slice(0, 40), candidate)
    if (steps < least) {
      least = steps
      best = candidate
    }
  }
  return best
}

/** Damerau's distance, neighbours swapped counted as one: the typo people make most. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1), swapped))
    }
    before = last
    last = row
  }
  return last[b.length]!
}
