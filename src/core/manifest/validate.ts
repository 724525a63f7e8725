import type * as z from 'zod'
import { kindOf } from './leaves.ts'
import { nearest } from './nearest.ts'
import type { Problem } from './problems.ts'
import type { ManifestDocument } from './schema.ts'
import { manifestSchema } from './schema.ts'
import type { Path, Tree } from './tree.ts'
import { find, formatPath, keyPlaceOf, placeOf, prune, valueOf } from './tree.ts'

type Issue = z.core.$ZodIssue

export interface Validated {
  /** The tree without the parts that have problems. */
  readonly rest: Tree
  /** What is left when the parts with problems are taken out, so that later checks can find theirs at the same time; null: nothing. */
  readonly document: ManifestDocument | null
  readonly problems: readonly Problem[]
  /** Paths that were taken out: nothing there may be called missing. */
  readonly broken: readonly Path[]
}

/** The tree against the schema: everything that is wrong, and a document of all that is right. */
export function validate(tree: Tree): Validated {
  const problems: Problem[] = []
  const broken: Path[] = []
  let rest = tree
  // Each round takes out what was refused; a required key that is missing takes out the map around it in the next.
  for (let round = 0; round < 10; round += 1) {
    const result = manifestSchema.safeParse(valueOf(rest))
    if (result.success) return { rest, document: result.data, problems, broken }
    const bad = result.error.issues.flatMap((issue) => faults(issue, [], rest))
    if (round === 0) problems.push(...bad.map((fault) => fault.problem))
    const paths = bad.map((fault) => (find(rest, fault.path) ? fault.path : fault.path.slice(0, -1)))
    if (paths.some((path) => path.length === 0)) return { rest, document: null, problems, broken }
    broken.push(...paths)
    rest = withVersion(prune(rest, paths), rest)
  }
  return { rest, document: null, problems, broken }
}

/** A wrong or missing `version` is one problem; the rest is checked as version 1. */
function withVersion(tree: Tree, before: Tree): Tree {
  if (tree.kind !== 'map' || tree.entries.get('version')) return tree
  const place = before.place
  return { ...tree, entries: new Map([...tree.entries, ['version', { key: place, tree: { kind: 'scalar', place, value: 1 } }]]) }
}

interface Fault {
  readonly problem: Problem
  readonly path: Path
}

function faults(issue: Issue, prefix: Path, tree: Tree): Fault[] {
  const path: Path = [...prefix, ...(issue.path as (string | number)[])]
  const fault = (message: string, hint: string | null, at: Path = path, place = placeOf(tree, at), code: Problem['code'] = 'E_MANIFEST'): Fault => ({
    path: at,
    problem: { ...place, code, path: formatPath(at), message, hint },
  })
  const here = find(tree, path)
  const got = here ? kindOf(valueOf(here)) : 'nothing'
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = knownKeys(path)
      const present = here?.kind === 'map' ? here.entries : new Map<string, unknown>()
      return issue.keys.map((key) => {
        const near = nearest(
          key,
          known.filter((other) => !present.has(other)),
        )
        return fault(
          `unknown key \`${key}\``,
          near ? `did you mean \`${near}\`?` : `known here: ${known.join(', ')}`,
          [...path, key],
          keyPlaceOf(tree, [...path, key]),
        )
      })
    }
    case 'invalid_union': {
      const branch = likeliest(issue.errors, here)
      if (branch) return branch.flatMap((inner) => faults(inner, path, tree))
      const expected = issue.errors.flatMap((errors) => errors.map((inner) => (inner.code === 'invalid_type' ? kinds(inner.expected) : 'text')))
      return [fault(`expected ${[...new Set(expected)].join(' or ')}, got ${got}`, null)]
    }
    case 'invalid_type': {
      if (!here)
        return [
          fault(
            `\`${String(path.at(-1) ?? '')}\` is missing`,
            path.length === 1 && path[0] === 'version' ? 'write version: 1' : `expected ${kinds(issue.expected)}`,
          ),
        ]
      if (path.length === 0) return [fault(`expected a map of keys such as \`services\`, got ${got}`, null)]
      return [fault(`expected ${kinds(issue.expected)}, got ${got}`, quoteHint(issue.expected, here))]
    }
    case 'invalid_value': {
      if (!here) return [fault(`\`${String(path.at(-1))}\` is missing`, `write ${String(path.at(-1))}: ${String(issue.values[0])}`)]
      if (issue.values.length === 1)
        return [fault(`expected ${String(issue.values[0])}, got ${got}`, `write ${String(path.at(-1))}: ${String(issue.values[0])}`)]
      const near = here.kind === 'scalar' ? nearest(String(here.value), issue.values.map(String)) : null
      return [fault(`expected one of ${issue.values.map(String).join(', ')}, got ${got}`, near ? `did you mean \`${near}\`?` : null)]
    }
    case 'too_small':
      return [fault(`expected ${sized(issue.origin, 'at least', issue.minimum)}, got ${here?.kind === 'list' ? here.items.length : got}`, null)]
    case 'too_big':
      return [fault(`expected ${sized(issue.origin, 'at most', issue.maximum)}, got ${here?.kind === 'list' ? here.items.length : got}`, null)]
    default:
      if (!here && issue.code === 'custom') return [fault(`\`${String(path.at(-1))}\` is missing`, null)]
      return [fault(issue.message, hintOf(issue), path, undefined, /^the name /.test(issue.message) ? 'E_NAME' : 'E_MANIFEST')]
  }
}

