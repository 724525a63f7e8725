import { createHash } from 'node:crypto'
import type { Session } from '../storage/connection.ts'
import { REMEMBERED_MS, type SignatureRow, type Teller } from './signature-book.ts'

/** Adds to what is written of the same five minutes. */
export async function writeSignatures(session: Session, rows: readonly SignatureRow[]): Promise<void> {
  await session.rows(UPSERT, [
    JSON.stringify(
      rows.map((row) => ({ ...row, key: keyOf(row) })),
      storable,
    ),
  ])
}

/** As far back as the telemetry process remembers. */
export async function readSignatures(session: Session, nowMs: number): Promise<SignatureRow[]> {
  const rows = await session.rows<Omit<SignatureRow, 'trace'> & { trace: Buffer | null; teller: Teller }>(READ, [nowMs - REMEMBERED_MS])
  return rows.map((row) => ({ ...row, trace: row.trace?.toString('hex') ?? '' }))
}

/** Texts are too long for an index. */
function keyOf({ scope, service, release, error, place, teller }: SignatureRow): string {
  return createHash('sha256')
    .update(JSON.stringify([scope, service, release, error, place, teller]))
    .digest('hex')
    .slice(0, 32)
}

/** PostgreSQL's text has none. */
function storable(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\u0000', '\ufffd').toWellFormed() : value
}

const UPSERT = `
insert into telemetry.signatures as s (at, environment, key, service, release, error, place, teller, count, first_seen, last_seen, trace)
select to_timestamp("atMs"::float8 / 1000), scope, decode(key, 'hex'), service, release, error, place, teller, count,
  to_timestamp("firstMs" / 1000), to_timestamp("lastMs" / 1000), case when trace <> '' then decode(trace, 'hex') end
from json_to_recordset($1::json) as x("atMs" bigint, scope int, key text, service text, release text, error text, place text, teller text,
  count int, "firstMs" float8, "lastMs" float8, trace text)
on conflict (at, environment, key) do update set count = s.count + excluded.count, first_seen = least(s.first_seen, excluded.first_seen),
  last_seen = greatest(s.last_seen, excluded.last_seen), trace = coalesce(excluded.trace, s.trace)`

const READ = `
select (extract(epoch from at) * 1000)::float8 as "atMs", environment as scope, service, release, error, place, teller, count,
  (extract(epoch from first_seen) * 1000)::float8 as "firstMs", (extract(epoch from last_seen) * 1000)::float8 as "lastMs", trace
from telemetry.signatures where at >= to_timestamp($1::float8 / 1000) order by at`
