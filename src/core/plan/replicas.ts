import { exitText, type ObservedReplica, type ReplicaName, replicaId } from '../model/replica.ts'
import type { EnvironmentState, ReplicaRecord } from '../rollout/state.ts'
import { isReplaced } from './changes.ts'
import { type Group, groupKey, type Releases } from './desired.ts'
import type { Operation } from './operations.ts'
import type { Seen } from './seen.ts'

/** Back-off of replicas that a driver gave up on outside a rollout: 1 s, 2 s, 4 s … 60 s. */
const SETBACK_FIRST_MS = 1_000
const SETBACK_MOST_MS = 60_000

/** Given to a replica whose gateway still counts something in flight, on top of the service's own grace. */
const DRAIN_MARGIN_MS = 1_000

export interface ReplicaInput {
  readonly environment: string
  readonly state: EnvironmentState
  readonly groups: readonly Group[]
  readonly releases: Releases
  readonly seen: Seen
  /** Group keys that must not start yet: a pre_start command has not succeeded, an edge is not open yet. */
  readonly blocked: ReadonlySet<string>
  readonly now: number
}

export interface ReplicaDecision {
  readonly replicas: EnvironmentState['replicas']
  readonly setbacks: EnvironmentState['setbacks']
  readonly nextSerial: number
  readonly operations: readonly Operation[]
  readonly wakeAt: number | null
}

/**
 * Brings replica records and processes towards the wanted groups. Ids are given here and saved before anything starts.
 *
 * | record          | observed              | does                                                     |
 * |-----------------|-----------------------|----------------------------------------------------------|
 * | wanted          | nothing               | start (again: the effect adopts by id)                   |
 * | wanted          | failed, stopped       | retire; another one after a back-off                     |
 * | wanted, surplus | anything              | retire, the youngest first, unready before ready         |
 * | wanted, stale   | fresh ones are ready  | retire                                                   |
 * | retired         | runs                  | stop, once out of every worker's table and drained       |
 * | retired         | nothing               | forget the record                                        |
 * | –               | runs                  | stop: nobody wants it                                    |
 */
export function decideReplicas({ environment, state, groups, releases, seen, blocked, now }: ReplicaInput): ReplicaDecision {
  const records: Record<string, ReplicaRecord> = { ...state.replicas }
  const setbacks = { ...state.setbacks }
  let nextSerial = state.nextSerial
  const operations: Operation[] = []
  const wakes: number[] = []
  const wanted = new Map(groups.map((group) => [groupKey(group.service, group.origin), group]))

  const retire = (id: string) => {
    const record = records[id]
    // `version` 0 until the table of this pass has its number: see decideTable
    if (record && !record.retired) records[id] = { ...record, retired: { at: now, version: 0 } }
  }

  for (const [id, record] of Object.entries(records)) {
    if (record.retired) continue
    const phase = seen.replicas.get(id)?.phase
    const died = deathOf(seen.replicas.get(id))
    if (died && died.count > (record.died?.count ?? 0)) records[id] = { ...record, died }
    const key = groupKey(record.service, record.origin)
    if (!wanted.has(key)) retire(id)
    else if (phase === 'failed' || phase === 'stopped') {
      retire(id)
      const count = (setbacks[key]?.count ?? 0) + 1
      setbacks[key] = { count, retryAt: now + Math.min(SETBACK_MOST_MS, SETBACK_FIRST_MS * 2 ** (count - 1)) }
    }
  }

  const byGroup = new Map<string, string[]>()
  for (const [id, record] of Object.entries(records)) {
    if (record.retired) continue
    const key = groupKey(record.service, record.origin)
    const ids = byGroup.get(key)
    if (ids) ids.push(id)
    else byGroup.set(key, [id])
  }

  for (const group of groups) {
    const key = groupKey(group.service, group.origin)
    const ids = byGroup.get(key) ?? []
    const fresh = ids.filter((id) => !records[id]?.stale)
    const stale = ids.filter((id) => records[id]?.stale)
    const readyFresh = fresh.filter((id) => seen.replicas.get(id)?.phase === 'ready')
    if (readyFresh.length > 0) delete setbacks[key]
    const graph = releases[group.release]?.graph
    if (readyFresh.length >= group.count || (graph && isReplaced(graph, group.service))) stale.forEach(retire)
    for (const id of surplus(fresh, group.count, seen)) retire(id)

    const retryAt = setbacks[key]?.retryAt ?? 0
    if (fresh.length < group.count && now < retryAt) wakes.push(retryAt)
    else
      for (let missing = group.count - fresh.length; missing > 0; missing--) {
        const name: ReplicaName = { environment, service: group.service, origin: group.origin, serial: nextSerial++ }
        records[replicaId(name)] = { service: group.service, origin: group.origin, since: now, retired: null, stale: false }
      }
  }
  for (const key of Object.keys(setbacks)) if (!wanted.has(key)) delete setbacks[key]

  for (const [id, record] of Object.entries(records)) {
    const group = wanted.get(groupKey(record.service, record.origin))
    if (record.retired) {
      if (!seen.replicas.has(id)) delete records[id]
      else {
        const until = record.retired.at + graceOf(releases, record) + DRAIN_MARGIN_MS
        if (isDrained(record, id, seen) || (now >= until && isOutOfTable(record, seen)))
          operations.push({ kind: 'stop-replica', id, because: stopReason(seen.replicas.get(id)) })
        else wakes.push(until)
      }
    } else if (
      group &&
      !seen.replicas.has(id) &&
      !blocked.has(groupKey(record.service, record.origin)) &&
      missingFor(group.release, group.service, releases, records, seen) === null
    ) {
      operations.push({ kind: 'start-replica', id, service: record.service, origin: record.origin, release: group.release, because: 'wanted' })
    }
  }
  for (const id of seen.replicas.keys()) if (!records[id] && !state.replicas[id]) operations.push({ kind: 'stop-replica', id, because: 'nobody wants it' })

  return { replicas: records, setbacks, nextSerial, operations, wakeAt: wakes.length > 0 ? Math.min(...wakes) : null }
}

