import type { ArtifactSource, Healthcheck, HealthProbe, Port, PreStart, Probe, Route, Service } from '../model/app-graph.ts'
import type { Check } from './check.ts'
import { nearest } from './nearest.ts'
import { releaseOf } from './release.ts'
import type { ServiceDocument } from './schema.ts'
import type { Path } from './tree.ts'

const MINUTE_MS = 60_000
export const DEFAULTS = {
  port: 8080,
  limits: { cpu: 1, memoryBytes: 512 * 2 ** 20 },
  stop: { signal: 'SIGTERM', graceMs: 10_000 },
  healthcheck: { intervalMs: 2000, timeoutMs: 1000, retries: 3, startPeriodMs: 30_000 },
  preStartTimeoutMs: 10 * MINUTE_MS,
  jobTimeoutMs: 60 * MINUTE_MS,
  probe: { expect: 200, timeoutMs: 5000, everyMs: MINUTE_MS },
  maxReplicas: 10,
} as const

const MOST_PROBES = 20

/** What one service's own lines say; `dependsOn`, `calls` and `uses` need the whole app and are added in graph.ts. */
export type OwnService = Omit<Service, 'dependsOn' | 'calls' | 'uses'>

export function serviceOf(name: string, document: ServiceDocument, check: Check): OwnService {
  const path: Path = ['services', name]
  const ports = portsOf(document, path, check)
  const volumes = (document.volumes ?? []).map((volume) => ({ resource: volume.resource, path: volume.path }))
  const artifact = artifactOf(document, path, check)
  return {
    name,
    artifact,
    command: document.command ?? null,
    ports,
    routes: routesOf(document, ports, path, check),
    healthcheck: healthcheckOf(document.healthcheck ?? {}, ports, [...path, 'healthcheck'], check),
    environment: environmentOf(document, path, check),
    secrets: (document.secrets ?? []).map((secret) =>
      typeof secret === 'string' ? { name: secret, environment: null } : { name: secret.name, environment: secret.environment ?? null },
    ),
    limits: { cpu: document.resources?.cpu ?? DEFAULTS.limits.cpu, memoryBytes: document.resources?.memory ?? DEFAULTS.limits.memoryBytes },
    stop: { signal: document.stop?.signal ?? DEFAULTS.stop.signal, graceMs: document.stop?.grace ?? DEFAULTS.stop.graceMs },
    volumes,
    preStart: preStartOf(document.pre_start ?? [], [...path, 'pre_start'], check),
    scale: scaleOf(document.scale ?? {}, [...path, 'scale'], check),
    scaler: document.scaler ?? 'auto',
    ...(document.telemetry === undefined ? {} : { telemetry: document.telemetry }),
    release: releaseOf(document.release ?? {}, { hasVolume: volumes.length > 0, probes: Object.keys(document.probes ?? {}) }, [...path, 'release'], check),
    objectives: objectivesOf(document.slo ?? {}),
    ...(document.probes === undefined ? {} : { probes: probesOf(document.probes, [...path, 'probes'], check) }),
  }
}

function artifactOf(document: ServiceDocument, path: Path, check: Check): ArtifactSource {
  if (document.image !== undefined) {
    check.unsupported([...path, 'image'], '`image`, because no containers run on this machine', 'name the folder of its source: `build: .`')
    return { kind: 'image', reference: document.image }
  }
  if (document.build === undefined && !check.broken([...path, 'build']))
    check.problem(path, `service \`${path.at(-1)}\` does not say what it is built from`, 'add `build: .` (a folder of the source)')
  const build = typeof document.build === 'string' ? { context: document.build } : (document.build ?? {})
  return { kind: 'build', context: build.context ?? '.', command: build.command ?? null, output: build.output ?? null }
}

function portsOf(document: ServiceDocument, path: Path, check: Check): Record<string, Port> {
  const ports: Record<string, Port> = {}
  const taken = new Map<number, string>()
  for (const [name, port] of Object.entries(document.ports ?? {})) {
    const number = typeof port === 'number' ? port : port.port
    const protocol = typeof port === 'number' ? undefined : port.protocol
    const other = taken.get(number)
    if (other) check.problem([...path, 'ports', name], `port ${number} is \`${other}\` already`, 'give each port a number of its own')
    taken.set(number, name)
    ports[name] = { number, protocol: protocol ?? (name === 'grpc' ? 'grpc' : 'http') }
  }
  const listens = (document.routes?.length ?? 0) > 0 || document.healthcheck?.http !== undefined
  if (document.ports === undefined && listens && !check.broken([...path, 'ports'])) ports['http'] = { number: DEFAULTS.port, protocol: 'http' }
  return ports
}

function routesOf(document: ServiceDocument, ports: Readonly<Record<string, Port>>, path: Path, check: Check): Route[] {
  return (document.routes ?? []).map((route, index) => {
    const at: Path = [...path, 'routes', index]
    const port = route.port ?? (ports['http'] ? 'http' : (Object.keys(ports)[0] ?? 'http'))
    portProblem(port, ports, ['http', 'grpc'], [...at, 'port'], path, check)
    return { host: route.host ?? null, path: route.path ?? '/', port }
  })
}

function portProblem(port: string, ports: Readonly<Record<string, Port>>, protocols: readonly Port['protocol'][], at: Path, service: Path, check: Check): void {
  const found = ports[port]
  if (!found && !check.broken([...service, 'ports'])) {
    const near = nearest(port, Object.keys(ports))
    check.problem(
      at,
      `no port \`${port}\``,
      near
        ? `did you mean \`${near}\`?`
        : Object.keys(ports).length > 0
          ? `there are: ${Object.keys(ports).join(', ')}`
          : `add \`ports: { ${port}: ${DEFAULTS.port} }\``,
    )
  }
  if (found && !protocols.includes(found.protocol))
    check.problem(at, `port \`${port}\` speaks ${found.protocol}, which this cannot use`, `name a port that speaks ${protocols.join(' or ')}`)
}

