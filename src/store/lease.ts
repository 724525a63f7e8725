import { LEASE_MS } from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Clock } from '../core/model/world.ts'
import { WeirError } from '../errors.ts'
import type { Query } from './database.ts'

interface LeaseRow {
  readonly epoch: number
  readonly holder: string | null
  readonly renewals: number
}

/**
 * The one lease, with the epoch that fences everything. No clock but this process's monotonic one takes part: a holder is gone when its
 * renewals have not grown between two looks at least LEASE_MS apart. Taking over is a compare-and-set on what was last seen.
 *
 * Store time lives here too: it begins where the last holder left it (with its renewals and with every saved state) and grows with the
 * monotonic clock.
 */
export class Lease {
  readonly #query: Query
  readonly #clock: Clock
  #seen: { readonly epoch: number; readonly renewals: number; readonly at: number } | null = null
  #base = 0
  #since: number

  constructor(query: Query, clock: Clock) {
    this.#query = query
    this.#clock = clock
    this.#since = clock.monotonic()
  }

  now(): number {
    return Math.floor(this.#base + (this.#clock.monotonic() - this.#since))
  }

  async acquire(holder: string, force: boolean): Promise<Epoch | null> {
    const [row] = await this.#query.rows<LeaseRow>('select epoch, holder, renewals from lease')
    if (!row) throw new WeirError('E_STATE', { message: 'the store has lost its lease row', next: 'restore a backup' })
    if (!force && row.holder !== null && row.holder !== holder && !this.#standsStill(row)) return null
    const [taken] = await this.#query.rows<{ epoch: number; clock_ms: number }>(
      `update lease set epoch = epoch + 1, renewals = renewals + 1, holder = $1, clock_ms = greatest(clock_ms, (select max(clock_ms) from environments))
       where epoch = $2 and renewals = $3 returning epoch, clock_ms`,
      [holder, row.epoch, row.renewals],
    )
    if (!taken) return force ? this.acquire(holder, force) : null
    this.#seen = null
    this.#base = Math.max(taken.clock_ms, this.now())
    this.#since = this.#clock.monotonic()
    return taken.epoch
  }

  async renew(epoch: Epoch): Promise<boolean> {
    const rows = await this.#query.prepared(
      'renew',
      'update lease set renewals = renewals + 1, clock_ms = greatest(clock_ms, $2::bigint) where epoch = $1 and holder is not null returning epoch',
      [epoch, this.now()],
    )
    return rows.length === 1
  }

  async release(epoch: Epoch): Promise<void> {
    await this.#query.rows('update lease set holder = null, renewals = renewals + 1, clock_ms = greatest(clock_ms, $2::bigint) where epoch = $1', [epoch, this.now()])
  }

  #standsStill(row: LeaseRow): boolean {
    const at = this.#clock.monotonic()
    if (this.#seen?.epoch === row.epoch && this.#seen.renewals === row.renewals) return at - this.#seen.at >= LEASE_MS
    this.#seen = { epoch: row.epoch, renewals: row.renewals, at }
    return false
  }
}

/** Inside a transaction: nothing else may follow when this throws. The row stays share-locked, so no newer epoch can begin meanwhile. */
export async function holdEpoch(query: Query, epoch: Epoch): Promise<void> {
  const held = await query.prepared('hold-epoch', 'select 1 from lease where epoch = $1 for share', [epoch])
  if (held.length === 0) throw staleEpoch(epoch)
}

export function staleEpoch(epoch: Epoch): WeirError {
  return new WeirError('E_STALE_EPOCH', { message: 'another server has taken over', cause: `epoch ${epoch} is over`, state: 'nothing was changed' })
}
