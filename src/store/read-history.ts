import { mergeSketches } from '../core/model/latency-sketch.ts'
import type { Query } from './database.ts'
import { askFor, beforeNumber, pageOf } from './page.ts'
import type {
  AuditEntry,
  CommandDetail,
  EnvironmentRef,
  EventFilter,
  OperationDetail,
  Page,
  PageRequest,
  ReleaseDetail,
  ReleaseSummary,
  RolloutDetail,
  StoredEvent,
  TrafficRow,
} from './queries.ts'

const MOST_EVENTS = 1_000

/** Joins the environment `e` of (tenant, app, name) = ($1, $2, $3) to whatever hangs on it: another tenant's rows cannot appear. */
const IN_ENVIRONMENT = 'join environments e on e.tenant = $1 and e.app = $2 and e.name = $3 and e.removed_at is null and e.id ='

const RELEASE = `r.number, r.status, r.source, r.commit, r.by, r.followed_commit is not null as followed, r.created_at as "createdAt",
  r.ready_at as "readyAt", r.promoted_at as "promotedAt", r.because`

export async function readReleases(query: Query, ref: EnvironmentRef, page: PageRequest): Promise<Page<ReleaseSummary>> {
  const text = `select ${RELEASE} from releases r ${IN_ENVIRONMENT} r.environment where r.number < $4 order by r.number desc limit $5`
  // numbers of releases are ints: no page starts beyond them
  const before = Math.min(beforeNumber(page), 2_147_483_647)
  const rows = await query.prepared<ReleaseSummary>('releases', text, [...keysOf(ref), before, askFor(page)])
  return pageOf(rows, page, (row) => row.number)
}

export async function readRelease(query: Query, ref: EnvironmentRef, number: number): Promise<ReleaseDetail | null> {
  const text = `select ${RELEASE}, r.graph, r.artifacts, r.fingerprints, r.configuration, r.origins, r.notes, r.manifest
    from releases r ${IN_ENVIRONMENT} r.environment where r.number::bigint = $4`
  const [row] = await query.prepared<ReleaseDetail>('release', text, [...keysOf(ref), number])
  return row ?? null
}

/** Without its tests, which are many. */
const VERDICT = `(select json_build_object('kind', v -> 'kind', 'text', v -> 'text', 'needsS', v -> 'needsS', 'share', v -> 'share', 'counted', v -> 'counted',
  'unproven', v -> 'unproven') from (select o.look -> 'verdict' as v) l where v is not null)`
const ROLLOUT = `o.id, o.kind, o.target, o.base, o.by, o.strategy, o.phase, o.weight, o.outcome, o.because, ${VERDICT} as verdict, o.started_at as "startedAt", o.ended_at as "endedAt"`

export async function readRollouts(query: Query, ref: EnvironmentRef, page: PageRequest): Promise<Page<RolloutDetail>> {
  const text = `select ${ROLLOUT}, o.seq from rollouts o ${IN_ENVIRONMENT} o.environment where o.seq < $4 order by o.seq desc limit $5`
  const rows = await query.prepared<RolloutDetail & { seq: number }>('rollouts', text, [...keysOf(ref), beforeNumber(page), askFor(page)])
  return withoutSeq(pageOf(rows, page, (row) => row.seq))
}

export async function readRollout(query: Query, ref: EnvironmentRef, id: string): Promise<RolloutDetail | null> {
  const [row] = await query.prepared<RolloutDetail>('rollout', `select ${ROLLOUT} from rollouts o ${IN_ENVIRONMENT} o.environment where o.id = $4`, [
    ...keysOf(ref),
    id,
  ])
  return row ?? null
}

export async function readOperations(query: Query, ref: EnvironmentRef, page: PageRequest): Promise<Page<OperationDetail>> {
  const text = `select o.id, o.kind, o.target, o.outcome, o.cause, o.intended_at as "intendedAt", o.ended_at as "endedAt", o.seq
    from operations o ${IN_ENVIRONMENT} o.environment where o.seq < $4 order by o.seq desc limit $5`
  const rows = await query.prepared<OperationDetail & { seq: number }>('operations', text, [...keysOf(ref), beforeNumber(page), askFor(page)])
  return withoutSeq(pageOf(rows, page, (row) => row.seq))
}

