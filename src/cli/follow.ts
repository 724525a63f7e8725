import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'

export async function list(session: Session): Promise<undefined> {
  const params = await session.app()
  const client = await session.client()
  const followed = await everyPage((cursor) => client.call('follow.list', { params, query: { limit: 200, ...cursor } }))
  await showTable(
    session,
    followed,
    [
      { title: 'ID', value: (it) => String(it.id) },
      { title: 'REPOSITORY', value: (it) => escapeControl(it.url) },
      { title: 'BRANCH', value: (it) => escapeControl(it.ref) },
      { title: 'FOLDER', value: (it) => escapeControl(it.path) },
      { title: 'SEEN', value: (it) => it.lastCommit?.slice(0, 10) ?? '-' },
      { title: 'PROBLEM', flexible: true, value: (it) => escapeControl(it.problem ?? '') },
    ],
    'none; next: weir deploy URL --branch main --follow',
  )
}

export async function remove(session: Session): Promise<undefined> {
  const [id = ''] = session.args
  if (!/^[1-9]\d{0,9}$/.test(id)) throw usage(`"${escapeControl(id)}" is no id`, undefined, 'weir follow list')
  const client = await session.client()
  await session.print(await client.call('follow.remove', { params: { ...(await session.app()), follow: Number(id) } }), () => ['followed no more'])
}
