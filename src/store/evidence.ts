import { EVIDENCE_AT_ONCE, type Look, type RouteLatency, type StoredEvidence } from '../controllers/journal.ts'
import { mergeSketches } from '../core/model/latency-sketch.ts'
import type { CounterBlock } from '../core/model/routing.ts'
import type { Query } from './database.ts'
import { storable } from './json.ts'

/** Rows of counters that latencies are made of: a quarter of an hour of a usual app, less of a busy one, which needs less. */
const LATENCY_ROWS = 20_000

/** In the transaction of the blocks. One writer at a time (whoever holds the epoch), so the numbers are visible in their order. */
export async function storeEvidence(query: Query, blocks: readonly CounterBlock[]): Promise<void> {
  const rows = blocks.flatMap(({ evidence }) => evidence.map(({ environment, ...block }) => ({ environment, rollout: block.rollout, block })))
  if (rows.length === 0) return
  await query.rows(
    `insert into evidence (environment, rollout, block)
     select x.environment, x.rollout, x.block
     from rows from (json_to_recordset($1::json) as (environment text, rollout text, block json)) with ordinality as x(environment, rollout, block, place)
     where exists (select from environments e where e.id = x.environment and e.removed_at is null) order by x.place`,
    [storable(rows)],
  )
}

export function loadEvidence(query: Query, environment: string, rollout: string, after: number): Promise<readonly StoredEvidence[]> {
  const text = `select seq, block from evidence where environment = $1 and rollout = $2 and seq > $3 order by seq limit ${EVIDENCE_AT_ONCE}`
  return query.prepared<StoredEvidence>('evidence', text, [environment, rollout, after])
}

export async function loadLook(query: Query, environment: string, rollout: string): Promise<Look | null> {
  const [row] = await query.prepared<{ look: Look | null }>('look', 'select look from rollouts where environment = $1 and id = $2', [environment, rollout])
  return row?.look ?? null
}

export async function loadLatencies(query: Query, environment: string, withinMs: number): Promise<readonly RouteLatency[]> {
  const rows = await query.prepared<Omit<RouteLatency, 'latency'> & { latency: readonly (readonly number[])[] }>(
    'latencies',
    `select service, origin, route, sum(requests - aborted)::bigint as requests, sum(errors)::bigint as errors, json_agg(latency) as latency
     from (select service, origin, route, requests, aborted, errors, latency from counters
       where environment = $1 and stored_at > now() - $2 * interval '1 ms' order by stored_at desc limit ${LATENCY_ROWS}) c
     group by 1, 2, 3 order by 1, 2, 3`,
    [environment, withinMs],
  )
  return rows.map((row) => ({ ...row, latency: mergeSketches(row.latency) }))
}
