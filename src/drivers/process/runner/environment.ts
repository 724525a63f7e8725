import { join } from 'node:path'
import { expand } from '../../../core/model/expand.ts'
import type { Machine } from './machine.ts'

/** Addresses of a resource, as `${resources.NAME.url}` and friends name them. */
export type ResourceFields = Readonly<Record<string, string>>

export interface EnvironmentInput {
  readonly runtime: string | null
  /** Variables about telemetry, those that the process has of its own included. */
  readonly telemetry: (own: Readonly<Record<string, string>>) => Readonly<Record<string, string>>
  readonly environmentVariables: Readonly<Record<string, string>>
  readonly secretVariables: Readonly<Record<string, string>>
  /** Of the resources that it uses. */
  readonly resources: Readonly<Record<string, { readonly kind: 'postgres' | 'volume'; readonly fields: ResourceFields }>>
  readonly ports: Readonly<Record<string, number>>
  readonly folders: { readonly home: string; readonly tmp: string; readonly secrets: string }
}

/**
 * All that a process sees of its surroundings; nothing is inherited. What the manifest sets comes before what is injected,
 * except for the names that only the driver knows.
 *
 * | from        | names                                                                              |
 * |-------------|------------------------------------------------------------------------------------|
 * | resources   | `DB_URL` for `db`; `DATABASE_URL` when it is the only PostgreSQL; `DATA_PATH` for a volume |
 * | manifest    | as written, templates and `$NAME` filled in; of the manifest's own, as they are written |
 * | secrets     | by choice                                                                          |
 * | driver      | where telemetry goes (`OTEL_…`), unless the process says otherwise                  |
 * | driver      | `PORT`, `PORT_<NAME>`, `HOST`, `HOME`, `TMPDIR`, `SECRETS_DIR`, `PATH`              |
 */
export function processEnvironment(machine: Pick<Machine, 'path' | 'paths'>, input: EnvironmentInput): Record<string, string> {
  const given = givenByDriver(input)
  const others = { ...injected(input.resources), ...input.environmentVariables, ...input.secretVariables, ...given }
  const lookup = (name: string) => (name.includes('.') ? resourceField(name, input.resources) : others[name])
  const written = Object.entries(input.environmentVariables).map(([name, value]) => [name, expand(value, lookup)])
  const own = { LANG: 'C.UTF-8', ...injected(input.resources), ...Object.fromEntries(written), ...input.secretVariables, ...given }
  const env: Record<string, string> = { ...own, ...input.telemetry(own) }
  const path = env['PATH'] ?? machine.path
  env['PATH'] = input.runtime === null ? path : `${join(machine.paths.runtimes, input.runtime, 'bin')}:${path}`
  return env
}

function givenByDriver({ folders, ports }: EnvironmentInput): Record<string, string> {
  const given: Record<string, string> = { HOST: '127.0.0.1', HOME: folders.home, TMPDIR: folders.tmp, SECRETS_DIR: folders.secrets }
  const numbers = Object.entries(ports)
  if (numbers[0]) given['PORT'] = String(numbers[0][1])
  for (const [name, port] of numbers) given[portVariable(name)] = String(port)
  return given
}

export function portVariable(name: string): string {
  return `PORT_${upper(name)}`
}

function injected(resources: EnvironmentInput['resources']): Record<string, string> {
  const env: Record<string, string> = {}
  const databases = Object.values(resources).filter((it) => it.kind === 'postgres')
  for (const [name, { kind, fields }] of Object.entries(resources)) {
    if (kind === 'postgres') env[`${upper(name)}_URL`] = fields['url'] ?? ''
    else env[`${upper(name)}_PATH`] = fields['path'] ?? ''
  }
  if (databases.length === 1) env['DATABASE_URL'] = databases[0]?.fields['url'] ?? ''
  return env
}

function upper(name: string): string {
  return name.toUpperCase().replaceAll('-', '_')
}

/** `resources.db.url`; what is not known stays as it is written, because the manifest was checked. */
function resourceField(path: string, resources: EnvironmentInput['resources']): string | undefined {
  const [root, name = '', field = ''] = path.split('.')
  return root === 'resources' ? resources[name]?.fields[field] : undefined
}
