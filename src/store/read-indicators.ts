import { mergeSketches } from '../core/model/latency-sketch.ts'
import type { Query } from './database.ts'
import type { EnvironmentRef, IndicatorRow, IndicatorsRequest } from './queries.ts'

const MOST_SERIES = 1_000

/**
 * Counts of the gateway over several times that all end now. Each row of the counters is read once: it is put under the shortest time that
 * it falls into, and the longer ones add up what lies within them.
 */
export async function readIndicators(query: Query, ref: EnvironmentRef, { windowsMs, by, limit }: IndicatorsRequest): Promise<readonly IndicatorRow[]> {
  const ascending = windowsMs.toSorted((a, b) => a - b)
  const longest = ascending.at(-1) ?? 0
  const args = [ref.tenant, ref.app, ref.environment, longest, ascending, by === 'route', by === 'release', MOST_SERIES]
  const rows = await query.prepared<Row>('indicators', INDICATORS, args)
  const series = Map.groupBy(rows, (row) => JSON.stringify([row.service, row.route, row.release]))
  return [...series.values()]
    .map((own) => {
      const [{ service, route, release }] = own as [Row, ...Row[]]
      return { service, route, release, windows: windowsMs.map((windowMs) => within(own, windowMs, ascending)) }
    })
    .sort((a, b) => most(b) - most(a) || a.service.localeCompare(b.service))
    .slice(0, limit)
}

interface Row {
  readonly service: string
  readonly route: string | null
  readonly release: number | null
  /** Position among the times in ascending order. */
  readonly part: number
  readonly requests: number
  readonly errors: number
  readonly rejected4xx: number
  /** [bucket, count, …] */
  readonly latency: readonly number[] | null
}

function within(rows: readonly Row[], windowMs: number, ascending: readonly number[]): IndicatorRow['windows'][number] {
  const own = rows.filter((row) => (ascending[row.part] ?? Number.POSITIVE_INFINITY) <= windowMs)
  const sum = (of: (row: Row) => number) => own.reduce((total, row) => total + of(row), 0)
  return {
    requests: sum((row) => row.requests),
    errors: sum((row) => row.errors),
    rejected4xx: sum((row) => row.rejected4xx),
    latency: mergeSketches(own.map((row) => row.latency ?? [])),
  }
}

function most(row: IndicatorRow): number {
  return Math.max(0, ...row.windows.map((it) => it.requests))
}

const INDICATORS = `
with own as materialized (
  select c.service, case when $6 then c.route end as route, case when $7 then c.origin end as release,
    width_bucket((extract(epoch from now() - c.stored_at) * 1000)::float8, $5::float8[]) as part, c.requests, c.errors, c.rejected4xx, c.latency
  from counters c join environments e on e.tenant = $1 and e.app = $2 and e.name = $3 and e.removed_at is null and e.id = c.environment
  where c.stored_at > now() - $4 * interval '1 ms'
), sums as (
  select service, route, release, part, sum(requests)::bigint as requests, sum(errors)::bigint as errors, sum(rejected4xx)::bigint as rejected4xx
  from own group by 1, 2, 3, 4
), sketches as (
  select service, route, release, part, array_agg(bucket) as buckets, array_agg(n) as ns from (
    select service, route, release, part, latency[i] as bucket, sum(latency[i + 1])::bigint as n
    from own, generate_series(1, array_length(latency, 1), 2) i group by 1, 2, 3, 4, 5
  ) b group by 1, 2, 3, 4
)
select s.service, s.route, s.release, s.part, s.requests, s.errors, s.rejected4xx,
  (select json_agg(v order by at, which) from (
    select at, 0 as which, b as v from unnest(k.buckets) with ordinality u(b, at) union all select at, 1, n from unnest(k.ns) with ordinality u(n, at)) p) as latency
from sums s left join sketches k on k.service = s.service and k.part = s.part
  and k.route is not distinct from s.route and k.release is not distinct from s.release
order by s.requests desc limit $8`
