import type { App, EnvironmentSummary } from '../../packages/client/src/types.ts'
import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText } from './output/units.ts'

interface Row {
  readonly app: string
  readonly createdAt: string | null
  readonly environment: EnvironmentSummary | null
}

export async function list(session: Session): Promise<undefined> {
  const client = await session.client()
  const apps = await everyPage((cursor) => client.call('apps.list', { query: { limit: 200, ...cursor } }))
  const now = session.terminal.now()
  await showTable(
    session,
    apps.flatMap(rowsOf),
    [
      { title: 'APP', value: (row) => row.app },
      { title: 'ENVIRONMENT', value: (row) => row.environment?.name ?? '-' },
      { title: 'RELEASE', value: (row) => (row.environment?.release == null ? '-' : `v${row.environment.release}`) },
      { title: 'STATUS', value: (row) => row.environment?.status ?? 'new' },
      {
        title: 'CHANGED',
        value: (row) =>
          row.environment === null && row.createdAt === null ? '-' : agoText(Date.parse(row.environment?.updatedAt ?? row.createdAt ?? ''), now),
      },
      { title: 'REPLICAS', value: (row) => String(row.environment?.replicaCount ?? 0) },
      { title: 'URL', value: (row) => escapeControl(row.environment?.urls[0] ?? '-') },
      { title: 'MORE URLS', wide: true, value: (row) => escapeControl(row.environment?.urls.slice(1).join(' ') ?? '') },
    ],
    'no apps yet; next: weir deploy',
  )
}

function rowsOf(app: App): Row[] {
  if (app.environments.length === 0) return [{ app: app.name, createdAt: app.createdAt, environment: null }]
  return app.environments.map((environment) => ({ app: app.name, createdAt: app.createdAt, environment }))
}
