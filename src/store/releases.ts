import { randomUUID } from 'node:crypto'
import type { NewEvent, ReleaseChanges, ReleaseKey, ReleaseRecord } from '../controllers/journal.ts'
import type { AppGraph } from '../core/model/app-graph.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Release } from '../core/model/release.ts'
import { WeirError } from '../errors.ts'
import { EVENTS_TURN } from './commit-environment.ts'
import type { Database, Query } from './database.ts'
import { storable } from './json.ts'
import { holdEpoch } from './lease-table.ts'
import { storedRelease } from './load-environment.ts'
import { routesOf } from './writes.ts'

/** `release:e12/7` */
export function releaseHint(key: ReleaseKey): string {
  return `release:${key.environment}/${key.number}`
}

export function unfinishedReleases(query: Query): Promise<ReleaseKey[]> {
  return query.rows<ReleaseKey>(
    `select r.environment, r.number from releases r join environments e on e.id = r.environment
     where r.status in ('queued', 'building') and e.removed_at is null order by r.created_at, r.environment, r.number`,
  )
}

export async function loadRelease(query: Query, key: ReleaseKey): Promise<ReleaseRecord | null> {
  const [row] = await query.rows<Omit<ReleaseRecord, 'key' | 'previous' | 'environment'> & { name: string; previous: Release | null }>(
    `select e.tenant, e.app, e.name, r.status, r.source, r.commit ->> 'commit' as commit, r.configuration, r.graph, r.artifacts, r.by, r.when_busy as "whenBusy", r.manifest, r.because as trouble,
       (select ${storedRelease('p')} from releases p
          join environments pe on pe.id = p.environment and pe.tenant = e.tenant and pe.app = e.app and pe.name = coalesce(r.source ->> 'environment', e.name)
        where r.source ->> 'kind' = 'release' and p.number = (r.source ->> 'number')::int and p.status = 'ready') as previous
     from releases r join environments e on e.id = r.environment where r.environment = $1 and r.number = $2 and e.removed_at is null`,
    [key.environment, key.number],
  )
  if (!row) return null
  const { name, previous, ...record } = row
  return { ...record, key, environment: name, previous }
}

export async function commitRelease(database: Database, epoch: Epoch, key: ReleaseKey, changes: ReleaseChanges): Promise<void> {
  const commit = randomUUID()
  await database.transaction(
    async (query) => {
      await holdEpoch(query, epoch)
      const { graph } = await update(query, key, changes, commit)
      if (changes.status === 'ready') {
        if (!graph) throw new WeirError('E_INTERNAL', { message: `release v${key.number} is ready without a graph` })
        await claimRoutes(query, key.environment, graph)
        await query.rows(
          `insert into commands (environment, command, by)
           select environment, json_strip_nulls(json_build_object('kind', 'deploy', 'release', number, 'whenBusy', when_busy,
             'again', nullif(again, false), 'forward', nullif(forward, false))), by from releases where environment = $1 and number = $2`,
          [key.environment, key.number],
        )
        await query.rows('select pg_notify($1, $2)', ['weir', `env:${key.environment}`])
      }
      await appendEvents(query, key.environment, changes.events)
    },
    async (query) =>
      (await query.rows('select 1 from releases where environment = $1 and number = $2 and last_commit = $3', [key.environment, key.number, commit])).length ===
      1,
  )
}

async function update(query: Query, key: ReleaseKey, changes: ReleaseChanges, commit: string): Promise<{ graph: AppGraph | null }> {
  const json = (value: unknown) => (value === undefined ? null : storable(value))
  const [row] = await query.rows<{ graph: AppGraph | null }>(
    `update releases set status = $3, graph = coalesce($4::json, graph), artifacts = coalesce($5::json, artifacts), fingerprints = coalesce($6::json, fingerprints),
       commit = coalesce($7::json, commit), because = $8::json, last_commit = $9::uuid,
       notes = (select coalesce(json_agg(note), '[]') from (select value as note from json_array_elements(notes) union all select value from json_array_elements($10::json)) both_notes),
       ready_at = case when $3 = 'ready' then now() end
     where environment = $1 and number = $2 and status in ('queued', 'building') returning graph`,
    [
      key.environment,
      key.number,
      changes.status,
      json(changes.graph),
      json(changes.artifacts),
      json(changes.fingerprints),
      json(changes.commit),
      json(changes.because),
      commit,
      storable(changes.notes ?? []),
    ],
  )
  if (row) return row
  const [present] = await query.rows<{ status: string }>('select status from releases where environment = $1 and number = $2', [key.environment, key.number])
  if (!present) throw new WeirError('E_NOT_FOUND', { message: `no release v${key.number} in ${key.environment}` })
  throw new WeirError('E_CONFLICT', { message: `release v${key.number} is ${present.status} and cannot change any more` })
}

/**
 * A route belongs to one environment; a host (and what a wildcard covers) to one tenant, so that nobody slips a path in under another's
 * name. Claims take turns: overlap of wildcards is nothing that an index could refuse.
 */
async function claimRoutes(query: Query, environment: string, graph: AppGraph): Promise<void> {
  const routes = routesOf(graph)
  if (routes.length === 0) return
  await query.rows('select pg_advisory_xact_lock(hashtext($1))', ['weir routes'])
  const hosts = routes.map((route) => route.host ?? '')
  const paths = routes.map((route) => route.path)
  const [taken] = await query.rows<{ host: string; path: string }>(
    `select w.host, w.path from unnest($2::text[], $3::text[]) as w(host, path)
     join environments e on e.id = $1
     join route_claims c on (c.environment <> $1 and c.host = w.host and c.path = w.path)
       or (c.tenant <> e.tenant and w.host <> '' and c.host <> '' and (c.host = w.host
         or (left(c.host, 2) = '*.' and substr(w.host, strpos(w.host, '.')) = substr(c.host, 2))
         or (left(w.host, 2) = '*.' and substr(c.host, strpos(c.host, '.')) = substr(w.host, 2))))
     limit 1`,
    [environment, hosts, paths],
  )
  if (taken) {
    throw new WeirError('E_CONFLICT', {
      message: `the route ${taken.host === '' ? '(any host)' : taken.host}${taken.path} is taken`,
      cause: 'another app on this installation has it, or has its host',
      state: 'nothing was changed',
      next: 'choose another host or path in `routes`',
    })
  }
  await query.rows(
    `insert into route_claims (host, path, environment, tenant)
     select distinct w.host, w.path, e.id, e.tenant from unnest($2::text[], $3::text[]) as w(host, path), environments e where e.id = $1
     on conflict (host, path) do nothing`,
    [environment, hosts, paths],
  )
}

/** Last in a transaction: whoever appends keeps other appenders waiting until its commit. */
export async function appendEvents(query: Query, environment: string, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return
  await query.rows('select pg_advisory_xact_lock($1)', [EVENTS_TURN])
  await query.rows(
    `insert into events (tenant, app, environment, kind, text, service, release, data)
     select e.tenant, e.app, e.name, x.kind, x.text, x.service, x.release, x.data from environments e,
       rows from (json_to_recordset($2::json) as (kind text, text text, service text, release int, data json)) with ordinality as x(kind, text, service, release, data, place)
     where e.id = $1 order by x.place`,
    [environment, storable(events)],
  )
  await query.rows("select pg_notify('weir', 'events')")
}
