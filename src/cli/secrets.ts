import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { stdinValue } from './frame/stdin-value.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText } from './output/units.ts'

export async function list(session: Session): Promise<undefined> {
  const params = await session.app()
  const client = await session.client()
  const secrets = await everyPage((cursor) => client.call('secrets.list', { params, query: { limit: 200, ...cursor } }))
  const now = session.terminal.now()
  await showTable(
    session,
    secrets,
    [
      { title: 'SECRET', value: (it) => it.name },
      { title: 'VALUE', value: () => '«hidden»' },
      { title: 'VERSION', value: (it) => String(it.version) },
      { title: 'SET', value: (it) => `${agoText(Date.parse(it.at), now)} by ${escapeControl(it.by)}` },
    ],
    'none; next: weir secrets set NAME < file',
  )
}

export async function set(session: Session): Promise<undefined> {
  const [name = ''] = session.args
  const params = { ...(await session.app()), secret: name }
  const value = await stdinValue(session, `value of ${escapeControl(name)}`)
  const client = await session.client()
  const secret = await client.call('secrets.set', { params, body: { value } })
  await session.print(secret, () => [`${name} has version ${secret.version}; the next release takes it. To release now: weir env apply`])
}

export async function unset(session: Session): Promise<undefined> {
  const [name = ''] = session.args
  const client = await session.client()
  await session.print(await client.call('secrets.remove', { params: { ...(await session.app()), secret: name } }), () => [
    `${name} is gone from the next release on`,
  ])
}
