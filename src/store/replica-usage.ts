import type { Epoch } from '../core/model/epoch.ts'
import type { Database, Query } from './database.ts'
import { storable } from './json.ts'
import { holdEpoch } from './lease-table.ts'
import type { EnvironmentRef, UsageRequest, UsageSummary } from './queries.ts'

/** What a replica took in a part of a minute. */
export interface UsagePart {
  readonly environment: string
  readonly service: string
  readonly release: number
  readonly replica: string
  /** Begin of the minute, milliseconds since 1970. */
  readonly minuteMs: number
  readonly samples: number
  /** That were watched. */
  readonly seconds: number
  readonly cpuSeconds: number
  /** Sum over the samples. */
  readonly memoryBytes: number
  readonly memoryPeakBytes: number
}

/** Processor time and memory of replicas, by the minute. */
export class PostgresReplicaUsage {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  /** Adds to what is stored of the same minute. Throws `E_STALE_EPOCH` and stores nothing when a newer epoch exists. */
  async commit(epoch: Epoch, parts: readonly UsagePart[]): Promise<void> {
    await this.#database.transaction(async (query) => {
      await holdEpoch(query, epoch)
      await query.rows(ADD, [storable(parts)])
    }, null)
  }
}

/** By service or release, over a time that ends now. */
export function readUsage(query: Query, { tenant, app, environment }: EnvironmentRef, { windowMs, by }: UsageRequest): Promise<readonly UsageSummary[]> {
  return query.prepared<UsageSummary>('usage', READ, [tenant, app, environment, windowMs, by === 'release'])
}

/** Minutes of past days become hours, in the same transaction that forgets them; hours are kept so long. */
export async function foldUsage(query: Query, keepMs: number): Promise<void> {
  await query.rows(FOLD)
  await query.rows(`delete from replica_usage where at < now() - $1 * interval '1 ms'`, [keepMs])
}

const SUMS = `samples = u.samples + excluded.samples, seconds = u.seconds + excluded.seconds, cpu_seconds = u.cpu_seconds + excluded.cpu_seconds,
  memory_bytes = u.memory_bytes + excluded.memory_bytes, memory_peak_bytes = greatest(u.memory_peak_bytes, excluded.memory_peak_bytes)`

const ADD = `
insert into replica_usage as u (environment, service, release, replica, at, width_s, samples, seconds, cpu_seconds, memory_bytes, memory_peak_bytes)
select x.environment, x.service, x.release, x.replica, to_timestamp(x."minuteMs" / 1000), 60, x.samples, x.seconds, x."cpuSeconds", x."memoryBytes", x."memoryPeakBytes"
from json_to_recordset($1::json) as x(environment text, service text, release int, replica text, "minuteMs" float8, samples int, seconds float8,
  "cpuSeconds" float8, "memoryBytes" float8, "memoryPeakBytes" float8)
join environments e on e.id = x.environment and e.removed_at is null
on conflict (environment, at, replica, width_s) do update set ${SUMS}`

const FOLD = `
with old as (delete from replica_usage where width_s = 60 and at < date_trunc('hour', now() - interval '1 day') returning *)
insert into replica_usage as u (environment, service, release, replica, at, width_s, samples, seconds, cpu_seconds, memory_bytes, memory_peak_bytes)
select environment, service, release, replica, date_trunc('hour', at), 3600, sum(samples), sum(seconds), sum(cpu_seconds), sum(memory_bytes), max(memory_peak_bytes)
from old group by 1, 2, 3, 4, 5
on conflict (environment, at, replica, width_s) do update set ${SUMS}`

const READ = `
select u.service, case when $5 then u.release end as release, count(distinct u.replica)::int as replicas,
  case when sum(u.seconds) > 0 then sum(u.cpu_seconds) / sum(u.seconds) end as cpu,
  sum(u.memory_bytes) / sum(u.samples) as "memoryBytes", max(u.memory_peak_bytes) as "memoryPeakBytes"
from replica_usage u join environments e on e.tenant = $1 and e.app = $2 and e.name = $3 and e.removed_at is null and e.id = u.environment
where u.at > now() - $4 * interval '1 ms' - interval '1 minute' and u.width_s = 60 group by 1, 2 order by 1, 2`
