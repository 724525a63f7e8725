import type { Problem } from './problems.ts'
import type { Path, Tree } from './tree.ts'
import { formatPath } from './tree.ts'

/** Fields whose `$NAME` is filled in when a replica starts, from its own environment. */
const AT_START = new Set(['environment', 'command', 'entrypoint', 'test', 'pre_start'])

/**
 * Compose replaces `${NAME}` everywhere from the shell it is called in. There is no such shell here: outside of commands and environment
 * only a default counts (`${NAME:-default}`), and a variable without one is a problem.
 */
export function interpolate(tree: Tree): { readonly tree: Tree; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  return { tree: walk(tree, []), problems }

  function walk(at: Tree, path: Path): Tree {
    if (at.kind === 'list') return { ...at, items: at.items.map((item, index) => walk(item, [...path, index])) }
    if (at.kind === 'map')
      return {
        ...at,
        entries: new Map(
          [...at.entries].map(([key, entry]) => [
            key,
            AT_START.has(key) || key.startsWith('x-') ? entry : { key: entry.key, tree: walk(entry.tree, [...path, key]) },
          ]),
        ),
      }
    if (typeof at.value !== 'string' || !at.value.includes('$')) return at
    const value = at.value.replace(
      /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?[^}]*\}|\$([A-Za-z_][A-Za-z0-9_]*)/g,
      (whole, name: string | undefined, fallback: string | undefined, plain: string | undefined) => {
        if (whole === '$$') return '$'
        if (fallback !== undefined) return fallback
        problems.push({
          ...at.place,
          code: 'E_MANIFEST',
          path: formatPath(path),
          message: `no value for \`${name ?? plain}\`: this field is read before anything runs`,
          hint: `write the value, or a default: \${${name ?? plain}:-…}`,
        })
        return ''
      },
    )
    return { ...at, value: /^\d+$/.test(value) ? Number(value) : value }
  }
}
