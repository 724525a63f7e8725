import { textDigest } from '../model/digest.ts'
import type { Epoch } from '../model/epoch.ts'
import type { Listener, RoutingTable, ServiceTargets, TargetGroup, TrafficSplit } from '../model/routing.ts'
import { AA_WEIGHT, type Trial } from '../rollout/judging.ts'
import type { EnvironmentState, ReplicaRecord, Rollout } from '../rollout/state.ts'
import { type Releases, type RunningRelease, servicesOfTarget } from './desired.ts'
import { canonical } from './fingerprint.ts'
import type { Operation } from './operations.ts'
import type { Seen } from './seen.ts'

const FIRST_BYTE_TIMEOUT_MS = 60_000
const BODY_LIMIT_BYTES = 64 * 1024 * 1024

export interface Place {
  readonly environment: string
  readonly label: string
  /** Public port for an app without routes. */
  readonly port: number
  /** Loopback address of the app's edges. */
  readonly edgeAddress: string
}

export interface TableDecision {
  readonly table: EnvironmentState['table']
  readonly replicas: EnvironmentState['replicas']
  readonly operations: readonly Operation[]
}

/**
 * The routing table for what is remembered and seen. It gets a new version only when its content changed, and every replica retired in
 * this pass learns the first version that is without it. While a rollout switches, the target is already `current` (see core/rollout/step).
 */
export function decideTable(place: Place, state: EnvironmentState, releases: Releases, seen: Seen, epoch: Epoch): TableDecision {
  const content = tableContent(place, state, releases, seen)
  const digest = textDigest(canonical(content))
  const last = state.table
  // Not everyone has it: a publish lost in a crash, a gateway that started with an older file.
  const lost = !seen.traffic.hasTable || seen.traffic.acknowledged === null || last === null || seen.traffic.acknowledged.n < last.version.n
  // What an earlier epoch left unpublished goes out under this one: the gateway refuses the earlier one by now.
  const renewed = last?.digest !== digest || (lost && last.version.epoch !== epoch)
  // An environment that was removed and came back counts on from where the gateway is.
  const newest = Math.max(last?.version.n ?? 0, seen.traffic.acknowledged?.n ?? 0)
  const version = renewed ? { epoch, n: newest + 1 } : last.version
  const operations: Operation[] = renewed || lost ? [{ kind: 'publish-table', table: { ...content, version } }] : []
  return { table: { version, digest }, replicas: withVersion(state.replicas, version.n), operations }
}

function withVersion(replicas: EnvironmentState['replicas'], n: number): EnvironmentState['replicas'] {
  const result: Record<string, ReplicaRecord> = {}
  for (const [id, record] of Object.entries(replicas)) {
    result[id] = record.retired && record.retired.version === 0 ? { ...record, retired: { ...record.retired, version: n } } : record
  }
  return result
}

function tableContent(place: Place, state: EnvironmentState, releases: Releases, seen: Seen): Omit<RoutingTable, 'version'> {
  const current = state.current === null ? null : (releases[state.current] ?? null)
  const canary = canaryOf(state, releases)
  const copied = state.rollout?.phase.name === 'shadowing'
  const services: Record<string, ServiceTargets> = {}
  for (const name of new Set([...Object.keys(current?.graph.services ?? {}), ...Object.keys(canary?.release.graph.services ?? {})])) {
    const spec = current?.graph.services[name] ?? canary?.release.graph.services[name]
    services[name] = {
      stable: targets(state, seen, name, current?.origins[name] ?? 0, stoppedCause(state, name)),
      canary: canary?.services.includes(name) ? targets(state, seen, name, canary.release.number, null) : null,
      timeoutMs: FIRST_BYTE_TIMEOUT_MS,
      drainMs: spec?.stop.graceMs ?? 10_000,
      bodyLimit: BODY_LIMIT_BYTES,
    }
  }
  return {
    environment: place.environment,
    label: place.label,
    listeners: [...(current ? entries(place, current) : []), ...edges(place, state, releases, canary, services)],
    services,
    split: state.rollout && canary && current && !copied ? splitOf(state.rollout) : null,
    trial: state.rollout || state.current !== state.trial?.release ? null : trialOf(state.trial),
    shadow: state.rollout && canary && current && copied ? shadowOf(state.rollout) : null,
  }
}

interface Canary {
  readonly release: RunningRelease
  /** Services with replicas of the target beside those of the base. */
  readonly services: readonly string[]
  readonly alone: boolean
}

const TAKEN_OVER_OR_BACK: ReadonlySet<Rollout['phase']['name']> = new Set(['switching', 'watching', 'restoring'])

