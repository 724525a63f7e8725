import { LEASE_MS } from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Clock } from '../core/model/world.ts'
import { WeirError } from '../errors.ts'

/** The one row that says who leads. */
export interface LeaseTable {
  look(): Promise<LeaseRow>
  /** Compare-and-set on what was last seen: epoch and renewals grow by one. `clockMs`: the newest store time that anything was saved with. */
  take(holder: string, seen: LeaseRow): Promise<{ readonly epoch: Epoch; readonly clockMs: number } | null>
  /** false: `epoch` is over. Keeps the greater of its own and the given store time. */
  renew(epoch: Epoch, clockMs: number): Promise<boolean>
  free(epoch: Epoch, clockMs: number): Promise<void>
}
export interface LeaseRow {
  readonly epoch: Epoch
  readonly holder: string | null
  /** Grows with whatever happens to the lease. */
  readonly renewals: number
}

/**
 * The lease, whose epoch fences everything. No clock but this process's monotonic one takes part: a holder is gone when its
 * renewals have not grown between two looks at least LEASE_MS apart. Taking over is a compare-and-set on what was last seen.
 *
 * Store time lives here too: it begins where the last holder left it (with its renewals and with every saved state) and grows with the
 * monotonic clock.
 */
export class Lease {
  readonly #table: LeaseTable
  readonly #clock: Clock
  #seen: { readonly epoch: Epoch; readonly renewals: number; readonly at: number } | null = null
  #base = 0
  #since: number

  constructor(table: LeaseTable, clock: Clock) {
    this.#table = table
    this.#clock = clock
    this.#since = clock.monotonic()
  }

  now(): number {
    return Math.floor(this.#base + (this.#clock.monotonic() - this.#since))
  }

  async acquire(holder: string, force: boolean): Promise<Epoch | null> {
    const row = await this.#table.look()
    if (!force && row.holder !== null && row.holder !== holder && !this.#standsStill(row)) return null
    const taken = await this.#table.take(holder, row)
    if (!taken) return force ? this.acquire(holder, force) : null
    this.#seen = null
    this.#base = Math.max(taken.clockMs, this.now())
    this.#since = this.#clock.monotonic()
    return taken.epoch
  }

  renew(epoch: Epoch): Promise<boolean> {
    return this.#table.renew(epoch, this.now())
  }

  release(epoch: Epoch): Promise<void> {
    return this.#table.free(epoch, this.now())
  }

  #standsStill(row: LeaseRow): boolean {
    const at = this.#clock.monotonic()
    if (this.#seen?.epoch === row.epoch && this.#seen.renewals === row.renewals) return at - this.#seen.at >= LEASE_MS
    this.#seen = { epoch: row.epoch, renewals: row.renewals, at }
    return false
  }
}

export function staleEpoch(epoch: Epoch): WeirError {
  return new WeirError('E_STALE_EPOCH', { message: 'another server has taken over', cause: `epoch ${epoch} is over`, state: 'nothing was changed' })
}
