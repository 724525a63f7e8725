import type { Service } from '../core/model/app-graph.ts'
import { fillTemplates, literal } from '../core/model/expand.ts'
import { variablesSet } from '../core/plan/fingerprint.ts'
import type { Operation } from '../core/plan/operations.ts'
import type { EdgeRecord } from '../core/rollout/state.ts'
import type { Account, ProcessTelemetry, ReplicaSpec, ResourceSpec, SecretMount, TaskSpec } from '../drivers/driver.ts'
import { WeirError } from '../errors.ts'
import type { ApplyInput } from './apply.ts'
import type { StoredRelease } from './journal.ts'

/** What a replica is started from: its service in the words of `operation.release`, at the addresses of its own edges. */
export function replicaSpec(input: ApplyInput, operation: Extract<Operation, { kind: 'start-replica' }>, edgeAddress: string): ReplicaSpec {
  const release = releaseOf(input, operation.release)
  const service = serviceOf(release, operation.service)
  return {
    ...processSpec(input, release, service, operation.origin, edgeAddress),
    id: operation.id,
    argv: argvOf(release, service),
    ports: portsInOrder(service),
    healthcheck: service.healthcheck,
    stop: service.stop,
    volumes: service.volumes,
  }
}

function telemetryOf({ record }: ApplyInput, { telemetry = 'auto' }: Service): ProcessTelemetry | null {
  return telemetry === 'off' ? null : { app: record.app, environment: record.environment, instrument: telemetry === 'auto' }
}

export function taskSpec(input: ApplyInput, id: string, edgeAddress: string): TaskSpec {
  const record = input.state.tasks[id]
  if (!record) throw new WeirError('E_INTERNAL', { message: `task ${id} is not recorded` })
  const release = releaseOf(input, record.release)
  const service = serviceOf(release, record.service)
  const origins = input.origins[release.number] ?? release.origins ?? {}
  const spec = processSpec(input, release, service, origins[service.name] ?? release.number, edgeAddress)
  // What a person typed stays as it is; the driver fills `$NAME` into commands of the manifest.
  return { ...spec, id, argv: record.kind === 'run' ? record.argv.map(literal) : record.argv, timeoutMs: record.timeoutMs }
}

export function resourceSpec(input: ApplyInput, operation: Extract<Operation, { kind: 'ensure-resource' }>): ResourceSpec {
  const resource = releaseOf(input, operation.release).graph.resources[operation.name]
  if (!resource) throw new WeirError('E_INTERNAL', { message: `resource ${operation.name} is not in v${operation.release}` })
  const place = { environment: input.record.id, name: operation.name, account: accountOf(input) }
  return resource.kind === 'postgres' ? { ...place, kind: 'postgres', version: resource.version } : { ...place, kind: 'volume' }
}

type CommonSpec = Omit<TaskSpec, 'id' | 'argv' | 'timeoutMs'>

function processSpec(input: ApplyInput, release: StoredRelease, service: Service, origin: number, edgeAddress: string): CommonSpec {
  const artifact = release.artifacts[service.name]
  if (!artifact) throw new WeirError('E_INTERNAL', { message: `${service.name} of v${release.number} has no artifact` })
  const edges = input.state.edges.filter((it) => it.caller === service.name && it.origin === origin)
  return {
    environment: input.record.id,
    service: service.name,
    origin,
    account: accountOf(input),
    slug: artifact.digest,
    runtime: artifact.runtime,
    environmentVariables: variablesOf(input, release, service, origin, edges, edgeAddress),
    secrets: service.secrets.map((it): SecretMount => ({ ...it, version: release.configuration.secrets[it.name] ?? 0 })),
    uses: service.uses,
    limits: service.limits,
    telemetry: telemetryOf(input, service),
  }
}

/** One account an environment: staging cannot reach production either. */
function accountOf(input: ApplyInput): Account {
  return { app: accountNumber(input.record.id) }
}

/** `e12` → 12 */
export function accountNumber(environment: string): number {
  return Number(environment.slice(1))
}

/**
 * Weir's own, then the addresses of edges (`API_URL`), then the manifest's, then what was set outside it, which is plain text; later ones win.
 * `${services.api.url}` is an edge of this very caller and release; `${resources.…}` is filled in by the driver, which knows it.
 */
function variablesOf(
  input: ApplyInput,
  release: StoredRelease,
  service: Service,
  origin: number,
  edges: readonly EdgeRecord[],
  edgeAddress: string,
): Record<string, string> {
  const urls = new Map<string, string>()
  const variables: Record<string, string> = {
    WEIR_APP: input.record.app,
    WEIR_ENVIRONMENT: input.record.environment,
    WEIR_SERVICE: service.name,
    WEIR_RELEASE: `v${origin}`,
  }
  for (const callee of service.calls) {
    const own = edges.filter((it) => it.service === callee)
    const first = Object.keys(release.graph.services[callee]?.ports ?? {})[0]
    for (const edge of own) {
      const address = `${edgeAddress}:${edge.listen}`
      urls.set(`services.${callee}.ports.${edge.port}.url`, `http://${address}`)
      if (edge.port !== first) continue
      urls.set(`services.${callee}.url`, `http://${address}`)
      urls.set(`services.${callee}.host`, edgeAddress)
      urls.set(`services.${callee}.port`, String(edge.listen))
      variables[`${callee.toUpperCase().replaceAll('-', '_')}_URL`] = `http://${address}`
    }
  }
  for (const [name, value] of Object.entries(service.environment)) variables[name] = fillTemplates(value, (path) => urls.get(path))
  for (const [name, value] of Object.entries(variablesSet(release.configuration, service.name))) variables[name] = literal(value)
  return variables
}

/** The port that `PORT` means comes first: the one that is routed or called, as the manifest lists them. */
function portsInOrder(service: Service): readonly string[] {
  return Object.keys(service.ports)
}

function argvOf(release: StoredRelease, service: Service): readonly string[] {
  const argv = service.command ?? release.artifacts[service.name]?.command
  if (!argv || argv.length === 0) {
    throw new WeirError('E_START_FAILED', {
      message: `${service.name} has no command`,
      cause: 'neither the manifest nor the build says how to start it',
      next: 'add `command:` to the service',
    })
  }
  return argv
}

function releaseOf(input: ApplyInput, number: number): StoredRelease {
  const release = input.releases[number]
  if (!release) throw new WeirError('E_INTERNAL', { message: `release v${number} is not loaded` })
  return release
}

function serviceOf(release: StoredRelease, name: string): Service {
  const service = release.graph.services[name]
  if (!service) throw new WeirError('E_INTERNAL', { message: `${name} is not in v${release.number}` })
  return service
}
