import type { AppGraph, Job, Resource, Service } from '../model/app-graph.ts'
import { wayTo } from '../model/probe-way.ts'
import { Check } from './check.ts'
import { nameRefusal, variableRefusal } from './leaves.ts'
import { nearest } from './nearest.ts'
import type { Note, Problem } from './problems.ts'
import { cyclesIn, duplicateRoutes, environmentsOf } from './relations.ts'
import type { ManifestDocument, ServiceDocument } from './schema.ts'
import type { OwnService } from './service.ts'
import { DEFAULTS, serviceOf } from './service.ts'
import type { Template } from './templates.ts'
import { commandTemplates, templatesIn } from './templates.ts'
import type { Path, Tree } from './tree.ts'
import { formatPath, keyPlaceOf } from './tree.ts'
import { validate } from './validate.ts'

const POSTGRES_VERSION = 18

export interface GraphResult {
  readonly graph: AppGraph | null
  readonly problems: readonly Problem[]
  readonly notes: readonly Note[]
}

/** One environment's merged document as an app graph; all problems at once, and no graph while there is one. */
export function graphOf(tree: Tree, app: string, format: AppGraph['format'], preferredEntry: string | null): GraphResult {
  const { document, rest, problems, broken } = validate(tree)
  if (!document) return { graph: null, problems, notes: [] }
  const check = new Check(rest, broken)
  const notes: Note[] = []
  const documents = document.services ?? {}
  namesOf(document, check)
  const names = namesIn(document, check)
  const resources = resourcesOf(document, tree, check, notes)
  const own = Object.entries(documents).map(([name, service]) => serviceOf(name, { telemetry: document.telemetry, ...service }, check))
  const jobs = jobsOf(document, names, check)
  const ownByName = new Map(own.map((service) => [service.name, service]))
  const services = own.map((service) => related(service, ownByName, documents[service.name]!, resources, names, check))
  if (services.length === 0 && !check.broken(['services'])) check.problem(['services'], 'the app has no service', 'add `services: { web: { build: . } }`')
  if (document.kubernetes !== undefined) check.unsupported(['kubernetes'], '`kubernetes`, manifests applied as they are', 'leave it out')
  environmentsOf(document, check)
  cyclesIn(services, check)
  duplicateRoutes(services, check)
  const graph: AppGraph = { app, format, services: byName(services), resources, jobs, entry: entryOf(services, preferredEntry) }
  unreachableProbes(graph, check)
  if (services.length > 0 && !services.some((service) => Object.keys(service.ports).length > 0))
    notes.push({
      ...keyPlaceOf(tree, ['services']),
      path: 'services',
      effect: 'no service has a port: nothing of this app can be reached; add `ports: { http: 8080 }` to one that serves',
    })
  const all = [...problems, ...check.problems]
  return { graph: all.length === 0 ? graph : null, problems: all, notes }
}

/** Every name that the app makes up. Those it only refers to need no check: they must exist. */
function namesOf(document: ManifestDocument, check: Check): void {
  for (const part of ['services', 'resources', 'jobs', 'environments'] as const)
    for (const name of Object.keys(document[part] ?? {})) check.name([part, name], nameRefusal(name))
  for (const [name, service] of Object.entries(document.services ?? {})) {
    for (const probe of Object.keys(service.probes ?? {})) check.name(['services', name, 'probes', probe], nameRefusal(probe))
    for (const port of Object.keys(service.ports ?? {})) check.name(['services', name, 'ports', port], nameRefusal(port))
    for (const variable of Object.keys(service.environment ?? {}))
      check.name(['services', name, 'environment', variable], variableRefusal(variable), 'E_MANIFEST')
  }
}

/** Services and resources share `depends_on`, so they share their names too. `known` holds those with problems as well. */
interface Names {
  readonly services: ReadonlySet<string>
  readonly resources: ReadonlySet<string>
}

function namesIn(document: ManifestDocument, check: Check): Names {
  const services = new Set(Object.keys(document.services ?? {}))
  const resources = new Set(Object.keys(document.resources ?? {}))
  for (const name of resources)
    if (services.has(name)) check.problem(['resources', name], `\`${name}\` is the name of a service too`, 'give the resource another name')
  return { services, resources }
}

