import { mergeSketches } from '../../core/model/latency-sketch.ts'
import { packSketch, unpackSketch } from '../../core/model/sketch-bytes.ts'
import type { Session } from './connection.ts'
import { CopyRows } from './copy-rows.ts'
import { ROLLUP_COLUMNS } from './rollups.ts'

interface Step {
  readonly from: string
  readonly to: string
  readonly widthMs: number
  /** The finer rows are not kept. */
  readonly moves?: true
}
const STEPS: readonly Step[] = [
  { from: 'rollups_fresh', to: 'rollups_10s', widthMs: 10_000, moves: true },
  { from: 'rollups_10s', to: 'rollups_5m', widthMs: 300_000 },
  { from: 'rollups_5m', to: 'rollups_1h', widthMs: 3_600_000 },
]
/** So many periods in one go after PostgreSQL or this process was away. */
const MOST_PERIODS = 60

interface Row {
  readonly environment: number
  readonly kind: number
  readonly service: string
  readonly operation: string
  readonly peer: string
  readonly release: string
  readonly span_kind: number
  count: number
  errors: number
  rejected4xx: number
  duration_us: number
  exclusive_us: number
  latency: Buffer
}

/**
 * Merges what was written every second into ten-second rows, those into five-minute rows, and those into hours: each period once, in a transaction
 * with the mark that says so. Nothing may be written any more that begins before `untilMs`. Rows of ten seconds and more stay until they are too old.
 *
 * @example await mergeRollups((work) => queue.run(work), Date.now() - 60_000)
 */
export async function mergeRollups(run: <T>(work: (session: Session) => Promise<T>) => Promise<T>, untilMs: number): Promise<void> {
  let until = untilMs
  for (const step of STEPS) {
    for (let period = 0; period < MOST_PERIODS; period++) {
      if (!(await run((session) => mergePeriod(session, step, until)))) break
    }
    until = await run((session) => markOf(session, step.to))
  }
}

/** False: no whole period is left to merge. */
async function mergePeriod(session: Session, { from, to, widthMs, moves }: Step, untilMs: number): Promise<boolean> {
  const mark = await markOf(session, to)
  const [first] = await session.rows<{ ms: string | null }>(
    `select extract(epoch from min(at)) * 1000 as ms from telemetry.${from} where at >= to_timestamp($1::float8 / 1000)`,
    [mark],
  )
  const begin = first?.ms == null ? null : Math.floor(Number(first.ms) / widthMs) * widthMs
  if (begin === null || begin + widthMs > untilMs) {
    // nothing is there before the period that is going on: what is looked for next time begins with it
    const idle = Math.floor(untilMs / widthMs) * widthMs
    if (idle > mark && (begin === null || begin >= idle)) await setMark(session, to, idle)
    return false
  }
  const found = await session.rows<Row>(
    `select environment, kind, service, operation, peer, release, span_kind, count, errors, rejected4xx, duration_us, exclusive_us, latency
     from telemetry.${from} where at >= to_timestamp($1::float8 / 1000) and at < to_timestamp($2::float8 / 1000)`,
    [begin, begin + widthMs],
  )
  const rows = new CopyRows({ table: `telemetry.${to}`, columns: ROLLUP_COLUMNS })
  for (const group of grouped(found).values()) rows.add(mergedRow(begin, group))
  await session.copy(rows)
  if (moves) await session.rows(`delete from telemetry.${from} where at < to_timestamp($1::float8 / 1000)`, [begin + widthMs])
  await setMark(session, to, begin + widthMs)
  return true
}

function grouped(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = JSON.stringify([row.environment, row.kind, row.service, row.operation, row.peer, row.release, row.span_kind])
    const group = groups.get(key)
    if (group) group.push(row)
    else groups.set(key, [row])
  }
  return groups
}

function mergedRow(atMs: number, group: readonly Row[]): Parameters<CopyRows['add']>[0] {
  const { environment, kind, service, operation, peer, release, span_kind } = group[0] as Row
  const sum = (value: (row: Row) => number) => group.reduce((total, row) => total + value(row), 0)
  return [
    environment,
    atMs * 1000,
    kind,
    service,
    operation,
    peer,
    release,
    span_kind,
    sum((row) => row.count),
    sum((row) => row.errors),
    sum((row) => row.rejected4xx),
    sum((row) => row.duration_us),
    sum((row) => row.exclusive_us),
    packSketch(mergeSketches(group.map((row) => unpackSketch(row.latency)))),
  ]
}

/** How far a table was merged into, in ms: what begins before is never looked at again in the finer one. */
export async function markOf(session: Session, name: string): Promise<number> {
  const [row] = await session.rows<{ value: string }>('select value from telemetry.marks where name = $1', [name])
  return Number(row?.value ?? 0)
}

export async function setMark(session: Session, name: string, value: number): Promise<void> {
  await session.rows('insert into telemetry.marks values ($1, $2) on conflict (name) do update set value = excluded.value', [name, value])
}
