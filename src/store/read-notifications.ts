import type { Query } from './database.ts'
import { askFor, beforeNumber, pageOf } from './page.ts'
import type { DeliveryDetail, NotifyTargetDetail, Page, PageRequest } from './queries.ts'

const TARGET = `t.id, t.app, t.environment, t.kind, t.place, t.topics, t.by, t.created_at as at, d.waiting, d.dead, d.problem, d."deliveredAt"
  from notify_targets t join lateral (
    select count(*) filter (where outcome = 'waiting') as waiting, count(*) filter (where outcome = 'dead') as dead,
      (array_agg(cause order by seq) filter (where outcome = 'waiting'))[1] as problem,
      max(ended_at) filter (where outcome = 'delivered') as "deliveredAt"
    from notify_deliveries where target = t.id
  ) d on true`

/** Newest first. */
export async function readNotifyTargets(query: Query, tenant: string, page: PageRequest): Promise<Page<NotifyTargetDetail>> {
  const text = `select ${TARGET} where t.tenant = $1 and t.id < $2 order by t.id desc limit $3`
  const rows = await query.prepared<NotifyTargetDetail>('notify-targets', text, [tenant, beforeNumber(page), askFor(page)])
  return pageOf(rows, page, (row) => row.id)
}

export async function readNotifyTarget(query: Query, tenant: string, id: number): Promise<NotifyTargetDetail | null> {
  const [row] = await query.prepared<NotifyTargetDetail>('notify-target', `select ${TARGET} where t.tenant = $1 and t.id = $2`, [tenant, id])
  return row ?? null
}

/** Newest first. */
export async function readDeliveries(query: Query, tenant: string, target: number, page: PageRequest): Promise<Page<DeliveryDetail>> {
  const text = `select d.id, d.seq, d.message ->> 'topic' as topic, d.message ->> 'title' as title, d.outcome, d.tries, d.cause, d.created_at as at,
      case when d.outcome = 'waiting' then d.next_at end as "nextAt", d.ended_at as "endedAt"
    from notify_deliveries d join notify_targets t on t.tenant = $1 and t.id = d.target where d.target = $2 and d.seq < $3 order by d.seq desc limit $4`
  const rows = await query.prepared<DeliveryDetail & { readonly seq: number }>('notify-deliveries', text, [tenant, target, beforeNumber(page), askFor(page)])
  const { items, cursor } = pageOf(rows, page, (row) => row.seq)
  return { items: items.map(({ seq: _seq, ...row }) => row), cursor }
}
