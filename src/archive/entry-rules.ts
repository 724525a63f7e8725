/** What an archive may hold: names and links that cannot reach outside the folder it is unpacked into. Pure text rules. */
const MAX_SEGMENT_BYTES = 255
const MAX_PATH_BYTES = 3072
const CONTROL = /[\u0000-\u001f\u007f]/

/**
 * Why an entry called `path` is refused, or null. Paths are relative, `/`-separated, without `.` or empty segments.
 *
 * @example pathProblem('src/app.js') // null
 * @example pathProblem('../app.js') // 'leaves the folder'
 */
export function pathProblem(path: string): string | null {
  if (path === '') return 'has no name'
  if (path.startsWith('/')) return 'is an absolute path'
  if (CONTROL.test(path)) return 'has a control character in its name'
  if (path.includes('\\')) return 'has a backslash in its name'
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `has a path of over ${MAX_PATH_BYTES} bytes`
  for (const segment of path.split('/')) {
    if (segment === '..') return 'leaves the folder'
    if (segment === '' || segment === '.') return 'has an empty path segment'
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `has a name of over ${MAX_SEGMENT_BYTES} bytes`
  }
  return null
}

/**
 * Why a symbolic link at `path` to `target` is refused, or null.
 *
 * `..` may only stand at the front of a target. Then no chain of links can escape: the climb starts in a real folder of known depth
 * (entries never lie below a link), and what follows only descends, through folders or through links that obey the same rule.
 * With `..` after a name this would not hold: `y → .` makes `x → y/y/..` leave the folder although its text does not.
 *
 * @example linkProblem('node_modules/.bin/tsc', '../typescript/bin/tsc') // null
 * @example linkProblem('data', '/etc') // 'is a link to an absolute path'
 */
export function linkProblem(path: string, target: string): string | null {
  if (target === '') return 'is a link to nothing'
  if (target.startsWith('/')) return 'is a link to an absolute path'
  if (CONTROL.test(target)) return 'is a link with a control character in its target'
  if (Buffer.byteLength(target) > MAX_PATH_BYTES) return `is a link with a target of over ${MAX_PATH_BYTES} bytes`
  const segments = target.split('/').filter((segment) => segment !== '' && segment !== '.')
  const climbs = segments.findIndex((segment) => segment !== '..')
  const up = climbs === -1 ? segments.length : climbs
  if (segments.slice(up).includes('..')) return 'is a link with .. in the middle of its target'
  const depth = path.split('/').length - 1
  if (up > depth) return 'is a link that leaves the folder'
  return null
}

/** Printable and short, so that a hostile name cannot write over a terminal or a log. */
export function shownPath(path: string): string {
  const printable = path.replace(/[^\x20-\x7e]/g, '?')
  return printable.length > 120 ? `${printable.slice(0, 117)}...` : printable
}
