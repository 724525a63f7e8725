import { randomUUID } from 'node:crypto'
import type { EnvironmentChanges } from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import { WeirError } from '../errors.ts'
import type { Database, Query } from './database.ts'
import { cleanText, storable } from './json.ts'
import { staleEpoch } from './lease.ts'
import { releasesNamed, summarise } from './summary.ts'

/** Writers of events take turns until their commit, so that sequence numbers become visible in their order and no reader skips one. */
export const EVENTS_TURN = 4_711

/**
 * Saves one environment's pass in one statement, hence one round trip and one transaction: it is on the critical path of every deploy.
 * Nothing of it happens unless the lease still has `epoch`; its row stays share-locked to the end, so no newer epoch can begin in between.
 */
export async function commitEnvironment(database: Database, epoch: Epoch, id: string, changes: EnvironmentChanges, now: number): Promise<void> {
  const commit = randomUUID()
  const statement = { name: 'commit-environment', text: COMMIT, values: parameters(epoch, id, changes, now, commit) }
  const landed = async (query: Query): Promise<Outcome[] | null> => {
    const rows = await query.rows('select 1 from environments where id = $1 and last_commit = $2', [id, commit])
    return rows.length === 1 ? [{ held: 1, saved: 1 }] : null
  }
  const [outcome] = changes.removed
    ? await database.transaction(async (query) => {
        const rows = await query.rows<Outcome>(statement.text, statement.values)
        if (rows[0]?.saved === 1) await forget(query, id, changes.state.removing?.withData ?? false)
        return rows
      }, null)
    : await database.write<Outcome>(statement, landed)
  if (outcome?.held !== 1) throw staleEpoch(epoch)
  // a repeated removal whose first answer was lost finds nothing any more: that is what was asked for
  if (outcome.saved !== 1 && !changes.removed) throw new WeirError('E_NOT_FOUND', { message: `no environment ${id}` })
}

interface Outcome {
  readonly held: number
  readonly saved: number
}

const COMMIT = `
with held as materialized (
  select 1 from lease where epoch = $1 for share
), saved as (
  update environments set state = $3::json, named = $4::int[], clock_ms = greatest(clock_ms, $5::bigint), last_commit = $6::uuid,
    current = $7, rollout = $8, rollout_target = $9, rollout_phase = $10, rollout_weight = $11, status = $12, services = $13, replicas = $14,
    revision = revision + 1, updated_at = now()
  where id = $2 and removed_at is null and exists (select from held)
  returning id, tenant, app, name
), consumed as (
  update commands c set consumed_at = now(), refused = x.refused, rollout = x.rollout
  from saved, json_to_recordset($15::json) as x(id bigint, refused json, rollout text)
  where c.id = x.id and c.environment = saved.id
), ran as (
  update releases r set origins = coalesce(x.origins, r.origins), promoted_at = case when x.promoted then now() else r.promoted_at end
  from saved, json_to_recordset($16::json) as x(release int, origins json, promoted boolean)
  where r.environment = saved.id and r.number = x.release
), rolled as (
  insert into rollouts (environment, id, kind, target, base, by, strategy, phase, weight, outcome, because, look, ended_at)
  select saved.id, x.id, x.kind, x.target, x.base, x.by, x.strategy, x.phase, x.weight, x.outcome, x.because, x.look, case when x.outcome is not null then now() end
  from saved, json_to_recordset($17::json)
    as x(id text, kind text, target int, base int, by text, strategy text, phase text, weight int, outcome text, because json, look json)
  on conflict (environment, id) do update set phase = excluded.phase, weight = excluded.weight, outcome = excluded.outcome, because = excluded.because,
    look = coalesce(excluded.look, rollouts.look), ended_at = coalesce(rollouts.ended_at, excluded.ended_at)
), tried as (
  insert into trials (environment, id, release, requests, max_log_e, alarm, design_effect, ended_at)
  select saved.id, x.id, x.release, x.requests, x."maxLogE", x.alarm, x."designEffect", case when x.ended then now() end
  from saved, json_to_recordset($20::json)
    as x(id text, release int, requests bigint, "maxLogE" float8, alarm boolean, "designEffect" float8, ended boolean)
  on conflict (environment, id) do update set requests = excluded.requests, max_log_e = excluded.max_log_e, alarm = excluded.alarm,
    design_effect = excluded.design_effect, ended_at = coalesce(trials.ended_at, excluded.ended_at)
), operated as (
  insert into operations (environment, id, kind, target, outcome, cause, ended_at)
  select saved.id, x.id, x.kind, x.target, x.outcome, x.cause, case when x.outcome <> 'intended' then now() end
  from saved, json_to_recordset($18::json) as x(id text, kind text, target text, outcome text, cause text)
  on conflict (environment, id) do update set outcome = excluded.outcome, cause = excluded.cause, ended_at = excluded.ended_at
), turn as materialized (
  select id, tenant, app, name, case when json_array_length($19::json) > 0 then pg_advisory_xact_lock(${EVENTS_TURN}) end from saved
), told as (
  insert into events (tenant, app, environment, kind, text, service, release, data)
  select turn.tenant, turn.app, turn.name, x.kind, x.text, x.service, x.release, x.data
  from turn, rows from (json_to_recordset($19::json) as (kind text, text text, service text, release int, data json)) with ordinality as x(kind, text, service, release, data, place)
  order by x.place
  returning 1
)
select (select count(*) from held) as held, (select count(*) from saved) as saved,
  (select case when count(*) > 0 then pg_notify('weir', 'events') end from told) as hinted`

