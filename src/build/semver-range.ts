/**
 * Whether a version satisfies an `engines` range: `^ ~ > >= < <= =`, x-ranges, hyphen ranges, blanks for *and*, `||` for *or*.
 * null when the range cannot be read. Pre-releases are not compared; runtimes have none.
 *
 * @example satisfies('24.21.0', '^20.9 || >=22') // true
 */
export function satisfies(version: string, range: string): boolean | null {
  const at = numbers(version)
  if (at === null) return null
  let any = false
  for (const part of range.split('||')) {
    const all = everyComparator(at, part.trim())
    if (all === null) return null
    any ||= all
  }
  return any
}

type Version = readonly [number, number, number]

function everyComparator(at: Version, part: string): boolean | null {
  const hyphen = /^(\S+)\s+-\s+(\S+)$/.exec(part)
  const comparators = hyphen ? [`>=${hyphen[1]}`, `<=${hyphen[2]}`] : part.replace(/([<>=~^])\s+/g, '$1').split(/\s+/)
  let all = true
  for (const comparator of comparators) {
    const bounds = boundsOf(comparator)
    if (bounds === null) return null
    all &&= compare(at, bounds.from) >= 0 && (bounds.below === null || compare(at, bounds.below) < 0)
  }
  return all
}

/** `from` ≤ version < `below`. */
function boundsOf(comparator: string): { readonly from: Version; readonly below: Version | null } | null {
  const [, operator = '', text = ''] = /^(\^|~>?|>=|<=|>|<|=)?v?(.*)$/.exec(comparator) ?? []
  // A range is handed to npm, which would take `1-a/b` for a repository.
  if (!/^[\w.+*-]*$/.test(text)) return null
  const given = text === '' ? [] : (text.split(/[-+]/)[0]?.split('.') ?? [])
  if (given.length > 3 || !given.every((it) => /^(\d+|[xX*])$/.test(it))) return null
  const wild = given.findIndex((it) => !/^\d+$/.test(it))
  const fixed = (wild === -1 ? given : given.slice(0, wild)).map(Number)
  const [major = 0, minor = 0, patch = 0] = fixed
  const from: Version = [major, minor, patch]
  const known = fixed.length
  /** The first version after all that share the first `n` numbers. */
  const after = (n: number): Version | null => (n <= 0 ? null : n === 1 ? [major + 1, 0, 0] : n === 2 ? [major, minor + 1, 0] : [major, minor, patch + 1])
  switch (operator) {
    case '>=':
      return { from, below: null }
    case '>':
      return { from: after(known) ?? [Infinity, 0, 0], below: null }
    case '<':
      return { from: [0, 0, 0], below: known === 0 ? [0, 0, 0] : from }
    case '<=':
      return { from: [0, 0, 0], below: after(known) }
    case '~':
    case '~>':
      return { from, below: after(Math.min(known, 2)) }
    case '^':
      return { from, below: after(major > 0 || known < 2 ? Math.min(known, 1) : minor > 0 || known < 3 ? 2 : 3) }
    default:
      return { from, below: after(known) }
  }
}

function numbers(version: string): Version | null {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []
  return major === undefined ? null : [Number(major), Number(minor), Number(patch)]
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}
