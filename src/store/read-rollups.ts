import { mergeSketches } from '../core/model/latency-sketch.ts'
import { unpackSketch } from '../core/model/sketch-bytes.ts'
import type { Query } from './database.ts'
import type { EdgeSummary, RollupPoint, RollupQuery, RollupSeries, Rollups, TimeRange } from './telemetry-queries.ts'

const KINDS = { operation: 1, call: 2, request: 3 } as const
const MOST_POINTS = 50_000
const MOST_EDGES = 5_000
const DAY_MS = 86_400_000
const WIDTHS = [
  { ms: 10_000, table: 'rollups_10s', keptMs: DAY_MS },
  { ms: 300_000, table: 'rollups_5m', keptMs: 14 * DAY_MS },
  { ms: 3_600_000, table: 'rollups_1h', keptMs: Number.POSITIVE_INFINITY },
] as const

export async function readRollups(query: Query, environment: number, asked: RollupQuery, nowMs: number): Promise<Rollups> {
  const widthMs = widthFor(asked, nowMs)
  const rows = await query.prepared<Row>(`rollups-${widestFor(widthMs)}`, SERIES(widestFor(widthMs)), [
    environment,
    Math.floor(asked.fromMs / widthMs) * widthMs,
    asked.toMs,
    KINDS[asked.kind],
    asked.service,
    asked.operation,
    asked.peer,
    asked.release,
    widthMs,
    MOST_POINTS,
  ])
  return { widthMs, series: seriesOf(rows).slice(0, asked.limit) }
}

export async function readEdges(query: Query, environment: number, { fromMs, toMs }: TimeRange, nowMs: number): Promise<EdgeSummary[]> {
  const table = widestFor(widthFor({ fromMs, widthMs: 10_000 }, nowMs))
  return query.prepared<EdgeSummary>(`edges-${table}`, EDGES(table), [environment, fromMs, toMs, MOST_EDGES])
}

/** What was asked for, or the narrowest that is kept that long. */
function widthFor({ fromMs, widthMs }: Pick<RollupQuery, 'fromMs' | 'widthMs'>, nowMs: number): number {
  const kept = WIDTHS.find(({ keptMs }) => fromMs >= nowMs - keptMs)?.ms ?? 3_600_000
  const wanted = Math.max(widthMs, kept)
  return Math.ceil(wanted / kept) * kept
}

/** The widest of WIDTHS that the points' width is a multiple of: rows are read from there to the finest. */
function widestFor(widthMs: number): number {
  return WIDTHS.findLastIndex(({ ms }) => widthMs % ms === 0)
}

interface Row extends Omit<RollupPoint, 'latency'>, Omit<RollupSeries, 'points'> {
  readonly latencies: readonly Buffer[]
}

function seriesOf(rows: readonly Row[]): RollupSeries[] {
  const found = new Map<string, { series: Omit<RollupSeries, 'points'>; points: RollupPoint[]; total: number }>()
  for (const { service, operation, peer, release, spanKind, latencies, ...point } of rows) {
    const key = JSON.stringify([service, operation, peer, release, spanKind])
    let entry = found.get(key)
    if (!entry) found.set(key, (entry = { series: { service, operation, peer, release, spanKind }, points: [], total: 0 }))
    entry.points.push({ ...point, latency: mergeSketches(latencies.map(unpackSketch)) })
    entry.total += point.count
  }
  return [...found.values()]
    .sort((a, b) => b.total - a.total || nameOf(a.series).localeCompare(nameOf(b.series)))
    .map(({ series, points }) => ({ ...series, points }))
}

function nameOf({ service, operation, peer, release }: Omit<RollupSeries, 'points'>): string {
  return `${service} ${operation} ${peer} ${release}`
}

/**
 * Rows of a time, each counted once: from the widest table as far as it is merged, then from the next finer one. $2 and $3: from and to, in ms.
 */
function source(widest: number): string {
  const tables = ['rollups_fresh', ...WIDTHS.map(({ table }) => table)].slice(0, widest + 2)
  const parts = tables.map((table, at) => {
    const begin =
      at === widest + 1 ? 'true' : `at >= to_timestamp(coalesce((select value from telemetry.marks where name = '${tables[at + 1]}'), 0)::float8 / 1000)`
    const end = at === 0 ? 'true' : `at < to_timestamp(coalesce((select value from telemetry.marks where name = '${table}'), 0)::float8 / 1000)`
    return `select * from telemetry.${table} where environment = $1 and at >= to_timestamp($2::float8 / 1000) and at < to_timestamp($3::float8 / 1000) and ${begin} and ${end}`
  })
  return parts.join(' union all ')
}

const SERIES = (widest: number) => `
select service, operation, peer, release, span_kind as "spanKind",
  (floor(extract(epoch from at) * 1000 / $9::bigint) * $9::bigint)::bigint as "atMs",
  sum(count) as count, sum(errors) as errors, sum(rejected4xx) as "rejected4xx",
  sum(duration_us) / 1000 as "durationMs", sum(exclusive_us) / 1000 as "exclusiveMs", array_agg(latency) as latencies
from (${source(widest)}) r
where kind = $4 and ($5::text is null or service = $5) and ($6::text is null or operation = $6)
  and ($7::text is null or peer = $7) and ($8::text is null or release = $8)
group by 1, 2, 3, 4, 5, 6 order by 6 limit $10`

const EDGES = (widest: number) => `
select service, peer, sum(count) as count, sum(errors) as errors,
  (extract(epoch from min(at)) * 1000)::bigint as "firstSeenMs", (extract(epoch from max(at)) * 1000)::bigint as "lastSeenMs"
from (${source(widest)}) r where kind = 2 group by 1, 2 order by 3 desc, 1, 2 limit $4`
