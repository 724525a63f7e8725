import type { AppGraph, Service } from '../model/app-graph.ts'
import type { Artifact, Configuration } from '../model/release.ts'

/**
 * All that a replica of the service is started from, as canonical text; its hash is the service's fingerprint. What only steers
 * routing, scaling or order (routes, scale, objectives, release policy, depends_on) is left out: changing it needs no new process.
 */
export function replicaInputs(graph: AppGraph, service: Service, artifact: Artifact, configuration: Configuration): string {
  return canonical({
    artifact: artifact.digest,
    runtime: artifact.runtime,
    command: service.command ?? artifact.command,
    ports: service.ports,
    calls: [...service.calls].sort(),
    uses: [...service.uses].sort().map((name) => graph.resources[name] ?? name),
    healthcheck: service.healthcheck,
    environment: { ...service.environment, ...variablesSet(configuration, service.name) },
    secrets: service.secrets.map((secret) => ({ ...secret, version: configuration.secrets[secret.name] ?? 0 })),
    limits: service.limits,
    stop: service.stop,
    volumes: service.volumes,
    preStart: service.preStart,
    telemetry: service.telemetry === 'auto' ? undefined : service.telemetry,
  })
}

/** What `env set` says for a service: it stands above the manifest, and what was said for the service alone above what was said for all. */
export function variablesSet({ environment }: Configuration, service: string): Readonly<Record<string, string>> {
  return { ...environment['*'], ...environment[service] }
}

/** JSON with sorted keys: equal values, equal text. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, it]) => it !== undefined)
    entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    return `{${entries.map(([key, it]) => `${JSON.stringify(key)}:${canonical(it)}`).join(',')}}`
  }
  return JSON.stringify(value)
}
