import { randomUUID } from 'node:crypto'
import type { NewEvent, Trouble } from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Database } from './database.ts'
import { storable } from './json.ts'
import { holdEpoch } from './lease-table.ts'
import { appendEvents } from './releases.ts'

/** Beside the state, not in it: a pass that fails has no state to save. */
export async function noteTrouble(database: Database, epoch: Epoch, id: string, trouble: Trouble | null, events: readonly NewEvent[]): Promise<void> {
  const commit = randomUUID()
  await database.transaction(
    async (query) => {
      await holdEpoch(query, epoch)
      const text =
        'update environments set trouble = $2::json, last_commit = $3::uuid, revision = revision + 1 where id = $1 and removed_at is null returning 1'
      const saved = await query.rows(text, [id, trouble && storable(trouble), commit])
      if (saved.length > 0) await appendEvents(query, id, events)
    },
    async (query) => (await query.rows('select 1 from environments where id = $1 and last_commit = $2', [id, commit])).length === 1,
  )
}
