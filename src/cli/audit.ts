import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText } from './output/units.ts'

const DEFAULT_ROWS = 30
const PAGE = 200

/** Who changed what in the tenant, newest first. */
export async function audit(session: Session): Promise<undefined> {
  const client = await session.client()
  const atMost = session.count('lines') ?? DEFAULT_ROWS
  const records = await everyPage((cursor) => client.call('audit.list', { query: { limit: Math.min(PAGE, atMost), ...cursor } }), atMost)
  const now = session.terminal.now()
  await showTable(
    session,
    records,
    [
      { title: 'WHEN', value: (it) => agoText(Date.parse(it.at), now) },
      { title: 'BY', value: (it) => escapeControl(it.by) },
      { title: 'ACTION', value: (it) => it.action },
      { title: 'TARGET', flexible: true, value: (it) => escapeControl(it.target) },
      { title: 'DETAIL', wide: true, value: (it) => escapeControl(JSON.stringify(it.detail)) },
    ],
    'nothing has been changed yet',
  )
}