/** The target of a rollout that has not taken over yet; going back, it takes no more requests. */
function canaryOf(state: EnvironmentState, releases: Releases): Canary | null {
  const rollout = state.rollout
  const release = rollout ? releases[rollout.target] : undefined
  if (!rollout || !release || TAKEN_OVER_OR_BACK.has(rollout.phase.name)) return null
  const services = servicesOfTarget(rollout)
  const changed = rollout.stages.flatMap((stage) => stage.map((it) => it.service))
  const only = changed.length === 1 ? changed[0] : undefined
  const alone = only !== undefined && release.graph.services[only]?.routes.length === 0 && release.graph.entry?.service !== only
  return { release, services, alone }
}

function targets(state: EnvironmentState, seen: Seen, service: string, origin: number, stopped: string | null): TargetGroup {
  const list: TargetGroup['targets'][number][] = []
  let cause: string | null = stopped
  for (const [id, record] of Object.entries(state.replicas)) {
    if (record.service !== service || record.origin !== origin) continue
    const replica = seen.replicas.get(id)
    if (!record.retired && replica?.phase === 'ready') list.push({ id, address: replica.address, ports: replica.ports })
    else if (!record.retired && replica?.cause) cause ??= replica.cause
  }
  return { origin, targets: list, cause: list.length > 0 ? null : (cause ?? 'no replica is ready yet') }
}

function stoppedCause(state: EnvironmentState, service: string): string | null {
  return state.stopped.includes('*') || state.stopped.includes(service) ? 'stopped by hand' : null
}

function entries(place: Place, release: RunningRelease): readonly Listener[] {
  const listeners: Listener[] = []
  for (const service of Object.values(release.graph.services)) {
    for (const route of service.routes) {
      listeners.push({
        kind: 'route',
        host: route.host,
        path: route.path,
        service: service.name,
        port: route.port,
        protocol: protocolOf(release, service.name, route.port),
      })
    }
  }
  const entry = release.graph.entry
  if (entry)
    listeners.push({ kind: 'port', listen: place.port, service: entry.service, port: entry.port, protocol: protocolOf(release, entry.service, entry.port) })
  return listeners
}

function edges(
  place: Place,
  state: EnvironmentState,
  releases: Releases,
  canary: Canary | null,
  services: Readonly<Record<string, ServiceTargets>>,
): readonly Listener[] {
  return state.edges.flatMap((edge): Listener[] => {
    if (!services[edge.service]) return [] // a draining caller of a service that is gone
    const isTarget = canary !== null && edge.origin === canary.release.number
    const release = isTarget ? canary.release : (releases[state.current ?? -1] ?? canary?.release)
    const protocol = release ? protocolOf(release, edge.service, edge.port) : 'http'
    return [
      {
        kind: 'edge',
        id: edge.id,
        address: place.edgeAddress,
        listen: edge.listen,
        caller: edge.caller,
        origin: edge.origin,
        service: edge.service,
        port: edge.port,
        protocol,
        track: !canary ? 'stable' : isTarget ? (isShadow(state.rollout) ? 'shadow' : 'canary') : canary.alone ? 'split' : 'baggage',
      },
    ]
  })
}

function protocolOf(release: RunningRelease, service: string, port: string): 'http' | 'grpc' {
  return release.graph.services[service]?.ports[port]?.protocol === 'grpc' ? 'grpc' : 'http'
}

function splitOf(rollout: Rollout): TrafficSplit {
  const weight = rollout.phase.name === 'splitting' ? rollout.phase.weight : 0
  const by = rollout.split ?? { by: 'request' as const }
  const judge = judgedOf(rollout)
  switch (by.by) {
    case 'request':
    case 'client':
      return { rollout: rollout.id, weight, by: { kind: by.by }, judge }
    case 'header':
    case 'cookie':
      return { rollout: rollout.id, weight, by: { kind: by.by, name: by.name }, judge }
  }
}

/** Evidence is counted from the first request that is split, by what stood in the state before it. */
function judgedOf({ judging, phase }: Rollout): TrafficSplit['judge'] {
  return judging && phase.name === 'splitting' ? { stage: judging.stage, unit: judging.unit, thresholds: judging.thresholds } : null
}

/** Until they have taken over, replicas of a shadow must not change anything: not by their answers, not by what they call. */
function isShadow(rollout: Rollout | null): boolean {
  if (!rollout?.shadow) return false
  const { phase } = rollout
  return phase.name === 'starting' || phase.name === 'shadowing' || (phase.name === 'held' && phase.then === 'starting')
}

function shadowOf({ id, shadow, phase, judging }: Rollout): RoutingTable['shadow'] {
  if (!shadow || phase.name !== 'shadowing' || phase.over) return null
  return { rollout: id, share: shadow.share * 100, methods: shadow.methods, diff: shadow.diff, thresholds: judging?.thresholds ?? {} }
}

function trialOf(trial: Trial | null): RoutingTable['trial'] {
  return trial && { id: trial.id, weight: AA_WEIGHT, unit: trial.unit, thresholds: trial.thresholds }
}
