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
  readonly path: Path
}

/** The templates in the texts of one service, and what is wrong with them. */
export function templatesIn(texts: readonly { readonly path: Path; readonly text: string }[], check: Check): Template[] {
  const found: Template[] = []
  for (const { path, text } of texts) {
    // `$$` is a literal `$`, so `$${x.y}` is no template; `${NAME…}` without a dot is a variable.
    for (const [whole, inner] of text.matchAll(/\$\$|\$\{([^}]*)\}?/g)) {
      if (inner === undefined) continue
      if (!whole.endsWith('}')) check.problem(path, `\`${whole}\` is not closed`, 'close it with `}`, or write `$$` for a plain `$`')
      else if (/^[A-Za-z_][A-Za-z0-9_]*(:?-.*)?$/.test(inner)) continue
      else {
        const template = read(inner, path, check)
        if (template) found.push(template)
      }
    }
  }
  return found
}

export function commandTexts(path: Path, command: Argv | null): { path: Path; text: string }[] {
  return (command ?? []).map((text) => ({ path, text }))
}

function read(inner: string, path: Path, check: Check): Template | null {
  const [root = '', name = '', field = '', ...more] = inner.split('.')
  if (root !== 'services' && root !== 'resources') {
    const near = nearest(root, Object.keys(FIELDS))
    check.problem(path, `\`\${${inner}}\` is not known`, root === 'secrets' ? 'a secret is handed over by `secrets: [{ name, environment }]`' : near ? `did you mean \`\${${[near, ...inner.split('.').slice(1)].join('.')}}\`?` : 'write `${services.NAME.url}`, `${resources.NAME.url}`, `${VARIABLE}`, or `$$` for a plain `$`')
    return null
  }
  const fields: readonly string[] = FIELDS[root]
  if (more.length > 0 || !fields.includes(field)) {
    const near = nearest(field, fields)
    check.problem(path, `\`\${${inner}}\` is not known`, near && more.length === 0 ? `did you mean \`\${${root}.${name}.${near}}\`?` : `${root} have: ${fields.join(', ')}`)
    return null
  }
  return { root, name, path }
}
