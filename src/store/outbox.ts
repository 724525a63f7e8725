import type { Epoch } from '../core/model/epoch.ts'
import type { Listener, Outgoing } from '../core/notify/match.ts'
import type { Message, PlacedEvent } from '../core/notify/message.ts'
import type { Address } from '../notify/target.ts'
import type { Reach } from '../reach.ts'
import type { Sealer } from '../secrets/sealer.ts'
import type { Database } from './database.ts'
import { cleanText, storable } from './json.ts'
import { holdEpoch } from './lease-table.ts'
import { targetContext } from './write-notifications.ts'

const EVENTS_AT_ONCE = 500
const LANES_AT_ONCE = 200
/** A target that takes nothing for so long has lost count anyway. */
const MOST_WAITING = 1_000

/** What the notifier remembers by. Beside `SealedValues` the only place where something sealed is opened. */
export class PostgresOutbox {
  readonly #database: Database
  readonly #sealer: Sealer

  constructor(database: Database, sealer: Sealer) {
    this.#database = database
    this.#sealer = sealer
  }

  /** Events of these kinds after the cursor, a piece of them, with all targets; null: nothing happened. */
  async fresh(kinds: readonly string[]): Promise<FreshEvents | null> {
    const [at] = await this.#database.prepared<{ from: number; last: number }>(
      'notify-cursor',
      'select event as from, (select coalesce(max(seq), 0) from events) as last from notify_cursor',
      [],
    )
    if (!at || at.last <= at.from) return null
    // Sequence numbers become visible in their order, so nothing below the last one is still to come.
    const events = await this.#database.prepared<PlacedEvent & { readonly seq: number }>('notify-fresh', FRESH, [at.from, at.last, kinds, EVENTS_AT_ONCE])
    const listeners = events.length === 0 ? [] : await this.#database.rows<Listener>(LISTENERS)
    const to = events.length === EVENTS_AT_ONCE ? (events.at(-1)?.seq ?? at.last) : at.last
    return { from: at.from, to, events, listeners }
  }

  /** Stores what is to be said and moves the cursor; where the cursor is elsewhere by now, nothing. */
  async fill(epoch: Epoch, { from, to }: { readonly from: number; readonly to: number }, outgoing: readonly Outgoing[]): Promise<void> {
    await this.#database.transaction(async (query) => {
      await holdEpoch(query, epoch)
      const moved = await query.rows('update notify_cursor set event = $2 where event = $1 returning 1', [from, to])
      if (moved.length > 0 && outgoing.length > 0) await query.rows(FILL, [storable(outgoing), MOST_WAITING])
    }, null)
  }

  /** Of each lane (a target, or the tests of one) that is not busy the oldest delivery, where it is due. */
  async due(busy: readonly string[]): Promise<{ readonly deliveries: readonly Due[]; readonly nextInMs: number | null; readonly reach: Reach }> {
    const rows = await this.#database.prepared<DueRow>('notify-due', DUE, [busy, LANES_AT_ONCE])
    const [settings] = await this.#database.rows<{ reach: Reach }>('select notify_reach as reach from settings')
    const waits = rows.filter((it) => it.inMs > 0).map((it) => it.inMs)
    return {
      deliveries: rows
        .filter((it) => it.inMs <= 0)
        .map(({ sealed, target, inMs: _in, ...row }) => ({ ...row, address: this.#open(sealed, row.tenant, target) })),
      nextInMs: waits.length === 0 ? null : Math.min(...waits),
      reach: settings?.reach ?? 'internet',
    }
  }

  /** How a try ended. Of a delivery that was settled before, or went with its target, nothing is changed. */
  async settle(epoch: Epoch, id: string, settled: { readonly outcome: string; readonly cause?: string; readonly inMs?: number }): Promise<void> {
    const { outcome, cause, inMs } = settled
    await this.#database.transaction(async (query) => {
      await holdEpoch(query, epoch)
      await query.rows(SETTLE, [id, outcome, cause === undefined ? null : cleanText(cause), inMs ?? 0])
    }, null)
  }

  #open(sealed: Buffer, tenant: string, target: number): Address | null {
    try {
      return JSON.parse(this.#sealer.open(sealed, targetContext(tenant, target)).toString('utf8')) as Address
    } catch {
      return null // of another key: whoever looks at the delivery reads it there
    }
  }
}

interface FreshEvents {
  readonly from: number
  readonly to: number
  readonly events: readonly (PlacedEvent & { readonly seq: number })[]
  readonly listeners: readonly Listener[]
}

interface Due {
  readonly id: string
  readonly lane: string
  readonly tenant: string
  readonly message: Message
  readonly address: Address | null
  readonly tries: number
  readonly ageMs: number
}
type DueRow = Omit<Due, 'address'> & { readonly target: number; readonly sealed: Buffer; readonly inMs: number }

const FRESH = `select seq, at, tenant, app, environment, kind, text, release, data from events
  where seq > $1 and seq <= $2 and kind = any ($3) order by seq limit $4`

const LISTENERS = `select id, tenant, app, environment, topics, after_event as "afterEvent" from notify_targets`

/** Targets may be gone meanwhile. */
const FILL = `
insert into notify_deliveries (target, event, message, outcome, cause, ended_at)
select t.id, x.event, x.message, case when w.full then 'dead' else 'waiting' end, case when w.full then 'too many messages wait for this target' end,
  case when w.full then now() end
from rows from (json_to_recordset($1::json) as (target bigint, event bigint, message json)) with ordinality as x(target, event, message, place)
join notify_targets t on t.id = x.target
join lateral (select count(*) >= $2 as full from notify_deliveries d where d.target = t.id and d.outcome = 'waiting') w on true
order by x.place on conflict (target, event) do nothing`

const DUE = `
with heads as (
  select distinct on (target, event is null) id, target, message, tries, created_at, next_at,
    target || case when event is null then ' test' else '' end as lane
  from notify_deliveries where outcome = 'waiting' order by target, event is null, seq
)
select h.id, h.lane, h.target, t.tenant, t.sealed, h.message, h.tries, (extract(epoch from now() - h.created_at) * 1000)::float8 as "ageMs",
  (extract(epoch from h.next_at - now()) * 1000)::float8 as "inMs"
from heads h join notify_targets t on t.id = h.target where h.lane <> all ($1) order by h.next_at limit $2`

const SETTLE = `
update notify_deliveries set outcome = $2, tries = tries + 1, cause = $3, next_at = now() + $4::float8 * interval '1 ms',
  ended_at = case when $2 <> 'waiting' then now() end
where id = $1::uuid and outcome = 'waiting'`
