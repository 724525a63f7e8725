import type { Epoch } from '../core/model/epoch.ts'
import type { CounterBlock } from '../core/model/routing.ts'
import type { Database } from './database.ts'
import { storeEvidence } from './evidence.ts'
import { storable } from './json.ts'
import { holdEpoch } from './lease-table.ts'

/** A block counts once, however often it comes: (incarnation, sequence) is its name. Running it again is therefore safe. */
export async function commitCounters(database: Database, epoch: Epoch, blocks: readonly CounterBlock[]): Promise<void> {
  if (blocks.length === 0) return
  await database.transaction(async (query) => {
    await holdEpoch(query, epoch)
    const names = blocks.map(({ incarnation, sequence }) => ({ incarnation, sequence }))
    const fresh = await query.rows<{ incarnation: string; sequence: number }>(
      `insert into counter_blocks (incarnation, sequence)
       select distinct incarnation, sequence from json_to_recordset($1::json) as x(incarnation text, sequence bigint) order by 1, 2
       on conflict do nothing returning incarnation, sequence`,
      [storable(names)],
    )
    const unseen = new Set(fresh.map(nameOf))
    const counted = blocks.filter((block) => unseen.delete(nameOf(block)))
    await storeEvidence(query, counted)
    const rows = counted.flatMap((block) => block.rows.map((row) => ({ ...row, from: block.from, to: block.to, epoch: row.version.epoch, n: row.version.n })))
    if (rows.length === 0) return
    await query.rows(
      `insert into counters (environment, from_ms, to_ms, version_epoch, version_n, hop, track, service, origin, route, requests, errors, rejected4xx, aborted, html, latency)
       select environment, "from", "to", epoch, n, hop, track, service, origin, route, requests, errors, "rejected4xx", aborted, html, latency
       from json_to_recordset($1::json) as x(environment text, "from" bigint, "to" bigint, epoch bigint, n bigint, hop text, track text, service text, origin int,
         route text, requests bigint, errors bigint, "rejected4xx" bigint, aborted bigint, html bigint, latency int[])`,
      [storable(rows)],
    )
  }, null)
}

function nameOf(block: { readonly incarnation: string; readonly sequence: number }): string {
  return `${block.incarnation} ${block.sequence}`
}