type HealthDocument = NonNullable<ServiceDocument['healthcheck']>
function healthcheckOf(document: HealthDocument, ports: Readonly<Record<string, Port>>, path: Path, check: Check): Healthcheck {
  const chosen = (['http', 'tcp', 'test', 'disable'] as const).filter((key) => document[key] !== undefined)
  if (chosen.length > 1) check.problem([...path, chosen[1]!], `\`${chosen[0]}\` and \`${chosen[1]}\` exclude each other`, 'keep one of them')
  const firstHttp = Object.keys(ports).find((name) => ports[name]!.protocol === 'http')
  if (document.port !== undefined && document.http === undefined)
    check.problem([...path, 'port'], '`port` belongs to an `http` check', 'write `tcp: NAME` to check that a port accepts connections')
  return {
    ...probe(),
    intervalMs: document.interval ?? DEFAULTS.healthcheck.intervalMs,
    timeoutMs: document.timeout ?? DEFAULTS.healthcheck.timeoutMs,
    retries: document.retries ?? DEFAULTS.healthcheck.retries,
    startPeriodMs: document.start_period ?? DEFAULTS.healthcheck.startPeriodMs,
  }

  function probe(): HealthProbe {
    const service = path.slice(0, -1)
    if (document.http !== undefined) {
      const port = document.port ?? firstHttp ?? 'http'
      portProblem(port, ports, ['http'], [...path, document.port === undefined ? 'http' : 'port'], service, check)
      return { kind: 'http', path: document.http, port }
    }
    if (document.tcp !== undefined) {
      portProblem(document.tcp, ports, ['http', 'grpc', 'tcp'], [...path, 'tcp'], service, check)
      return { kind: 'tcp', port: document.tcp }
    }
    if (document.test !== undefined) return { kind: 'command', argv: document.test }
    const first = Object.keys(ports)[0]
    return document.disable || first === undefined ? { kind: 'none' } : { kind: 'tcp', port: first }
  }
}

/** Set by Weir for every replica; a value of the manifest would contradict it. */
export const GIVEN = /^(PORT|HOST|SECRETS_DIR|WEIR_[A-Z_]*|PORT_[A-Z0-9_]*)$/

function environmentOf(document: ServiceDocument, path: Path, check: Check): Record<string, string> {
  const environment = { ...document.environment }
  for (const name of Object.keys(environment)) {
    if (GIVEN.test(name)) check.problem([...path, 'environment', name], `\`${name}\` is given to each replica by Weir`, 'take it out, and read it in the app')
  }
  return environment
}

function preStartOf(documents: NonNullable<ServiceDocument['pre_start']>, path: Path, check: Check): PreStart[] {
  const names = new Set<string>()
  return documents.map((document, index) => {
    const name = document.name ?? `pre-start-${index + 1}`
    if (names.has(name))
      check.problem([...path, index, 'name'], `\`${name}\` is here twice`, 'each command needs a name of its own, since it runs once per release and name')
    names.add(name)
    return { name, command: document.command, compatible: document.compatible ?? false, timeoutMs: document.timeout ?? DEFAULTS.preStartTimeoutMs }
  })
}

function scaleOf(document: NonNullable<ServiceDocument['scale']>, path: Path, check: Check): { min: number; max: number } {
  if (document.idle !== undefined) check.unsupported([...path, 'idle'], '`idle`, scaling to zero', 'leave it out: `min` replicas keep running')
  if (document.min === 0) check.unsupported([...path, 'min'], '`min: 0`, scaling to zero', 'write `min: 1`; `weir stop` stops a service')
  if (document.max === 0) check.problem([...path, 'max'], '`max: 0` would never run', '`weir stop` stops a service')
  const min = Math.max(1, document.min ?? 1)
  const max = document.max ?? Math.max(min, DEFAULTS.maxReplicas)
  if (max > 0 && min > max)
    check.problem([...path, document.max === undefined ? 'min' : 'max'], `\`min\` ${min} is more than \`max\` ${max}`, `write max: ${min}`)
  return { min, max }
}

function objectivesOf(document: NonNullable<ServiceDocument['slo']>): Service['objectives'] {
  const { latency_p50: latencyP50, latency_p95: latencyP95, latency_p99: latencyP99, availability, throughput } = document
  return {
    ...(latencyP50 === undefined ? {} : { latencyP50 }),
    ...(latencyP95 === undefined ? {} : { latencyP95 }),
    ...(latencyP99 === undefined ? {} : { latencyP99 }),
    ...(availability === undefined ? {} : { availability }),
    ...(throughput === undefined ? {} : { throughput }),
  }
}

/** That a request can get there needs the whole app: graph.ts. */
function probesOf(documents: NonNullable<ServiceDocument['probes']>, path: Path, check: Check): Record<string, Probe> {
  if (Object.keys(documents).length > MOST_PROBES) check.problem(path, `more than ${MOST_PROBES} probes of one service`, 'keep those that users would miss')
  const probes = Object.entries(documents).map(([name, document]): [string, Probe] => {
    const { timeoutMs, everyMs } = { timeoutMs: document.timeout ?? DEFAULTS.probe.timeoutMs, everyMs: document.every ?? DEFAULTS.probe.everyMs }
    if (timeoutMs > everyMs) check.problem([...path, name, 'timeout'], '`timeout` is longer than `every`', 'an answer must be there before the next request')
    return [name, { path: document.http, expect: document.expect ?? DEFAULTS.probe.expect, timeoutMs, everyMs }]
  })
  return Object.fromEntries(probes)
}
