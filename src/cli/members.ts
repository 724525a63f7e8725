import { checkedName } from './frame/context.ts'
import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'

const ROLES = ['viewer', 'developer', 'admin'] as const

export async function list(session: Session): Promise<undefined> {
  const client = await session.client()
  const members = await everyPage((cursor) => client.call('members.list', { query: { limit: 200, ...cursor } }))
  await showTable(
    session,
    members,
    [
      { title: 'ACCOUNT', value: (it) => escapeControl(it.account) },
      { title: 'ROLE', value: (it) => it.role },
    ],
    'no members; next: weir members add NAME --role developer',
  )
}

/** The same again changes the role. */
export async function add(session: Session): Promise<undefined> {
  const account = checkedName('account', session.args[0] ?? '')
  const named = session.text('role') ?? 'developer'
  const role = ROLES.find((it) => it === named)
  if (role === undefined) throw usage(`"${escapeControl(named)}" is no role`, `there are ${ROLES.join(', ')}`)
  const client = await session.client()
  await client.call('members.set', { params: { account }, body: { role } })
  await session.print({ account, role }, () => [`${account} is ${role} from now on`])
}

export async function remove(session: Session): Promise<undefined> {
  const account = checkedName('account', session.args[0] ?? '')
  const client = await session.client()
  await client.call('members.set', { params: { account }, body: { role: null } })
  await session.print({ account, role: null }, () => [`${account} is a member no more`])
}
