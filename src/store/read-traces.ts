import type { Query } from './database.ts'
import { afterName, askFor, badCursor, pageOf } from './page.ts'
import type { Page, PageRequest } from './queries.ts'
import type { StoredTrace, TraceFilter, TraceSummary } from './telemetry-queries.ts'

const LONGEST_US = 2 ** 53

export async function readTraces(query: Query, environment: number, filter: TraceFilter, page: PageRequest): Promise<Page<TraceSummary>> {
  const { atUs, rest: trace } = timeCursor(page)
  const ofSpans = filter.service !== null || filter.operation !== null
  const rows = await query.prepared<TraceRow>(ofSpans ? 'traces-of-spans' : 'traces', ofSpans ? OF_SPANS : OF_TRACES, [
    environment,
    filter.fromMs,
    filter.toMs,
    atUs,
    Buffer.from(trace, 'hex'),
    askFor(page),
    (filter.minDurationMs ?? 0) * 1000,
    filter.maxDurationMs === null ? LONGEST_US : filter.maxDurationMs * 1000,
    filter.failed,
    ...(ofSpans ? [filter.service, filter.operation] : []),
  ])
  const found = pageOf(rows, page, (row) => `${row.atUs}-${row.trace.toString('hex')}`)
  return { ...found, items: found.items.map(summaryOf) }
}

export async function readTrace(query: Query, environment: number, trace: string): Promise<StoredTrace | null> {
  if (!/^[0-9a-f]{32}$/.test(trace)) return null
  const rows = await query.prepared<{ atUs: number; spans: Buffer }>('trace', TRACE, [environment, Buffer.from(trace, 'hex')])
  const [first] = rows
  return first ? { trace, atMs: first.atUs / 1000, spans: Buffer.concat(rows.map((row) => row.spans)) } : null
}

interface TraceRow extends Omit<TraceSummary, 'trace' | 'atMs' | 'durationMs'> {
  readonly trace: Buffer
  readonly atUs: number
  readonly durationUs: number
}

function summaryOf({ trace, atUs, durationUs, services, ...row }: TraceRow): TraceSummary {
  return { ...row, trace: trace.toString('hex'), atMs: atUs / 1000, durationMs: durationUs / 1000, services: [...new Set(services)].sort() }
}

/** Cursors of lists by time: microseconds, `-`, and what tells rows of one microsecond apart. */
export function timeCursor(page: PageRequest): { readonly atUs: number; readonly rest: string } {
  const text = afterName(page)
  if (text === '') return { atUs: Number.MAX_SAFE_INTEGER, rest: '' }
  const match = /^(\d{1,16})-([0-9a-f]{0,32})$/.exec(text)
  if (!match || Number(match[1]) > Number.MAX_SAFE_INTEGER) throw badCursor()
  return { atUs: Number(match[1]), rest: match[2] as string }
}

const COLUMNS = `select trace, (extract(epoch from at) * 1000000)::bigint as "atUs", service, operation, release, duration_us as "durationUs", failed,
  span_count as spans, kept, services from telemetry.traces`

/** The cursor's microsecond is part of the row comparison, so a page begins right behind the last row of the one before. */
const WITHIN = `where environment = $1 and at >= to_timestamp($2::float8 / 1000) and at < to_timestamp($3::float8 / 1000) and kept <> 'late'
  and (at, trace) < (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::bytea)`

const OF_TRACES = `${COLUMNS} ${WITHIN} and duration_us >= $7::float8 and duration_us <= $8::float8 and ($9::bool is null or failed = $9)
  order by at desc, trace desc limit $6`

const OF_SPANS = `${COLUMNS} ${WITHIN} and ($10::text is null or services @> array[$10]) and ($11::text is null or operations @> array[$11])
  and exists (select from unnest(services, operations, longest_us, failures) as part(service, operation, longest_us, failures)
    where ($10::text is null or part.service = $10) and ($11::text is null or part.operation = $11)
    and part.longest_us >= $7::float8 and part.longest_us <= $8::float8 and ($9::bool is null or (part.failures > 0) = $9))
  order by at desc, trace desc limit $6`

const TRACE = `select (extract(epoch from at) * 1000000)::bigint as "atUs", spans from telemetry.traces where environment = $1 and trace = $2 order by kept = 'late', at`
