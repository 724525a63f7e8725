import { mergeSketches } from '../core/model/latency-sketch.ts'
import type { Query } from './database.ts'
import type { EnvironmentRef, IndicatorRow, IndicatorsRequest } from './queries.ts'

const MOST_SERIES = 1_000
/** Services over longer times than this are added up from sums of minutes and tens of minutes. */
const LONG_MS = 10 * 60_000

/**
 * Counts of the gateway over several times that all end now. Each row of the counters is read once: it is put under the shortest time that
 * it falls into, and the longer ones add up what lies within them. Of services over hours, sums are read:
 * of whole tens of minutes, of whole minutes before the first of them, and the counters only for the minute in which each time begins.
 */
export async function readIndicators(query: Query, ref: EnvironmentRef, { windowsMs, by, limit }: IndicatorsRequest): Promise<readonly IndicatorRow[]> {
  const ascending = windowsMs.toSorted((a, b) => a - b)
  const longest = ascending.at(-1) ?? 0
  const own = [ref.tenant, ref.app, ref.environment]
  const rows =
    by === 'service' && longest > LONG_MS
      ? await query.prepared<Row>('indicators-by-sums', BY_SUMS, [...own, ascending, MOST_SERIES * windowsMs.length])
      : await query.prepared<Row>('indicators', INDICATORS, [...own, longest, ascending, by === 'route', by === 'release', MOST_SERIES])
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
  /** It counts for that time alone: longer ones have it in a sum. */
  readonly alone: boolean
  readonly requests: number
  readonly errors: number
  readonly rejected4xx: number
  /** [bucket, count, …] */
  readonly latency: readonly number[] | null
}

function within(rows: readonly Row[], windowMs: number, ascending: readonly number[]): IndicatorRow['windows'][number] {
  const own = rows.filter(({ part, alone }) => (alone ? ascending[part] === windowMs : (ascending[part] ?? Number.POSITIVE_INFINITY) <= windowMs))
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

/** Of the rows of `own` by service, route, release, part and alone. */
const SUMS = `sums as (
  select service, route, release, part, alone, sum(requests)::bigint as requests, sum(errors)::bigint as errors, sum(rejected4xx)::bigint as rejected4xx
  from own group by 1, 2, 3, 4, 5
), sketches as (
  select service, route, release, part, alone, array_agg(bucket) as buckets, array_agg(n) as ns from (
    select service, route, release, part, alone, latency[i] as bucket, sum(latency[i + 1])::bigint as n
    from own, generate_series(1, array_length(latency, 1), 2) i group by 1, 2, 3, 4, 5, 6
  ) b group by 1, 2, 3, 4, 5
)
select s.service, s.route, s.release, s.part, s.alone, s.requests, s.errors, s.rejected4xx,
  (select json_agg(v order by at, which) from (
    select at, 0 as which, b as v from unnest(k.buckets) with ordinality u(b, at) union all select at, 1, n from unnest(k.ns) with ordinality u(n, at)) p) as latency
from sums s left join sketches k on k.service = s.service and k.part = s.part and k.alone = s.alone
  and k.route is not distinct from s.route and k.release is not distinct from s.release
order by s.requests desc`

const INDICATORS = `
with own as materialized (
  select c.service, case when $6 then c.route end as route, case when $7 then c.origin end as release,
    width_bucket((extract(epoch from now() - c.stored_at) * 1000)::float8, $5::float8[]) as part, false as alone,
    c.requests, c.errors, c.rejected4xx, c.latency
  from counters c join environments e on e.tenant = $1 and e.app = $2 and e.name = $3 and e.removed_at is null and e.id = c.environment
  where c.stored_at > now() - $4 * interval '1 ms'
), ${SUMS} limit $8`

/** `minutes`, `tens`: where the whole minutes and the whole tens begin that lie in that time. `offset 0`: each time is looked up by itself, in the index. */
const BY_SUMS = `
with environment as (
  select id from environments where tenant = $1 and app = $2 and name = $3 and removed_at is null
), times as materialized (
  select part, begins, minutes, date_bin('10 minutes', minutes - interval '1 microsecond', 'epoch') + interval '10 minutes' as tens from (
    select (place - 1)::int as part, now() - ms * interval '1 ms' as begins, date_bin('1 minute', now() - ms * interval '1 ms', 'epoch') + interval '1 minute' as minutes
    from unnest($4::float8[]) with ordinality u(ms, place)
  ) t
), own as materialized (
  select s.service, null::text as route, null::int as release, (select count(*) from times t where t.tens > s.begins)::int as part, false as alone,
    s.requests, s.errors, s.rejected4xx, s.latency
  from environment e, counter_sums s where s.environment = e.id and s.width = interval '10 minutes' and s.begins >= (select min(tens) from times)
  union all
  select its.service, null, null, t.part, true, its.requests, its.errors, its.rejected4xx, its.latency from environment e, times t, lateral (
    select * from counter_sums s where s.environment = e.id and s.width = interval '1 minute' and s.begins >= t.minutes and s.begins < t.tens offset 0
  ) its
  union all
  select its.service, null, null, t.part, true, its.requests, its.errors, its.rejected4xx, its.latency from environment e, times t, lateral (
    select * from counters c where c.environment = e.id and c.stored_at > t.begins and c.stored_at < t.minutes offset 0
  ) its
), ${SUMS} limit $5`
