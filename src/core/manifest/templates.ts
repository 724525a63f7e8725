import type { Argv } from '../model/app-graph.ts'
import type { Check } from './check.ts'
import { nearest } from './nearest.ts'
import type { Path } from './tree.ts'

const FIELDS = { services: ['url', 'host', 'port'], resources: ['url', 'host', 'port', 'user', 'password', 'database', 'path'] } as const
type Root = keyof typeof FIELDS

/** A `${services.NAME.FIELD}` or `${resources.NAME.FIELD}`, filled in when a replica starts. */
export interface Template {
  readonly root: Root
  readonly name: string
  /** Of `${services.NAME.ports.PORT.url}`; null: the first port. */
  readonly port: string | null
  readonly path: Path
}

/** The templates in a service's variables, and what is wrong with them. `NAME` and `NAME:-default` are variables, left to the start. */
export function templatesIn(environment: Readonly<Record<string, string>>, path: Path, check: Check): Template[] {
  return Object.entries(environment).flatMap(([name, text]) =>
    placeholders(text, [...path, name], check).flatMap((inner) => read(inner, [...path, name], check) ?? []),
  )
}

/** A command is told addresses by variables only: `$API_URL`. */
export function commandTemplates(command: Argv, path: Path, check: Check): void {
  for (const inner of command.flatMap((word) => placeholders(word, path, check)))
    check.problem(path, `\`\${${inner}}\` cannot stand in a command`, 'give it to a variable in `environment`, and write $NAME here')
}

/** What stands between `${` and `}` and is no variable. `$$` is a plain `$`, so `$${x.y}` is text. */
function placeholders(text: string, path: Path, check: Check): string[] {
  const found: string[] = []
  for (const [whole, inner] of text.matchAll(/\$\$|\$\{([^}]*)\}?/g)) {
    if (inner === undefined || /^[A-Za-z_][A-Za-z0-9_]*(:?-.*)?$/s.test(inner)) continue
    if (whole.endsWith('}')) found.push(inner)
    else check.problem(path, `\`${whole}\` is not closed`, 'close it with `}`, or write `$$` for a plain `$`')
  }
  return found
}

function read(inner: string, path: Path, check: Check): Template | null {
  const [root = '', name = '', field = '', ...more] = inner.split('.')
  if (root !== 'services' && root !== 'resources') {
    const near = nearest(root, Object.keys(FIELDS))
    check.problem(
      path,
      `\`\${${inner}}\` is not known`,
      root === 'secrets'
        ? 'a secret is handed over by `secrets: [{ name, environment }]`'
        : near
          ? `did you mean \`\${${[near, ...inner.split('.').slice(1)].join('.')}}\`?`
          : 'write `${services.NAME.url}`, `${resources.NAME.url}`, `${VARIABLE}`, or `$$` for a plain `$`',
    )
    return null
  }
  const fields: readonly string[] = FIELDS[root]
  if (root === 'services' && field === 'ports' && more.length === 2 && more[1] === 'url') return { root, name, port: more[0]!, path }
  if (more.length > 0 || !fields.includes(field)) {
    const near = nearest(field, fields)
    check.problem(
      path,
      `\`\${${inner}}\` is not known`,
      near && more.length === 0 ? `did you mean \`\${${root}.${name}.${near}}\`?` : `${root} have: ${fields.join(', ')}`,
    )
    return null
  }
  return { root, name, port: null, path }
}
