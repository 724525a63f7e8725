import { createHash, randomUUID } from 'node:crypto'
import type { Query } from './database.ts'
import { cleanText, storable } from './json.ts'

export interface AuditRecord {
  readonly tenant: string | null
  readonly action: string
  readonly target: string
  readonly detail: Readonly<Record<string, unknown>>
}

const AUDIT_TURN = 4_712

/**
 * Appends to the audit log, in the transaction of the change itself. Each record's hash covers the hash before it, so that a record which
 * was altered or taken out shows. Last in a transaction: appenders take turns. `request` finds the records of one transaction again.
 */
export async function recordAudit(query: Query, by: string, records: readonly AuditRecord[], request: string = randomUUID()): Promise<void> {
  if (records.length === 0) return
  await query.rows('select pg_advisory_xact_lock($1)', [AUDIT_TURN])
  const [last] = await query.rows<{ hash: Buffer }>('select hash from audit order by seq desc limit 1')
  let before: Buffer = last?.hash ?? Buffer.alloc(32)
  const rows = records.map((record) => {
    const row = { ...record, by: cleanText(by), target: cleanText(record.target), detail: storable(record.detail) }
    before = hashOf(before, row)
    return { ...row, hash: before.toString('hex') }
  })
  await query.rows(
    `insert into audit (tenant, by, action, target, detail, request, hash)
     select tenant, by, action, target, detail::json, $2::uuid, decode(hash, 'hex') from
       rows from (json_to_recordset($1::json) as (tenant text, by text, action text, target text, detail text, hash text)) with ordinality as x(tenant, by, action, target, detail, hash, place)
     order by place`,
    [JSON.stringify(rows), request],
  )
}

/** The sequence number of the first record whose hash does not fit; null: the log is whole. */
export async function firstAlteredAudit(query: Query): Promise<number | null> {
  let before: Buffer = Buffer.alloc(32)
  let seq = 0
  for (;;) {
    const rows = await query.rows<AuditedRow>(
      'select seq, tenant, by, action, target, detail::text as detail, hash from audit where seq > $1 order by seq limit 1000',
      [seq],
    )
    if (rows.length === 0) return null
    for (const row of rows) {
      before = hashOf(before, row)
      if (!before.equals(row.hash)) return row.seq
      seq = row.seq
    }
  }
}

interface AuditedRow {
  readonly seq: number
  readonly tenant: string | null
  readonly by: string
  readonly action: string
  readonly target: string
  readonly detail: string
  readonly hash: Buffer
}

function hashOf(before: Buffer, { tenant, by, action, target, detail }: Omit<AuditedRow, 'seq' | 'hash'>): Buffer {
  return createHash('sha256')
    .update(before)
    .update(JSON.stringify([tenant, by, action, target, detail]))
    .digest()
}
