import type { Query } from './database.ts'
import { askFor, badCursor, cursorAt, pageOf } from './page.ts'
import type { Page, PageRequest } from './queries.ts'
import { timeCursor } from './read-traces.ts'
import type { LogFilter, StoredLog } from './telemetry-queries.ts'

const MOST_WORDS = 10

/** Searching for words reads every line, some 300,000 a second: it goes back in time by ever longer steps until it has found enough or took this long. */
const SEARCH_MS = 3_000
const FIRST_STEP_MS = 3_600_000
const STEP_FACTOR = 4

/** Where a search stopped before its end, the page is short or empty and has a cursor: the next one goes on from there. */
export async function readLogs(query: Query, environment: number, filter: LogFilter, page: PageRequest): Promise<Page<StoredLog>> {
  if (filter.words.length === 0 || filter.trace !== null) return readStep(query, environment, filter, page)
  const begun = performance.now()
  const items: StoredLog[] = []
  let at = page.cursor
  let toMs = Math.min(filter.toMs, timeCursor(page).atUs / 1000 + 1)
  for (let stepMs = FIRST_STEP_MS; ; stepMs *= STEP_FACTOR) {
    const fromMs = Math.max(filter.fromMs, toMs - stepMs)
    const found = await readStep(query, environment, { ...filter, fromMs }, { limit: page.limit - items.length, cursor: at })
    items.push(...found.items)
    if (found.cursor !== null) return { items, cursor: found.cursor }
    if (fromMs <= filter.fromMs) return { items, cursor: null }
    at = cursorAt(`${Math.floor(fromMs * 1000)}-0`)
    if (items.length >= page.limit || performance.now() - begun > SEARCH_MS) return { items, cursor: at }
    toMs = fromMs
  }
}

async function readStep(query: Query, environment: number, filter: LogFilter, page: PageRequest): Promise<Page<StoredLog>> {
  const { atUs, rest } = timeCursor(page)
  if (!/^\d{0,16}$/.test(rest)) throw badCursor()
  const rows = await query.prepared<LogRow>(filter.trace === null ? 'logs' : 'logs-of-trace', filter.trace === null ? LOGS : LOGS_OF_TRACE, [
    environment,
    filter.fromMs,
    filter.toMs,
    atUs,
    rest === '' ? 0 : Number(rest),
    askFor(page),
    filter.words.slice(0, MOST_WORDS).map((word) => `%${word.replace(/[\\%_]/g, '\\$&')}%`),
    filter.service,
    filter.release,
    filter.instance,
    filter.severity ?? 0,
    ...(filter.trace === null ? [] : [Buffer.from(filter.trace, 'hex')]),
  ])
  const found = pageOf(rows, page, (row) => `${row.atUs}-${row.seq}`)
  return { ...found, items: found.items.map(logOf) }
}

interface LogRow extends Omit<StoredLog, 'atMs' | 'trace' | 'span' | 'attributes'> {
  readonly atUs: number
  readonly seq: number
  readonly trace: Buffer | null
  readonly span: Buffer | null
  readonly attributes: string | null
}

function logOf({ atUs, seq: _seq, trace, span, attributes, ...row }: LogRow): StoredLog {
  return {
    ...row,
    atMs: atUs / 1000,
    trace: trace?.toString('hex') ?? null,
    span: span?.toString('hex') ?? null,
    attributes: attributes === null ? null : (JSON.parse(attributes) as Record<string, unknown>),
  }
}

const RANGE = 'environment = $1 and at >= to_timestamp($2::float8 / 1000) and at < to_timestamp($3::float8 / 1000)'

const LOGS = `select (extract(epoch from at) * 1000000)::bigint as "atUs", seq, service, release, instance, level as severity, trace, span, text, attributes
from telemetry.logs where ${RANGE} and (at, seq) < (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5::bigint)
  and text ilike all ($7::text[]) and ($8::text is null or service = $8) and ($9::text is null or release = $9)
  and ($10::text is null or instance = $10) and level >= $11::int order by at desc, seq desc limit $6`

const LOGS_OF_TRACE = LOGS.replace('order by', 'and trace = $12 order by')
