import { DATABASE_EFFECT, DEPLOY_EFFECTS, REFUSED_SERVICE_FIELDS, SERVICE_EFFECTS } from './compose-effects.ts'
import { ComposeReader } from './compose-reader.ts'
import { serviceTree } from './compose-service.ts'
import { interpolate } from './interpolate.ts'
import { kindOf } from './leaves.ts'
import { nearest } from './nearest.ts'
import type { Note, Problem } from './problems.ts'
import type { Path, Tree, TreeEntry, TreeMap } from './tree.ts'
import { find, mapTree, treeOf, valueOf } from './tree.ts'

/** Compose files in the order in which compose itself looks for them. */
export const COMPOSE_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'] as const

export interface Translated {
  /** The same app in the words of weir.yaml, every value at the place where the file has it. */
  readonly tree: Tree
  readonly problems: readonly Problem[]
  readonly notes: readonly Note[]
  /** The only service that publishes a port: where the app is reached. */
  readonly preferredEntry: string | null
}

const HONOURED = [
  'build',
  'image',
  'command',
  'entrypoint',
  'ports',
  'expose',
  'depends_on',
  'healthcheck',
  'environment',
  'secrets',
  'deploy',
  'scale',
  'cpus',
  'mem_limit',
  'stop_signal',
  'stop_grace_period',
  'volumes',
  'pre_start',
  'profiles',
]
const DEPLOYED = ['replicas', 'resources']
const TOP: Readonly<Record<string, string | null>> = {
  services: null,
  name: null,
  volumes: null,
  version: null,
  secrets: 'the values come from `weir secrets set NAME`, not from these files',
  networks: 'no effect: services of an app reach each other at the addresses that Weir gives them',
  configs: 'not handed over: put the file into the source',
  models: 'not provided',
}

/** A compose file as weir.yaml would say it: what a process can honour is translated, the rest is noted with its effect or refused. */
export function translateCompose(document: Tree): Translated {
  const { tree, problems } = interpolate(document)
  const services = find(tree, ['services'])
  const maps = [...(services?.kind === 'map' ? services.entries : [])]
  const databases = new Set(maps.filter(([, { tree: service }]) => databaseVersion(service) !== null).map(([name]) => name))
  const reader = new ComposeReader(tree, new Set(maps.map(([name]) => name)), databases)
  reader.problems.push(...problems)
  if (tree.kind !== 'map') reader.problem([], `expected a map with \`services\`, got ${kindOf(valueOf(tree))}`, null)
  else for (const key of tree.entries.keys()) topKey(key, reader)
  if (tree.kind === 'map' && services?.kind !== 'map') reader.problem(['services'], 'expected a map of services', null)

  const translated = new Map<string, TreeEntry>()
  for (const [name, { key, tree: service }] of maps) {
    const out = service.kind === 'map' && databases.has(name) ? databaseResource(name, service, reader) : translateService(name, service, reader)
    if (out) translated.set(name, { key, tree: out })
  }
  const place = tree.place
  return {
    tree: mapTree(place, {
      version: treeOf(place, 1),
      app: find(tree, ['name']),
      services: { kind: 'map', place: services?.place ?? place, entries: translated },
      resources: reader.resources.size > 0 ? { kind: 'map', place, entries: reader.resources } : null,
    }),
    problems: reader.problems,
    notes: reader.notes,
    preferredEntry: reader.published.size === 1 ? [...reader.published][0]! : null,
  }
}

function topKey(key: string, reader: ComposeReader): void {
  const effect = own(TOP, key)
  if (key === 'include') reader.unsupported([key], '`include`', 'write the services into this file')
  else if (effect) reader.note([key], effect)
  else if (effect === undefined && !key.startsWith('x-')) unknownKey([key], Object.keys(TOP), reader)
}

function translateService(name: string, tree: Tree, reader: ComposeReader): Tree | null {
  const path: Path = ['services', name]
  if (tree.kind !== 'map') {
    reader.problem(path, `expected a map, got ${kindOf(valueOf(tree))}`, null)
    return null
  }
  const profiles = tree.entries.get('profiles')?.tree
  if (profiles?.kind === 'list' && profiles.items.length > 0) {
    reader.note([...path, 'profiles'], `\`${name}\` is not deployed: compose starts it only when a profile is asked for`)
    return null
  }
  for (const key of tree.entries.keys()) serviceKey(key, tree, path, reader)
  const deploy = tree.entries.get('deploy')?.tree
  if (deploy?.kind === 'map')
    for (const key of deploy.entries.keys())
      if (!DEPLOYED.includes(key) && own(DEPLOY_EFFECTS, key) === undefined)
        unknownKey([...path, 'deploy', key], [...DEPLOYED, ...Object.keys(DEPLOY_EFFECTS)], reader)
  return serviceTree(tree, path, reader)
}

function serviceKey(key: string, service: TreeMap, path: Path, reader: ComposeReader): void {
  const effect = own(SERVICE_EFFECTS, key)
  const instead = own(REFUSED_SERVICE_FIELDS, key)
  if (instead) reader.unsupported([...path, key], `\`${key}\``, instead)
  else if (effect) reader.note([...path, key], effect)
  else if (!HONOURED.includes(key) && !key.startsWith('x-'))
    unknownKey(
      [...path, key],
      [...HONOURED, ...Object.keys(SERVICE_EFFECTS)].filter((other) => !service.entries.has(other)),
      reader,
    )
}

/** A key of a file may be called `toString`: only the table's own entries count. */
function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

function unknownKey(path: Path, known: readonly string[], reader: ComposeReader): void {
  const key = String(path.at(-1))
  const near = nearest(key, known)
  reader.problemAtKey(path, `unknown key \`${key}\``, near ? `did you mean \`${near}\`?` : 'compose has no such field')
}

/** A service that runs PostgreSQL's own image is what Weir calls a resource. */
function databaseResource(name: string, service: TreeMap, reader: ComposeReader): null {
  const path: Path = ['services', name]
  const image = service.entries.get('image')!
  reader.note([...path, 'image'], `\`${name}\` becomes a database of Weir’s own PostgreSQL 18; its address is given to the services that depend on it`)
  for (const key of service.entries.keys()) if (key !== 'image' && !key.startsWith('x-')) reader.note([...path, key], DATABASE_EFFECT)
  const version = databaseVersion(service)
  const entries = new Map<string, TreeEntry>([['type', { key: image.key, tree: treeOf(image.tree.place, 'postgres') }]])
  if (version !== null && version !== 'any') entries.set('version', { key: image.tree.place, tree: treeOf(image.tree.place, version) })
  reader.resources.set(name, { key: image.key, tree: { kind: 'map', place: service.place, entries } })
  return null
}

/** Major version that a service's PostgreSQL image names, `any` without one; null: not PostgreSQL's image. */
function databaseVersion(service: Tree): number | 'any' | null {
  const image = service.kind === 'map' && !service.entries.has('build') ? service.entries.get('image')?.tree : undefined
  if (image?.kind !== 'scalar' || typeof image.value !== 'string') return null
  const match = /^(?:docker\.io\/)?(?:library\/)?postgres(?::(?:(\d+)[\w.-]*|[A-Za-z][\w.-]*))?(?:@sha256:[0-9a-f]{64})?$/.exec(image.value)
  if (!match) return null
  return match[1] ? Number(match[1]) : 'any'
}