function resourcesOf(document: ManifestDocument, tree: Tree, check: Check, notes: Note[]): Record<string, Resource> {
  const resources: Record<string, Resource> = {}
  for (const [name, resource] of Object.entries(document.resources ?? {})) {
    const path: Path = ['resources', name]
    const note = (key: string, effect: string) => notes.push({ ...keyPlaceOf(tree, [...path, key]), path: formatPath([...path, key]), effect })
    if (resource.type === 'redis' || resource.type === 'external')
      check.unsupported(
        [...path, 'type'],
        `resources of type \`${resource.type}\``,
        'postgres and volume are; another server’s address can stand in `environment`',
      )
    if (resource.type !== 'postgres' && resource.version !== undefined)
      check.problem([...path, 'version'], `\`version\` belongs to a postgres, not to a ${resource.type}`)
    if (resource.type !== 'postgres' && resource.volume !== undefined)
      check.problem([...path, 'volume'], `\`volume\` belongs to a postgres, not to a ${resource.type}`, resource.type === 'volume' ? 'write `size`' : null)
    if (resource.type !== 'volume' && resource.size !== undefined)
      check.problem([...path, 'size'], `\`size\` belongs to a volume, not to a ${resource.type}`, resource.type === 'postgres' ? 'write `volume`' : null)
    if (resource.type === 'postgres') {
      if (resource.version !== undefined && resource.version !== POSTGRES_VERSION)
        check.unsupported([...path, 'version'], `PostgreSQL ${resource.version}; its binaries are not installed here`, `write version: ${POSTGRES_VERSION}`)
      if (resource.volume !== undefined) note('volume', 'not enforced: the database may use the disk of this machine')
      resources[name] = { kind: 'postgres', name, version: POSTGRES_VERSION }
    } else if (resource.type === 'volume') {
      if (resource.size !== undefined) note('size', 'not enforced: the volume may use the disk of this machine')
      resources[name] = { kind: 'volume', name }
    }
  }
  return resources
}

function jobsOf(document: ManifestDocument, names: Names, check: Check): Record<string, Job> {
  const jobs: Record<string, Job> = {}
  for (const [name, job] of Object.entries(document.jobs ?? {})) {
    if (!names.services.has(job.service) && !check.broken(['services', job.service]))
      unknown(job.service, names.services, 'service', ['jobs', name, 'service'], check)
    commandTemplates(job.command, ['jobs', name, 'command'], check)
    jobs[name] = { name, service: job.service, schedule: job.schedule, command: job.command, timeoutMs: job.timeout ?? DEFAULTS.jobTimeoutMs }
  }
  return jobs
}

/** Adds what needs the whole app: whom the service waits for, whom it may call, which resources it uses. */
function related(
  own: OwnService,
  all: ReadonlyMap<string, OwnService>,
  document: ServiceDocument,
  resources: Readonly<Record<string, Resource>>,
  names: Names,
  check: Check,
): Service {
  const path: Path = ['services', own.name]
  const dependsOn = dependenciesOf(document, path, own.name, names, check)
  commandTemplates(own.command ?? [], [...path, 'command'], check)
  for (const [index, step] of own.preStart.entries()) commandTemplates(step.command, [...path, 'pre_start', index, 'command'], check)
  if (own.healthcheck.kind === 'command') commandTemplates(own.healthcheck.argv, [...path, 'healthcheck', 'test'], check)
  const templates = templatesIn(own.environment, [...path, 'environment'], check)
  for (const template of templates) templateTarget(template, own.name, all, names, check)
  queryTargets(document, path, resources, names, check)
  for (const [index, volume] of own.volumes.entries()) volumeTarget(volume, [...path, 'volumes', index], own, resources, names, check)
  const needed = Object.keys(dependsOn)
  const mentioned = (root: Template['root']) => templates.filter((template) => template.root === root).map((template) => template.name)
  return {
    ...own,
    dependsOn,
    calls: sorted([...needed, ...mentioned('services')].filter((name) => names.services.has(name) && name !== own.name)),
    uses: sorted([...needed, ...mentioned('resources'), ...own.volumes.map((volume) => volume.resource)].filter((name) => names.resources.has(name))),
  }
}

const CONDITIONS = { service_started: 'started', service_healthy: 'healthy', service_completed_successfully: 'completed' } as const

function dependenciesOf(document: ServiceDocument, service: Path, own: string, names: Names, check: Check): Service['dependsOn'] {
  const listed = Array.isArray(document.depends_on)
    ? document.depends_on.map((name, index) => ({ name, condition: undefined, at: index }))
    : Object.entries(document.depends_on ?? {}).map(([name, it]) => ({ name, condition: it.condition, at: name }))
  const dependsOn: Record<string, { condition: 'started' | 'healthy' | 'completed' }> = {}
  for (const { name, condition, at } of listed) {
    const path: Path = [...service, 'depends_on', at]
    const isResource = names.resources.has(name)
    if (name === own) check.problem(path, `\`${own}\` depends on itself`, 'take it out')
    else if (!isResource && !names.services.has(name) && !check.broken(['services', name]) && !check.broken(['resources', name]))
      unknown(name, [...names.services, ...names.resources], 'service or resource', path, check)
    if (condition === 'service_completed_successfully')
      check.unsupported([...path, 'condition'], 'services that run to their end', 'make it a `pre_start` command of the service that waits for it')
    dependsOn[name] = { condition: isResource ? 'healthy' : CONDITIONS[condition ?? 'service_started'] }
  }
  return dependsOn
}

