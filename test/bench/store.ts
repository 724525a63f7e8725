import { type EnvironmentState, INITIAL_STATE } from '../../src/core/rollout/state.ts'
import type { Database } from '../../src/store/database.ts'
import { graphOf } from '../../src/store/journal-contract.ts'
import { releasesNamed, summarise } from '../../src/store/summary.ts'

/** What a thousand teams would have stored after a while. */
export interface Seed {
  readonly tenant: string
  readonly apps: number
  /** Per app, all ready and promoted, the last one current. */
  readonly releases: number
  readonly events: number
  /** A person stopped all of them: a server that finds them starts nothing. */
  readonly stopped?: boolean
}

/**
 * Fills the store by plain SQL, a statement a table: a thousand apps with ten releases take about a second. Their names are `app0001`, ….
 *
 * @example await seedApps(database, { tenant: 'acme', apps: 1000, releases: 10, events: 50 })
 */
export async function seedApps(database: Database, seed: Seed): Promise<void> {
  const { tenant, apps, releases, events } = seed
  const state = seed.stopped === true ? { ...INITIAL_STATE, current: releases, stopped: ['*'], nextRollout: releases + 1 } : stateAt(releases)
  const summary = summarise(state)
  await database.transaction(async (query) => {
    await query.rows('set local statement_timeout = 0')
    await query.rows('insert into tenants (name) values ($1) on conflict do nothing', [tenant])
    await query.rows(`insert into apps (tenant, name) select $1, 'app' || lpad(n::text, 4, '0') from generate_series(1, $2::int) n`, [tenant, apps])
    await query.rows(
      `insert into environments (tenant, app, name, port, state, named, next_release, current, status, services, replicas)
       select tenant, name, 'production', 8099 + row_number() over (order by name), $2::json, $3::int[], $4::int + 1, $4, $5, $6, $7 from apps where tenant = $1`,
      [tenant, JSON.stringify(state), releasesNamed(state), releases, summary.status, summary.services, summary.replicas],
    )
    await query.rows(
      `insert into releases (environment, number, status, source, configuration, graph, artifacts, fingerprints, origins, by, when_busy, ready_at, promoted_at)
       select e.id, n, 'ready', $3::json, '{"environment":{},"secrets":{}}', $4::json, $5::json, '{"web":"f"}', json_build_object('web', n), 'ann', 'wait', now(), now()
       from environments e, generate_series(1, $2::int) n where e.tenant = $1`,
      [
        tenant,
        releases,
        JSON.stringify({ kind: 'git', url: 'https://git.example.com/app.git', ref: 'main', commit: 'c'.repeat(40), path: '' }),
        JSON.stringify(graphOf()),
        JSON.stringify({
          web: { kind: 'slug', digest: `sha256:${'1'.repeat(64)}`, key: 'a'.repeat(64), bytes: 1000, command: ['node', 'server.js'], runtime: null },
        }),
      ],
    )
    await query.rows(
      `insert into rollouts (environment, id, kind, target, base, by, strategy, phase, weight, outcome, ended_at)
       select e.id, e.id || '-r' || n, 'deploy', n, nullif(n - 1, 0), 'ann', 'rolling', 'switching', 100, 'promoted', now()
       from environments e, generate_series(1, $2::int) n where e.tenant = $1`,
      [tenant, releases],
    )
    await query.rows(
      `insert into events (tenant, app, environment, kind, text, service, release, data)
       select $1, e.app, e.name, 'replica.ready', 'web is ready', 'web', 1, '{}' from generate_series(1, $2::int) n, environments e where e.tenant = $1`,
      [tenant, events],
    )
    await query.rows(
      `insert into route_claims (host, path, environment, tenant) select app || '.example.com', '/', id, tenant from environments where tenant = $1`,
      [tenant],
    )
  }, null)
  await database.rows('analyze')
}

/** Of an app with three replicas that serves its last release. */
function stateAt(release: number): EnvironmentState {
  const replica = { service: 'web', origin: release, since: 0, retired: null, stale: false }
  return {
    ...INITIAL_STATE,
    current: release,
    replicas: { 'e1-web-1': replica, 'e1-web-2': replica, 'e1-web-3': replica },
    nextSerial: 4,
    nextRollout: release + 1,
  }
}