/** The branch of a union that was meant: the one for the value's kind, and of these the one with the fewest complaints. Plain values have leaves. */
function likeliest(branches: readonly (readonly Issue[])[], here: Tree | null): readonly Issue[] | null {
  const plain = here?.kind === 'scalar'
  const fits = branches.filter(
    (issues) =>
      !issues.some(
        (issue) => issue.path.length === 0 && (issue.code === 'invalid_type' || ((issue.code === 'custom' || issue.code === 'invalid_value') && !plain)),
      ),
  )
  return fits.sort((a, b) => a.length - b.length)[0] ?? null
}

function hintOf(issue: Issue): string | null {
  const hint: unknown = issue.code === 'custom' ? issue.params?.['hint'] : null
  return typeof hint === 'string' ? hint : null
}

function kinds(expected: string): string {
  const words: Record<string, string> = {
    string: 'text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'a list',
    object: 'a map',
    record: 'a map',
  }
  return words[expected] ?? expected
}

function sized(origin: string, bound: string, limit: number | bigint): string {
  return origin === 'array' ? `${bound} ${limit} in the list` : `${bound} ${limit}`
}

function quoteHint(expected: string, here: Tree): string | null {
  if (here.kind !== 'scalar') return null
  if (expected === 'string' && here.value !== null) return `quote it: "${String(here.value)}"`
  const number = typeof here.value === 'string' && (expected === 'number' || expected === 'int') && /^-?\d+$/.test(here.value)
  return number ? `write ${here.value} without quotes` : null
}

/** Keys that the schema knows at `path`, found by walking it; of a union, those of its map. */
function knownKeys(path: Path): string[] {
  let schemas: z.core.$ZodType[] = [manifestSchema]
  for (const step of path) schemas = schemas.flatMap(unwrap).flatMap((schema) => child(schema, step))
  return schemas.flatMap(unwrap).flatMap((schema) => (isKind(schema, 'object') ? Object.keys(schema._zod.def.shape) : []))
}

type Kinds = { object: z.core.$ZodObject; record: z.core.$ZodRecord; array: z.core.$ZodArray; union: z.core.$ZodUnion; optional: z.core.$ZodOptional }
function isKind<K extends keyof Kinds>(schema: z.core.$ZodType, kind: K): schema is Kinds[K] {
  return schema._zod.def.type === kind
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (isKind(schema, 'optional')) return unwrap(schema._zod.def.innerType)
  return isKind(schema, 'union') ? schema._zod.def.options.flatMap(unwrap) : [schema]
}

function child(schema: z.core.$ZodType, step: string | number): z.core.$ZodType[] {
  if (isKind(schema, 'object')) return Object.hasOwn(schema._zod.def.shape, step) ? [schema._zod.def.shape[step]!] : []
  if (isKind(schema, 'record')) return [schema._zod.def.valueType]
  return isKind(schema, 'array') ? [schema._zod.def.element] : []
}