/** A process that ended was started again since, or is going to be, or was given up. */
function deathOf(replica: ObservedReplica | undefined): ReplicaRecord['died'] | null {
  if (!replica?.exit) return null
  const count = replica.restarts + (replica.phase === 'waiting' || replica.phase === 'failed' ? 1 : 0)
  return { count, cause: replica.cause ?? [exitText(replica.exit), replica.lastLines.at(-1)].filter(Boolean).join(': ') }
}

/** Those beyond `count`: unready before ready, then the youngest. */
function surplus(ids: readonly string[], count: number, seen: Seen): readonly string[] {
  if (ids.length <= count) return []
  const ready = (id: string) => (seen.replicas.get(id)?.phase === 'ready' ? 1 : 0)
  return [...ids].sort((a, b) => ready(a) - ready(b) || serialOf(b) - serialOf(a)).slice(0, ids.length - count)
}

function serialOf(id: string): number {
  return Number(id.slice(id.lastIndexOf('-') + 1))
}

/** Nobody routes to it and nothing is in flight. Process already gone: nothing to wait for. */
function isDrained(record: ReplicaRecord, id: string, seen: Seen): boolean {
  const phase = seen.replicas.get(id)?.phase
  return (phase !== 'ready' && phase !== 'unready') || (isOutOfTable(record, seen) && (seen.traffic.inflight[id] ?? 0) === 0)
}

/** Every worker has a table without it (n grows over all epochs). While a worker routes to it, no grace is long enough. */
function isOutOfTable(record: ReplicaRecord, seen: Seen): boolean {
  if (!seen.traffic.hasTable) return true
  const acknowledged = seen.traffic.acknowledged
  return record.retired !== null && record.retired.version !== 0 && acknowledged !== null && acknowledged.n >= record.retired.version
}

function graceOf(releases: Releases, record: ReplicaRecord): number {
  const release = releases[record.origin] ?? Object.values(releases).find((it) => it.origins[record.service] === record.origin)
  return release?.graph.services[record.service]?.stop.graceMs ?? 10_000
}

/**
 * What a service of a release still waits for before anything of it may run, or null. This is the order, whatever is going on (rollout,
 * scaling, a machine that has just booted): resources, then what it depends on in the same release, then itself; and where old and new
 * cannot run side by side, the old ones are gone first.
 */
export function missingFor(releaseNumber: number, service: string, releases: Releases, records: EnvironmentState['replicas'], seen: Seen): string | null {
  const release = releases[releaseNumber]
  const spec = release?.graph.services[service]
  if (!release || !spec) return `release v${releaseNumber}`
  for (const name of spec.uses) if (release.graph.resources[name] && seen.resources.get(name)?.phase !== 'ready') return name
  for (const [name, { condition }] of Object.entries(spec.dependsOn)) {
    const origin = release.origins[name]
    if (origin === undefined) continue
    // What is replaced comes last, when all else of the release is there: until then its predecessor serves the new callers too.
    const anyOrigin = isReplaced(release.graph, name)
    // One that is to go may be stopped in this very pass.
    const phases = Object.entries(records).flatMap(([id, it]) =>
      it.service === name && it.retired === null && (anyOrigin || it.origin === origin) ? [seen.replicas.get(id)?.phase] : [],
    )
    const there = condition === 'started' ? phases.some((it) => it !== undefined) : phases.includes('ready')
    if (!there) return name
  }
  if (isReplaced(release.graph, service)) {
    const other = Object.values(records).some((it) => it.service === service && (it.origin !== release.origins[service] || it.retired !== null))
    if (other) return `the end of the previous ${service}`
  }
  return null
}

function stopReason(replica: ObservedReplica | undefined): string {
  return replica?.phase === 'ready' ? 'drained' : (replica?.cause ?? 'no longer wanted')
}
