import type { Machine } from './machine.ts'
import { join } from 'node:path'

/** Addresses of a resource, as `${resources.NAME.url}` and friends name them. */
export type ResourceFields = Readonly<Record<string, string>>

export interface EnvironmentInput {
  readonly runtime: string | null
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
 * | manifest    | as written, templates filled in                                                    |
 * | secrets     | by choice                                                                          |
 * | driver      | `PORT`, `PORT_<NAME>`, `HOST`, `HOME`, `TMPDIR`, `SECRETS_DIR`, `PATH`              |
 */
export function processEnvironment(machine: Pick<Machine, 'path' | 'paths'>, input: EnvironmentInput): Record<string, string> {
  const written: Record<string, string> = {}
  for (const [name, value] of Object.entries(input.environmentVariables)) written[name] = fillIn(value, input.resources)
  const env: Record<string, string> = { LANG: 'C.UTF-8', ...injected(input.resources), ...written, ...input.secretVariables }
  const path = env['PATH'] ?? machine.path
  Object.assign(env, {
    HOST: '127.0.0.1',
    HOME: input.folders.home,
    TMPDIR: input.folders.tmp,
    SECRETS_DIR: input.folders.secrets,
    PATH: input.runtime === null ? path : `${join(machine.paths.runtimes, input.runtime, 'bin')}:${path}`,
  })
  const ports = Object.entries(input.ports)
  if (ports[0]) env['PORT'] = String(ports[0][1])
  for (const [name, port] of ports) env[portVariable(name)] = String(port)
  return env
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

/** Unknown names stay as they are: the manifest was checked, so only text that means something else can be left. */
function fillIn(value: string, resources: EnvironmentInput['resources']): string {
  return value.replace(/\$\{resources\.([-a-z0-9]+)\.([a-z]+)\}/g, (all, name: string, field: string) => resources[name]?.fields[field] ?? all)
}
