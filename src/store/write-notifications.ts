import type { Message } from '../core/notify/message.ts'
import { WeirError } from '../errors.ts'
import { type NewTarget, shownPlace } from '../notify/target.ts'
import type { Reach } from '../reach.ts'
import { type Change, checked, notFound } from './change.ts'
import { storable } from './json.ts'

const MOST_TARGETS = 100

/** Sealed before it is written. It hears of what happens from now on. */
export async function addNotifyTarget(change: Change, tenant: string, target: NewTarget): Promise<number> {
  const { app, environment, topics, address } = target
  if (app !== null) await mustBeThere(change, tenant, app, environment)
  const [row] = await change.query.rows<{ id: number; before: number }>(
    `select nextval(pg_get_serial_sequence('notify_targets', 'id')) as id, (select count(*) from notify_targets where tenant = $1) as before`,
    [tenant],
  )
  if (!row || row.before >= MOST_TARGETS)
    throw new WeirError('E_CONFLICT', { message: `the tenant has ${MOST_TARGETS} targets of notifications already`, next: 'weir notify list' })
  const sealed = change.sealer.seal(Buffer.from(JSON.stringify(address), 'utf8'), targetContext(tenant, row.id))
  const place = shownPlace(address)
  const insert = change.query.rows(
    `insert into notify_targets (id, tenant, app, environment, kind, place, topics, sealed, after_event, by)
     select $1, $2, $3, $4, $5, $6, $7, $8, coalesce(max(seq), 0), $9 from events`,
    [row.id, tenant, app, environment, address.kind, place, [...topics], sealed, change.by],
  )
  await checked(insert, { notify_targets_tenant_fkey: () => notFound(`tenant "${tenant}"`) })
  change.audit({ tenant, action: 'notification.create', target: place, detail: { id: row.id, kind: address.kind, app, environment, topics } })
  return row.id
}

/** What waits for it goes with it. */
export async function removeNotifyTarget(change: Change, tenant: string, id: number): Promise<void> {
  const rows = await change.query.rows<{ place: string }>('delete from notify_targets where tenant = $1 and id = $2 returning place', [tenant, id])
  const [row] = rows
  if (!row) throw notFound(`target ${id} of notifications`)
  change.audit({ tenant, action: 'notification.remove', target: row.place, detail: { id } })
}

/** Returns the delivery's id. It waits for no other message of the target. */
export async function tryNotifyTarget(change: Change, tenant: string, id: number, message: Message): Promise<string> {
  const [row] = await change.query.rows<{ id: string; place: string }>(
    `with target as (select id, place from notify_targets where tenant = $1 and id = $2)
     insert into notify_deliveries (target, message) select id, $3::json from target returning id, (select place from target) as place`,
    [tenant, id, storable(message)],
  )
  if (!row) throw notFound(`target ${id} of notifications`)
  await change.query.rows("select pg_notify('weir', 'events')")
  change.audit({ tenant, action: 'notification.test', target: row.place, detail: { id } })
  return row.id
}

export async function setNotifyReach(change: Change, reach: Reach): Promise<void> {
  await change.query.rows('update settings set notify_reach = $1', [reach])
  change.audit({ tenant: null, action: 'notifications.reach', target: 'notifications', detail: { reach } })
}

export function targetContext(tenant: string, id: number): readonly string[] {
  return ['notify-target', tenant, String(id)]
}

async function mustBeThere(change: Change, tenant: string, app: string, environment: string | null): Promise<void> {
  const rows = await change.query.rows(
    'select 1 from environments where tenant = $1 and app = $2 and ($3::text is null or name = $3) and removed_at is null limit 1',
    [tenant, app, environment],
  )
  if (rows.length === 0) throw notFound(environment === null ? `app "${app}"` : `environment "${environment}" of app "${app}"`)
}
