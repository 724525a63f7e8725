export interface IgnorePattern {
  readonly matches: RegExp
  readonly keep: boolean
}

/**
 * Reads patterns as git does: a line each, `#` comments, `!` takes back, `*` within a name, `**` over folders, `/` at the front or within
 * binds to the root; a pattern that names a folder covers all below it.
 *
 * @example ignores(parseIgnore('*.log\n!keep.log'), 'a/b.log') // true
 */
export function parseIgnore(text: string): IgnorePattern[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.replace(/(?<!\\)\s+$/, ''))
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const keep = line.startsWith('!')
      const pattern = (keep ? line.slice(1) : line).replace(/^\\([#!])/, '$1')
      return { keep, matches: toRegExp(pattern) }
    })
}

/** Whether the last pattern that speaks of the file leaves it out. */
export function ignores(patterns: readonly IgnorePattern[], path: string): boolean {
  return patterns.findLast(({ matches }) => matches.test(path))?.keep === false
}

function toRegExp(pattern: string): RegExp {
  const folderOnly = pattern.endsWith('/')
  const body = pattern.replace(/^\/|\/+$/g, '')
  const rooted = pattern.startsWith('/') || body.includes('/')
  const source = body
    .split(/(\*\*\/|\/\*\*$|\*|\?)/)
    .map((part) => {
      if (part === '**/') return '(?:[^/]+/)*'
      if (part === '/**') return '/.+'
      if (part === '*') return '[^/]*'
      if (part === '?') return '[^/]'
      return part.replace(/[.+^${}()|[\]\\]/g, '\\$&')
    })
    .join('')
  return new RegExp(`^${rooted ? '' : '(?:.*/)?'}${source}${folderOnly ? '/.' : '(?:/|$)'}`)
}
