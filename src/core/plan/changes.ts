import { type AppGraph, isWorker, type Service } from '../model/app-graph.ts'
import type { Release } from '../model/release.ts'
import { canonical, variablesSet } from './fingerprint.ts'

export interface ServiceChange {
  readonly service: string
  readonly kind: 'added' | 'changed' | 'removed'
  /** What differs, for people: "code", "environment: API_KEY", "memory 256 → 512 MiB". */
  readonly reasons: readonly string[]
}

/**
 * service → the release whose replicas serve it in `target`: the base's where nothing that a replica is started from differs.
 *
 * @example originsOf(v4, v5) // { web: 5, api: 3 } when only web changed since v4, and api last in v3
 */
export function originsOf(
  base: { readonly fingerprints: Release['fingerprints']; readonly origins: Readonly<Record<string, number>> | null } | null,
  target: Release,
): Record<string, number> {
  const origins: Record<string, number> = {}
  for (const name of Object.keys(target.graph.services)) {
    const same = base !== null && base.fingerprints[name] !== undefined && base.fingerprints[name] === target.fingerprints[name]
    origins[name] = (same ? base.origins?.[name] : undefined) ?? target.number
  }
  return origins
}

/** Which services differ between two releases, and in what. Sorted by name. */
export function changesBetween(base: Release | null, target: Release): readonly ServiceChange[] {
  const names = new Set([...Object.keys(base?.graph.services ?? {}), ...Object.keys(target.graph.services)])
  const changes: ServiceChange[] = []
  for (const service of [...names].sort()) {
    const before = base?.graph.services[service]
    const after = target.graph.services[service]
    if (!after) changes.push({ service, kind: 'removed', reasons: ['no longer in the manifest'] })
    else if (!before || !base) changes.push({ service, kind: 'added', reasons: [base ? 'new in the manifest' : 'first release'] })
    else if (base.fingerprints[service] !== target.fingerprints[service]) changes.push({ service, kind: 'changed', reasons: reasonsFor(service, base, target) })
  }
  return changes
}

function reasonsFor(name: string, base: Release, target: Release): readonly string[] {
  const before = base.graph.services[name] as Service
  const after = target.graph.services[name] as Service
  const reasons: string[] = []
  if (base.artifacts[name]?.digest !== target.artifacts[name]?.digest) reasons.push('code')
  else if (base.artifacts[name]?.runtime !== target.artifacts[name]?.runtime) reasons.push('runtime')
  const variables = namesThatDiffer(environmentOf(base, before), environmentOf(target, after))
  if (variables.length > 0) reasons.push(`environment: ${variables.join(', ')}`)
  const secrets = after.secrets.map((it) => it.name).filter((it) => base.configuration.secrets[it] !== target.configuration.secrets[it])
  if (secrets.length > 0) reasons.push(`secrets: ${secrets.join(', ')}`)
  if (before.limits.memoryBytes !== after.limits.memoryBytes)
    reasons.push(`memory ${mebibytes(before.limits.memoryBytes)} → ${mebibytes(after.limits.memoryBytes)} MiB`)
  if (before.limits.cpu !== after.limits.cpu) reasons.push(`cpu ${before.limits.cpu} → ${after.limits.cpu}`)
  const rest = ['command', 'ports', 'calls', 'uses', 'healthcheck', 'secrets', 'stop', 'volumes', 'preStart'] as const
  for (const key of rest) if (canonical(before[key]) !== canonical(after[key])) reasons.push(LABELS[key])
  return reasons.length > 0 ? reasons : ['what it is started from']
}

const LABELS = {
  command: 'command',
  ports: 'ports',
  calls: 'services it calls',
  uses: 'resources it uses',
  healthcheck: 'healthcheck',
  secrets: 'secrets',
  stop: 'stop',
  volumes: 'volumes',
  preStart: 'pre_start',
} as const

function environmentOf(release: Release, service: Service): Record<string, string> {
  return { ...service.environment, ...variablesSet(release.configuration, service.name) }
}

function namesThatDiffer(a: Record<string, string>, b: Record<string, string>): readonly string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => a[key] !== b[key]).sort()
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}

/** Services that cannot serve beside their predecessor: a volume has one writer, and `recreate` was asked for. */
export function isReplaced(graph: AppGraph, name: string): boolean {
  const service = graph.services[name]
  return service !== undefined && (service.volumes.length > 0 || service.release.strategy === 'recreate')
}

/**
 * Why the service's replicas of `base` cannot stay warm after a release with these `breakingMigrations` has taken over, or null when they can.
 *
 * | service                                    | warm | because                                             |
 * |--------------------------------------------|------|-----------------------------------------------------|
 * | has a volume, or strategy recreate         | no   | old and new cannot run side by side                 |
 * | worker                                     | no   | both would take work off the same queue             |
 * | any service, a pre_start not `compatible`  | no   | the old code may not fit the schema any more        |
 * | else                                       | yes  |                                                     |
 */
export function notWarmBecause(base: AppGraph, breaking: readonly string[], name: string): string | null {
  if (isReplaced(base, name)) return 'is replaced, not run side by side (volume or strategy recreate)'
  if (isWorker(base, name)) return 'is a worker: two versions would take work off the same queue'
  if (breaking.length > 0) return `${breaking.join(', ')} is not declared \`compatible: true\``
  return null
}

/** `service/name` of every pre_start command that the release runs and that its predecessor may not survive. */
export function breakingMigrations(target: AppGraph, changed: readonly string[]): readonly string[] {
  return changed.flatMap((name) => (target.services[name]?.preStart ?? []).filter((it) => !it.compatible).map((it) => `${name}/${it.name}`))
}