function parameters(epoch: Epoch, id: string, changes: EnvironmentChanges, now: number, commit: string): unknown[] {
  const summary = summarise(changes.state)
  return [
    epoch,
    id,
    storable(changes.state),
    releasesNamed(changes.state),
    now,
    commit,
    summary.current,
    summary.rollout === null ? null : cleanText(summary.rollout),
    summary.rolloutTarget,
    summary.rolloutPhase,
    summary.rolloutWeight === null ? null : Math.round(summary.rolloutWeight),
    summary.status,
    summary.services,
    summary.replicas,
    storable(changes.consumed),
    storable(releasesThatRan(changes)),
    storable(lastOfEach(changes.rollouts)),
    storable(lastOfEach(changes.operations)),
    storable(changes.events),
    storable(lastOfEach(changes.trials)),
  ]
}

/** One row a release: a statement must not update the same row twice. */
function releasesThatRan(changes: EnvironmentChanges): readonly { release: number; origins: unknown; promoted: boolean }[] {
  const origins = new Map(changes.origins.map((row) => [row.release, row.origins]))
  const promoted = new Set(changes.promoted)
  return [...new Set([...origins.keys(), ...promoted])].map((release) => ({ release, origins: origins.get(release) ?? null, promoted: promoted.has(release) }))
}

function lastOfEach<T extends { readonly id: string }>(rows: readonly T[]): readonly T[] {
  return [...new Map(rows.map((row) => [row.id, row])).values()]
}

/**
 * With its data, all of it goes. Without, the row stays, hidden, and the next environment of that name takes over its id: under it the
 * driver keeps the data.
 */
async function forget(query: Query, id: string, withData: boolean): Promise<void> {
  if (withData) {
    await query.rows(
      `with gone as (delete from environments where id = $1 returning tenant, app)
       delete from apps a using gone where a.tenant = gone.tenant and a.name = gone.app
         and not exists (select from environments e where e.tenant = a.tenant and e.app = a.name and e.id <> $1)`,
      [id],
    )
  } else {
    await query.rows('update environments set removed_at = now(), port = null where id = $1', [id])
    await query.rows('delete from follows where environment = $1', [id])
    await query.rows('delete from route_claims where environment = $1', [id])
    await query.rows('update commands set consumed_at = now(), refused = $2 where environment = $1 and consumed_at is null', [
      id,
      storable({ code: 'E_NOT_FOUND', text: 'the environment was removed', lines: [] }),
    ])
  }
}
