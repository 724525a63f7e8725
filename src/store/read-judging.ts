import type { Look, StoredEvidence } from '../controllers/journal.ts'
import type { Query } from './database.ts'
import { askFor, beforeNumber, pageOf } from './page.ts'
import type { EnvironmentRef, Page, PageRequest, TrialDetail } from './queries.ts'

/** Blocks may hold a row for each of two thousand clients. */
const BLOCKS_AT_ONCE = 500

/** Joins the environment of (tenant, app, name) = ($1, $2, $3): another tenant's rows cannot appear. */
const IN_ENVIRONMENT = 'join environments e on e.tenant = $1 and e.app = $2 and e.name = $3 and e.removed_at is null and e.id ='

export async function readLook(query: Query, ref: EnvironmentRef, rollout: string): Promise<Look | null> {
  const [row] = await query.prepared<{ look: Look | null }>(
    'look-of-rollout',
    `select o.look from rollouts o ${IN_ENVIRONMENT} o.environment where o.id = $4`,
    [...keysOf(ref), rollout],
  )
  return row?.look ?? null
}

export function readEvidence(query: Query, ref: EnvironmentRef, rollout: string, after: number): Promise<readonly StoredEvidence[]> {
  const text = `select v.seq, v.block from evidence v ${IN_ENVIRONMENT} v.environment where v.rollout = $4 and v.seq > $5 order by v.seq limit ${BLOCKS_AT_ONCE}`
  return query.prepared<StoredEvidence>('evidence-of-rollout', text, [...keysOf(ref), rollout, after])
}

export async function readTrials(query: Query, ref: EnvironmentRef, page: PageRequest): Promise<Page<TrialDetail>> {
  const text = `select t.id, t.release, t.requests, t.max_log_e as "maxLogE", t.alarm, t.design_effect as "designEffect", t.started_at as "startedAt",
      t.ended_at as "endedAt", t.seq
    from trials t ${IN_ENVIRONMENT} t.environment where t.seq < $4 order by t.seq desc limit $5`
  const rows = await query.prepared<TrialDetail & { seq: number }>('trials', text, [...keysOf(ref), beforeNumber(page), askFor(page)])
  const { items, cursor } = pageOf(rows, page, (row) => row.seq)
  return { items: items.map(({ seq: _seq, ...row }) => row), cursor }
}

function keysOf(ref: EnvironmentRef): [string, string, string] {
  return [ref.tenant, ref.app, ref.environment]
}