function templateTarget(template: Template, own: string, all: ReadonlyMap<string, OwnService>, names: Names, check: Check): void {
  const { root, name, port, path } = template
  if (root === 'services' && name === own) check.problem(path, `\`${own}\` cannot be its own service to call`, 'reach it at `http://127.0.0.1:$PORT`')
  else if (!names[root].has(name) && !check.broken([root, name])) unknown(name, names[root], root === 'services' ? 'service' : 'resource', path, check)
  const target = root === 'services' ? all.get(name) : undefined
  if (!target || check.broken([root, name, 'ports'])) return
  if (Object.keys(target.ports).length === 0) check.problem(path, `\`${name}\` has no port to call`, `add \`ports: { http: ${DEFAULTS.port} }\` to it`)
  else if (port !== null && !target.ports[port]) unknown(port, Object.keys(target.ports), `port of \`${name}\` called`, path, check)
}

/** An indicator that is a query asks a database of this app. */
function queryTargets(document: ServiceDocument, service: Path, resources: Readonly<Record<string, Resource>>, names: Names, check: Check): void {
  const analysis = document.release?.analysis
  for (const [index, { sql }] of (typeof analysis === 'object' ? (analysis.custom ?? []) : []).entries()) {
    if (!sql) continue
    const path: Path = [...service, 'release', 'analysis', 'custom', index, 'sql', 'resource']
    const resource = resources[sql.resource]
    if (!names.resources.has(sql.resource) && !check.broken(['resources', sql.resource])) unknown(sql.resource, names.resources, 'resource', path, check)
    else if (resource && resource.kind !== 'postgres') check.problem(path, `\`${sql.resource}\` is a ${resource.kind}, not a database`)
  }
}

function volumeTarget(
  volume: { readonly resource: string; readonly path: string },
  path: Path,
  own: OwnService,
  resources: Readonly<Record<string, Resource>>,
  names: Names,
  check: Check,
): void {
  const resource = resources[volume.resource]
  if (!names.resources.has(volume.resource) && !check.broken(['resources', volume.resource]))
    unknown(volume.resource, names.resources, 'resource', [...path, 'resource'], check, `add \`resources: { ${volume.resource}: { type: volume } }\``)
  else if (resource && resource.kind !== 'volume') check.problem([...path, 'resource'], `\`${volume.resource}\` is a ${resource.kind}, not a volume`)
  if (own.volumes.some((other) => other !== volume && other.path === volume.path && own.volumes.indexOf(other) < own.volumes.indexOf(volume)))
    check.problem([...path, 'path'], `two volumes at ${volume.path}`, 'give each a path of its own')
}

/** Comparing names costs time, so only the first problems of a file that is full of them get a guess. */
const GUESSES = 50
const SHOWN_NAMES = 12

function unknown(name: string, known: Iterable<string>, kind: string, path: Path, check: Check, otherwise?: string): void {
  const all = [...known]
  const near = check.problems.length < GUESSES ? nearest(name, all) : null
  const shown = all.length > SHOWN_NAMES ? [...all.slice(0, SHOWN_NAMES), '…'] : all
  check.problem(path, `no ${kind} \`${name}\``, near ? `did you mean \`${near}\`?` : (otherwise ?? (all.length > 0 ? `there are: ${shown.join(', ')}` : null)))
}

/**
 * Where an app without routes is reached: `preferred`, else `web`, else the only service that serves requests,
 * else the only one of these that no other calls.
 */
function entryOf(services: readonly Service[], preferred: string | null): AppGraph['entry'] {
  if (services.some((service) => service.routes.length > 0)) return null
  const serving = services.filter((service) => firstPort(service) !== null)
  const uncalled = serving.filter((service) => !services.some((caller) => caller.calls.includes(service.name)))
  const chosen =
    serving.find((service) => service.name === preferred) ??
    serving.find((service) => service.name === 'web') ??
    (serving.length === 1 ? serving[0] : uncalled.length === 1 ? uncalled[0] : undefined)
  return chosen ? { service: chosen.name, port: firstPort(chosen)! } : null
}

function unreachableProbes(graph: AppGraph, check: Check): void {
  for (const service of Object.values(graph.services)) {
    if (check.broken(['services', service.name, 'routes']) || check.broken(['services', service.name, 'ports'])) continue
    for (const [name, probe] of Object.entries(service.probes ?? {}))
      if (wayTo(graph, service, probe) === null)
        check.problem(
          ['services', service.name, 'probes', name, 'http'],
          `no request from outside gets to \`${service.name}\` by ${probe.path}`,
          'probe a service with an http route that covers the path, or the one that the app’s own port leads to',
        )
  }
}

function firstPort(service: Service): string | null {
  return Object.keys(service.ports).find((name) => service.ports[name]!.protocol !== 'tcp') ?? null
}

function byName(services: readonly Service[]): Record<string, Service> {
  return Object.fromEntries(services.map((service) => [service.name, service]))
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort()
}