export async function readCommand(query: Query, ref: EnvironmentRef, id: number): Promise<CommandDetail | null> {
  const text = `select c.id, c.command ->> 'kind' as kind, c.by, c.refused as because, c.rollout, c.created_at as at,
      case when c.consumed_at is null then 'pending' when c.refused is not null then 'refused' else 'consumed' end as outcome
    from commands c ${IN_ENVIRONMENT} c.environment where c.id = $4`
  const [row] = await query.prepared<CommandDetail>('command', text, [...keysOf(ref), id])
  return row ?? null
}

export async function readEvents(query: Query, filter: EventFilter, after: number, limit: number): Promise<readonly StoredEvent[]> {
  // an app of null is the whole tenant; two texts, so that each has its index
  const [name, app] = filter.app === null ? ['events-of-tenant', '$2::text is null'] : ['events-of-app', 'app = $2']
  const text = `select seq, at, tenant, app, environment, kind, text, service, release, data from events
    where tenant = $1 and ${app} and ($3::text is null or environment = $3) and seq > $4 order by seq limit $5`
  return query.prepared<StoredEvent>(name, text, [filter.tenant, filter.app, filter.environment, after, Math.min(Math.max(limit, 1), MOST_EVENTS)])
}

export async function readNewestEvents(query: Query, filter: EventFilter, page: PageRequest): Promise<Page<StoredEvent>> {
  const [name, app] = filter.app === null ? ['newest-events-of-tenant', '$2::text is null'] : ['newest-events-of-app', 'app = $2']
  const text = `select seq, at, tenant, app, environment, kind, text, service, release, data from events
    where tenant = $1 and ${app} and ($3::text is null or environment = $3) and seq < $4 order by seq desc limit $5`
  const rows = await query.prepared<StoredEvent>(name, text, [filter.tenant, filter.app, filter.environment, beforeNumber(page), askFor(page)])
  return pageOf(rows, page, (row) => row.seq)
}

export async function readLastEvent(query: Query): Promise<number> {
  const [row] = await query.rows<{ last: number }>('select coalesce(max(seq), 0) as last from events')
  return row?.last ?? 0
}

export async function readAudit(query: Query, tenant: string | null, page: PageRequest): Promise<Page<AuditEntry>> {
  // two texts, because `is not distinct from` has no index
  const [name, whose] = tenant === null ? ['audit-of-installation', 'tenant is null and $1::text is null'] : ['audit-of-tenant', 'tenant = $1']
  const text = `select seq, at, tenant, by, action, target, detail from audit where ${whose} and seq < $2 order by seq desc limit $3`
  const rows = await query.prepared<AuditEntry>(name, text, [tenant, beforeNumber(page), askFor(page)])
  return pageOf(rows, page, (row) => row.seq)
}

export async function readTraffic(query: Query, ref: EnvironmentRef, sinceMs: number): Promise<readonly TrafficRow[]> {
  const rows = await query.prepared<Omit<TrafficRow, 'latency'> & { latency: readonly (readonly number[])[] }>(
    'traffic',
    `select c.service, c.origin, c.track, c.hop, sum(c.requests)::bigint as requests, sum(c.errors)::bigint as errors,
       sum(c.rejected4xx)::bigint as "rejected4xx", sum(c.aborted)::bigint as aborted, json_agg(c.latency) as latency
     from counters c ${IN_ENVIRONMENT} c.environment where c.stored_at > now() - $4 * interval '1 ms' group by 1, 2, 3, 4 order by 1, 2, 3, 4`,
    [...keysOf(ref), sinceMs],
  )
  return rows.map((row) => ({ ...row, latency: mergeSketches(row.latency) }))
}

function keysOf(ref: EnvironmentRef): [string, string, string] {
  return [ref.tenant, ref.app, ref.environment]
}

function withoutSeq<T extends { readonly seq: number }>(page: Page<T>): Page<Omit<T, 'seq'>> {
  return { ...page, items: page.items.map(({ seq: _seq, ...row }) => row) }
}
