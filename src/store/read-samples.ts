import type { Query } from './database.ts'
import { afterName, askFor, pageOf } from './page.ts'
import type { Page, PageRequest } from './queries.ts'
import { timeCursor } from './read-traces.ts'
import type { LatestSample, MetricFilter, MetricName, SampleFilter, StoredSample, TimeRange } from './telemetry-queries.ts'

const MOST_NAMES = 1_000
const MOST_SERIES_A_NAME = 50

export async function readMetrics(query: Query, environment: number, { fromMs, toMs, service }: MetricFilter, page: PageRequest): Promise<Page<MetricName>> {
  const rows = await query.prepared<MetricName>('metrics', METRICS, [environment, fromMs, toMs, afterName(page), service, askFor(page)])
  return pageOf(rows, page, (row) => row.name)
}

export async function readSamples(query: Query, environment: number, filter: SampleFilter, page: PageRequest): Promise<Page<StoredSample>> {
  const { fromMs, toMs, name, service } = filter
  const { atUs, rest } = timeCursor(page)
  const rows = await query.prepared<Row>('samples', SAMPLES, [environment, fromMs, toMs, name, service, atUs, rest, askFor(page)])
  const found = pageOf(rows, page, (row) => `${row.atUs}-${row.key}`)
  return { ...found, items: found.items.map(({ atUs, key: _, ...row }) => ({ ...row, atMs: atUs / 1000, attributes: parsed(row.attributes) })) }
}

export async function readLatestSamples(query: Query, environment: number, { fromMs, toMs }: TimeRange, limit: number): Promise<LatestSample[]> {
  const rows = await query.prepared<Omit<LatestSample, 'attributes'> & { attributes: string }>('latest-samples', LATEST, [environment, fromMs, toMs, limit])
  return rows.map((row) => ({ ...row, attributes: parsed(row.attributes) }))
}

interface Row extends Omit<StoredSample, 'atMs' | 'attributes'> {
  readonly atUs: number
  /** Tells points of one microsecond apart. */
  readonly key: string
  readonly attributes: string
}

function parsed(attributes: string): Readonly<Record<string, unknown>> {
  return JSON.parse(attributes) as Record<string, unknown>
}

const RANGE = 'environment = $1 and at >= to_timestamp($2::float8 / 1000) and at < to_timestamp($3::float8 / 1000)'

/** From name to name along the index, however many points each has. */
const namesAfter = (first: string) => `with recursive names(name, n) as (
  select min(name), 1 from telemetry.samples where ${RANGE} and name > ${first}
  union all select (select min(name) from telemetry.samples where ${RANGE} and name > names.name), n + 1 from names where name is not null and n < ${MOST_NAMES}
)`

const METRICS = `${namesAfter('$4')}
select names.name, p.unit, p.services, p."atMs" from names, lateral (
  select max(unit) as unit, array_agg(distinct service order by service) as services, (extract(epoch from max(at)) * 1000)::float8 as "atMs"
  from (select unit, service, at from telemetry.samples where ${RANGE} and name = names.name and ($5::text is null or service = $5)
    order by at desc limit 1000) newest
) p where names.name is not null and p.services is not null order by 1 limit $6`

const SAMPLES = `select "atUs", key, service, release, instance, value, count, attributes from (
  select (extract(epoch from at) * 1000000)::bigint as "atUs", md5(row(service, release, instance, attributes, value, count)::text) as key,
    at, service, release, instance, value, count, attributes
  from telemetry.samples where ${RANGE} and name = $4 and ($5::text is null or service = $5)
    and at <= timestamptz 'epoch' + $6::bigint * interval '1 microsecond'
) p where (at, key) < (timestamptz 'epoch' + $6::bigint * interval '1 microsecond', $7) order by at desc, key desc limit $8`

const LATEST = `${namesAfter("''")}
select names.name, p.unit, p.service, p.instance, p.value, p.count, p.attributes from names, lateral (
  select distinct on (service, instance, attributes) unit, service, instance, value, count, attributes
  from telemetry.samples where ${RANGE} and name = names.name order by service, instance, attributes, at desc limit ${MOST_SERIES_A_NAME}
) p where names.name is not null order by 1 limit $4`
