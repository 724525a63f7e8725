import type { CustomIndicatorPolicy } from '../model/app-graph.ts'
import type { Check } from './check.ts'
import { INDICATORS, type ServiceDocument } from './schema.ts'
import type { Path } from './tree.ts'

type Analysis = Exclude<NonNullable<NonNullable<ServiceDocument['release']>['analysis']>, 'off'>
type Document = NonNullable<Analysis['custom']>[number]

const KINDS = ['promql', 'http_json', 'sql'] as const

/** Indicators of the team's own: one figure each, from one place, with a bound. That the resource of a query is there needs the whole app: graph.ts. */
export function customIndicators(documents: readonly Document[], path: Path, check: Check): readonly CustomIndicatorPolicy[] {
  const names = new Set<string>()
  return documents.flatMap((document, index): CustomIndicatorPolicy[] => {
    const at: Path = [...path, index]
    const { name, min = null, max = null } = document
    if ((INDICATORS as readonly string[]).includes(name))
      check.problem([...at, 'name'], `\`${name}\` is one of Weir's own indicators`, 'call it something else')
    if (names.has(name)) check.problem([...at, 'name'], `\`${name}\` is here twice`, 'give each indicator a name of its own')
    names.add(name)
    const kinds = KINDS.filter((kind) => document[kind] !== undefined)
    if (kinds.length > 1) check.problem([...at, kinds[1] as string], `\`${kinds[0]}\` and \`${kinds[1]}\` exclude each other`, 'keep one of them')
    if (kinds.length === 0 && !KINDS.some((kind) => check.broken([...at, kind])))
      check.problem(at, `the indicator \`${name}\` has no source`, 'add `promql`, `http_json` or `sql`')
    if (min === null && max === null && !check.broken([...at, 'min']) && !check.broken([...at, 'max']))
      check.problem(at, `the indicator \`${name}\` has no bound`, 'add `max` or `min`: what it may not go over or under')
    if (min !== null && max !== null && min > max) check.problem([...at, 'max'], `\`min\` ${min} is more than \`max\` ${max}`, null)
    const source = sourceOf(document)
    return source ? [{ name, source, max, min, dryRun: document.dry_run ?? false }] : []
  })
}

function sourceOf({ promql, http_json: json, sql }: Document): CustomIndicatorPolicy['source'] | null {
  if (promql) return { kind: 'promql', url: promql.url, query: promql.query }
  if (json) return { kind: 'http-json', url: json.url, path: json.path }
  return sql ? { kind: 'sql', resource: sql.resource, query: sql.query } : null
}
