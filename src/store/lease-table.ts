import type { Epoch } from '../core/model/epoch.ts'
import { WeirError } from '../errors.ts'
import type { Query } from './database.ts'
import { type LeaseRow, type LeaseTable, staleEpoch } from './lease.ts'

export class PostgresLeaseTable implements LeaseTable {
  readonly #query: Query

  constructor(query: Query) {
    this.#query = query
  }

  async look(): Promise<LeaseRow> {
    const [row] = await this.#query.rows<LeaseRow>('select epoch, holder, renewals from lease')
    if (!row) throw new WeirError('E_STATE', { message: 'the store has lost its lease row', next: 'restore a backup' })
    return row
  }

  async take(holder: string, seen: LeaseRow): Promise<{ readonly epoch: Epoch; readonly clockMs: number } | null> {
    const [taken] = await this.#query.rows<{ epoch: number; clockMs: number }>(
      `update lease set epoch = epoch + 1, renewals = renewals + 1, holder = $1, clock_ms = greatest(clock_ms, (select max(clock_ms) from environments))
       where epoch = $2 and renewals = $3 returning epoch, clock_ms as "clockMs"`,
      [holder, seen.epoch, seen.renewals],
    )
    return taken ?? null
  }

  async renew(epoch: Epoch, clockMs: number): Promise<boolean> {
    const text = 'update lease set renewals = renewals + 1, clock_ms = greatest(clock_ms, $2::bigint) where epoch = $1 and holder is not null returning epoch'
    return (await this.#query.prepared('renew', text, [epoch, clockMs])).length === 1
  }

  async free(epoch: Epoch, clockMs: number): Promise<void> {
    await this.#query.rows('update lease set holder = null, renewals = renewals + 1, clock_ms = greatest(clock_ms, $2::bigint) where epoch = $1', [
      epoch,
      clockMs,
    ])
  }
}

/** In a transaction: nothing else may follow when this throws. The row stays share-locked, so no newer epoch can begin meanwhile. */
export async function holdEpoch(query: Query, epoch: Epoch): Promise<void> {
  const held = await query.prepared('hold-epoch', 'select 1 from lease where epoch = $1 for share', [epoch])
  if (held.length === 0) throw staleEpoch(epoch)
}
