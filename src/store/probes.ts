import type { NewEvent } from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import { bucketOf, sparse } from '../core/model/latency-sketch.ts'
import type { ProbedEnvironment, ProbeResult } from '../core/probes/probes.ts'
import type { Database, Query } from './database.ts'
import { storable } from './json.ts'
import { holdEpoch } from './lease-table.ts'
import type { EnvironmentRef, ProbeRow } from './queries.ts'
import { appendEvents } from './releases.ts'

/** What the prober needs to remember. */
export class PostgresProbes {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Environments whose serving release declares a probe. */
  async environments(): Promise<readonly ProbedEnvironment[]> {
    const rows = await this.#database.rows<ProbedEnvironment & { readonly stopped: readonly string[] | null }>(PROBED)
    return rows.map((row) => ({ ...row, stopped: row.stopped ?? [] }))
  }

  /** How the newest result of each probe of these environments was; older than a day counts as none. */
  async last(environments: readonly string[]): Promise<readonly Pick<ProbeResult, 'environment' | 'service' | 'probe' | 'ok'>[]> {
    const text = `select distinct on (environment, service, probe) environment, service, probe, ok from probe_results
      where environment = any ($1) and at > now() - interval '1 day' order by environment, service, probe, at desc`
    return this.#database.rows(text, [environments])
  }

  /** Throws `E_STALE_EPOCH` and stores nothing when a newer epoch exists. Results of an environment that has gone meanwhile are dropped. */
  async commit(epoch: Epoch, results: readonly ProbeResult[], events: ReadonlyMap<string, readonly NewEvent[]>): Promise<void> {
    await this.#database.transaction(async (query) => {
      await holdEpoch(query, epoch)
      const stored = await query.rows<{ environment: string }>(
        `insert into probe_results (environment, service, probe, ok, duration_ms, cause)
         select x.environment, x.service, x.probe, x.ok, x."durationMs", x.cause
         from json_to_recordset($1::json) as x(environment text, service text, probe text, ok boolean, "durationMs" float8, cause text)
         join environments e on e.id = x.environment and e.removed_at is null returning environment`,
        [storable(results)],
      )
      const there = new Set(stored.map((it) => it.environment))
      for (const [environment, own] of events) if (there.has(environment)) await appendEvents(query, environment, own)
    }, null)
  }
}

/** By probe that ran within the time, with its newest result. */
export async function readProbes(query: Query, ref: EnvironmentRef, windowMs: number): Promise<readonly ProbeRow[]> {
  const rows = await query.prepared<Row>('probes', PROBES, [ref.tenant, ref.app, ref.environment, windowMs])
  return rows.map(({ service, probe, runs, failures, durations, ok, durationMs }) => {
    const counts = new Map<number, number>()
    for (const bucket of durations.map(bucketOf)) counts.set(bucket, (counts.get(bucket) ?? 0) + 1)
    return { service, probe, counts: { requests: runs, errors: failures, rejected4xx: 0, latency: sparse(counts) }, last: { ok, durationMs } }
  })
}

interface Row {
  readonly service: string
  readonly probe: string
  readonly runs: number
  readonly failures: number
  readonly durations: readonly number[]
  readonly ok: boolean
  readonly durationMs: number
}

const PROBED = `
select e.id, e.port, r.graph, e.state -> 'stopped' as stopped
from environments e join releases r on r.environment = e.id and r.number = e.current
where e.removed_at is null and e.status not in ('stopped', 'removing')
  and exists (select from json_each(r.graph -> 'services') as s where s.value -> 'probes' is not null)
order by e.number`

const PROBES = `
select p.service, p.probe, count(*) as runs, count(*) filter (where not p.ok) as failures, json_agg(p.duration_ms) as durations,
  (array_agg(p.ok order by p.at desc))[1] as ok, (array_agg(p.duration_ms order by p.at desc))[1] as "durationMs"
from probe_results p join environments e on e.tenant = $1 and e.app = $2 and e.name = $3 and e.removed_at is null and e.id = p.environment
where p.at > now() - $4 * interval '1 ms' group by 1, 2 order by 1, 2`
