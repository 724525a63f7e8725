import type { Session } from './frame/session.ts'
import { stdinValue } from './frame/stdin-value.ts'
import { usage } from './frame/usage.ts'

const ROLES = ['viewer', 'developer', 'admin'] as const

export async function create(session: Session): Promise<undefined> {
  const [name = ''] = session.args
  const tenant = session.text('tenant')
  const role = ROLES.find((it) => it === session.text('role'))
  if (session.text('role') !== undefined && role === undefined) throw usage(`--role must be one of ${ROLES.join(', ')}`)
  const password = await stdinValue(session, `password of ${name} (at least 10 characters)`)
  const client = await session.client()
  const account = await client.call('accounts.create', { body: { name, password, ...(tenant === undefined ? {} : { tenant }), ...(role === undefined ? {} : { role }) } })
  await session.print(account, () => [`account ${account.name} is made${account.tenant === null ? '' : ` in tenant ${account.tenant}`}; next: weir login --user ${account.name}`])
}
