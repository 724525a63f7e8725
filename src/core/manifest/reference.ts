import * as z from 'zod'
import { DEPLOY_EFFECTS, REFUSED_SERVICE_FIELDS, SERVICE_EFFECTS } from './compose-effects.ts'
import { manifestSchema } from './schema.ts'

/** The part of JSON Schema that the manifest's schema comes out as. */
export interface JsonSchema {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly minimum?: number
  readonly maximum?: number
}

/** JSON Schema of weir.yaml, for editors; made from the schema that checks it. */
export function jsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(manifestSchema, {
    io: 'input',
    override: ({ jsonSchema: json }) => {
      const { standard } = json as { standard?: unknown }
      delete json['standard']
      if (standard === undefined) return
      if (isSentence(standard)) json.description = `${json.description} Default: ${String(standard)}.`
      else json.default = standard
    },
  })
  return { ...(schema as JsonSchema), title: 'weir.yaml, version 1' }
}

function isSentence(standard: unknown): boolean {
  return typeof standard === 'string' && standard.includes(' ')
}

/** docs/reference/manifest.md: every key of weir.yaml, then what becomes of a compose file's fields. */
export function referencePage(schema: JsonSchema): string {
  return [
    '# weir.yaml, version 1',
    '',
    'Made from the schema that checks it (`node scripts/generate-schema.ts`); do not edit. The JSON Schema for editors is [weir.schema.json](weir.schema.json).',
    '',
    'Numbers have units (`250ms`, `99.9%`, `256MiB`, `200/s`). An unknown key is an error. All problems are reported at once, each with file, line and column.',
    '',
    ...sections(schema),
    '## Variables and templates',
    '',
    'In `command`, `healthcheck.test`, `pre_start`, `jobs` and the values of `environment`, when a process starts:',
    '',
    ...table(
      ['written', 'becomes'],
      [
        ['`$NAME`, `${NAME}`', 'the value, or nothing'],
        ['`${NAME:-text}`', 'the value, or `text` when there is none or it is empty'],
        ['`$$`', 'a plain `$`'],
      ],
    ),
    'Only in `environment`: `${services.NAME.url}`, `.host`, `.port`, `.ports.PORT.url` and `${resources.NAME.url}`, `.host`, `.port`, `.user`, `.password`, `.database`, `.path`. A service that is named so may be called, and a resource used.',
    '',
    '## Without weir.yaml',
    '',
    'Where compose.yaml exists it is the base, and weir.yaml an overlay merged by service name: maps key by key, all else replaced. With neither, the `Procfile`: `web` serves requests, `release` runs before the others start, all else are workers.',
    'With none of these: package.json, a Python file named app.py, main.py, manage.py or server.py, or index.html make a service `web`. EMP’s JSON is read by `weir deploy FILE`.',
    '',
    '## compose.yaml',
    '',
    'Honoured: build (its context), command, entrypoint, environment, ports, expose, depends_on, healthcheck, secrets, volumes with a name, deploy.replicas, deploy.resources.limits, scale, cpus, mem_limit, stop_signal, stop_grace_period, pre_start.',
    'A service with PostgreSQL’s own image becomes a resource `postgres`; other images are refused, because no containers run here. Values that are the address of another service (`http://api:3000`, `postgres://…@db/…`, `db`) become templates.',
    'The other fields are listed at each deploy, with their effect:',
    '',
    ...table(
      ['field', 'effect'],
      [
        ...Object.entries(SERVICE_EFFECTS).map(([field, effect]) => [`\`${field}\``, effect]),
        ...Object.entries(DEPLOY_EFFECTS).map(([field, effect]) => [`\`deploy.${field}\``, effect]),
        ...Object.entries(REFUSED_SERVICE_FIELDS).map(([field, instead]) => [`\`${field}\``, `refused: ${instead}`]),
      ],
    ),
  ].join('\n')
}

interface Section {
  readonly title: string
  readonly schema: JsonSchema
}

/** A table for each map of the schema, in the order in which it is met; what stands under several keys is shown once. */
function sections(root: JsonSchema): string[] {
  const lines: string[] = []
  const shown = new Set<JsonSchema>()
  const waiting: Section[] = [{ title: '', schema: root }]
  for (let section = waiting.shift(); section; section = waiting.shift()) {
    const { title, schema } = section
    if (shown.has(schema)) continue
    shown.add(schema)
    const rows = Object.entries(schema.properties ?? {}).map(([key, value]) => row(key, value, schema.required?.includes(key) ?? false, root))
    lines.push(`## ${title === '' ? 'Top level' : `\`${title}\``}`, '', ...table(['key', 'type', 'default', 'meaning'], rows))
    const below = Object.entries(schema.properties ?? {}).flatMap(([key, value]) => mapsIn(value, title === '' ? key : `${title}.${key}`, root))
    waiting.unshift(...below)
  }
  return lines
}

function row(key: string, value: JsonSchema, required: boolean, root: JsonSchema): string[] {
  const [description = '', sentence] = (value.description ?? '').split(' Default: ')
  const standard =
    sentence?.replace(/\.$/, '') ??
    (value.default === undefined ? '' : `\`${typeof value.default === 'string' ? value.default : JSON.stringify(value.default)}\``)
  return [`\`${key}\``, typeOf(value, root), required ? '**required**' : standard, description]
}

function typeOf(schema: JsonSchema, root: JsonSchema): string {
  if (schema.title) return schema.title
  if (schema.$ref) return typeOf(resolved(schema, root), root)
  if (schema.const !== undefined) return `\`${String(schema.const)}\``
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (schema.anyOf) return schema.anyOf.map((branch) => typeOf(branch, root)).join(', or ')
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {}, root)}`
  if (schema.type === 'object')
    return typeof schema.additionalProperties === 'object' && schema.properties === undefined
      ? `map by name of ${typeOf(schema.additionalProperties, root)}`
      : 'map'
  if (schema.type === 'integer')
    return schema.minimum === undefined || schema.minimum < -1e9 ? 'whole number' : `whole number ${schema.minimum}–${schema.maximum}`
  return schema.type === 'boolean' ? '`true`, `false`' : schema.type === 'string' ? 'text' : 'any'
}

function mapsIn(schema: JsonSchema, title: string, root: JsonSchema): Section[] {
  const it = resolved(schema, root)
  if (it.anyOf) return it.anyOf.flatMap((branch) => mapsIn(branch, title, root))
  if (it.items) return mapsIn(it.items, `${title}[]`, root)
  if (Object.keys(it.properties ?? {}).length > 0) return [{ title, schema: it }]
  return typeof it.additionalProperties === 'object' ? mapsIn(it.additionalProperties, `${title}.NAME`, root) : []
}

function resolved(schema: JsonSchema, root: JsonSchema): JsonSchema {
  const name = schema.$ref?.replace('#/$defs/', '')
  return name === undefined ? schema : (root.$defs?.[name] ?? schema)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line), '']
}
