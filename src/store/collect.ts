import type { Kept, RetentionPolicy } from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Database, Query } from './database.ts'
import { holdEpoch } from './lease-table.ts'
import { foldUsage } from './replica-usage.ts'

export const IDEMPOTENCY_MS = 24 * 3_600_000

/**
 * Forgets what the policy lets go, and says what is still needed of files. A release stays while it is among the newest, unfinished,
 * named by the state (running, warm, waiting, origin of a replica) or by a pending command, the source of an unfinished one, or one of
 * the two promoted last (so that there is a way back). Of a removed environment none stays.
 */
export function collect(database: Database, epoch: Epoch, policy: RetentionPolicy): Promise<Kept> {
  return database.transaction(async (query) => {
    await holdEpoch(query, epoch)
    await query.rows('set local statement_timeout = 0')
    // locks what could come to need a release while it is being forgotten: new releases and saved states wait for the end of this
    await query.rows('select 1 from environments order by id for no key update')
    await query.rows(RELEASES, [policy.releases])
    await query.rows(SECRETS)
    await query.rows(ROUTES)
    await query.rows(`delete from events where at < now() - $1 * interval '1 ms'`, [policy.eventsMs])
    await query.rows(`delete from operations where outcome <> 'intended' and ended_at < now() - $1 * interval '1 ms'`, [policy.eventsMs])
    await query.rows(`delete from rollouts where ended_at < now() - $1 * interval '1 ms'`, [policy.eventsMs])
    await query.rows(`delete from commands where consumed_at < now() - $1 * interval '1 ms'`, [policy.eventsMs])
    await query.rows(`delete from counters where stored_at < now() - $1 * interval '1 ms'`, [policy.countersMs])
    await query.rows(`delete from counter_sums where begins < now() - interval '1 day'`)
    await query.rows(`delete from probe_results where at < now() - $1 * interval '1 ms'`, [policy.countersMs])
    await query.rows(`delete from notify_deliveries where outcome = 'delivered' and ended_at < now() - $1 * interval '1 ms'`, [policy.countersMs])
    await query.rows(`delete from notify_deliveries where outcome = 'dead' and ended_at < now() - $1 * interval '1 ms'`, [policy.eventsMs])
    await foldUsage(query, policy.eventsMs)
    await query.rows(EVIDENCE, [policy.evidence])
    await query.rows(`delete from counter_blocks where stored_at < now() - $1 * interval '1 ms'`, [policy.countersMs])
    await query.rows(`delete from idempotency where created_at < now() - $1 * interval '1 ms'`, [IDEMPOTENCY_MS])
    await query.rows(`delete from tokens where expires_at < now() - interval '30 days' or revoked_at < now() - interval '30 days'`)
    await query.rows(`delete from login_attempts where window_start < now() - interval '1 hour'`)
    return kept(query)
  }, null)
}

const RELEASES = `
delete from releases r using (
  select r.environment, r.number, e.tenant, e.app, e.name, e.named, e.removed_at is not null as removed,
    row_number() over (partition by r.environment order by r.number desc) as newest,
    row_number() over (partition by r.environment order by r.promoted_at desc nulls last, r.number desc) as promoted_last
  from releases r join environments e on e.id = r.environment
) k
where k.environment = r.environment and k.number = r.number and (k.removed or (
  r.status in ('ready', 'failed') and k.newest > $1 and r.number <> all (k.named)
  and not (r.promoted_at is not null and k.promoted_last <= 2)
  and not exists (select from commands c where c.environment = r.environment and c.consumed_at is null
    and coalesce(c.command ->> 'release', c.command ->> 'to') = r.number::text)
  and not exists (select from releases u join environments ue on ue.id = u.environment
    where u.status in ('queued', 'building') and u.source ->> 'kind' = 'release' and u.source ->> 'number' = r.number::text
      and ue.tenant = k.tenant and ue.app = k.app and coalesce(u.source ->> 'environment', ue.name) = k.name)))`

/** Old versions that no release was made with; the newest of each name stays, it is staged. */
const SECRETS = `
delete from secrets s
where s.version < (select max(n.version) from secrets n where n.environment = s.environment and n.name = s.name)
  and not exists (select from releases r where r.environment = s.environment and r.configuration -> 'secrets' ->> s.name = s.version::text)`

/** All but that of the newest rollouts and trials of each environment: the one that runs is among them. */
const EVIDENCE = `
delete from evidence v using (
  select environment, rollout, row_number() over (partition by environment order by max(seq) desc) as newest from evidence group by environment, rollout
) k
where k.newest > $1 and k.environment = v.environment and k.rollout = v.rollout`

/** Claims of releases that are gone. */
const ROUTES = `
delete from route_claims c
where not exists (
  select from releases r, json_each(r.graph -> 'services') as s, json_array_elements(s.value -> 'routes') as route
  where r.environment = c.environment and r.status = 'ready' and coalesce(route ->> 'host', '') = c.host and route ->> 'path' = c.path
)`

async function kept(query: Query): Promise<Kept> {
  const artifacts = await query.rows<{ digest: string; key: string }>(
    `select distinct a.value ->> 'digest' as digest, a.value ->> 'key' as key from releases r, json_each(r.artifacts) as a`,
  )
  const uploads = await query.rows<{ digest: string }>(`select distinct source ->> 'digest' as digest from releases where source ->> 'kind' = 'upload'`)
  const mirrors = await query.rows<{ tenant: string; url: string }>(
    `select e.tenant, r.source ->> 'url' as url from releases r join environments e on e.id = r.environment where r.source ->> 'kind' = 'git'
     union select e.tenant, f.url from follows f join environments e on e.id = f.environment`,
  )
  return {
    slugs: new Set(artifacts.map((artifact) => artifact.digest)),
    buildKeys: new Set(artifacts.map((artifact) => artifact.key)),
    uploads: new Set(uploads.map((upload) => upload.digest)),
    mirrors,
  }
}
