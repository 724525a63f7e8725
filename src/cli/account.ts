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
  const account = await client.call('accounts.create', {
    body: { name, password, ...(tenant === undefined ? {} : { tenant }), ...(role === undefined ? {} : { role }) },
  })
  await session.print(account, () => [`account ${account.name} is made in tenant ${account.tenant}; next: weir login --user ${account.name}`])
}

/** Whether anyone may make an account, or only an admin. */
export async function registration(session: Session): Promise<undefined> {
  const client = await session.client()
  const [wanted] = session.args
  if (wanted !== undefined && wanted !== 'open' && wanted !== 'closed') throw usage('registration is open or closed')
  const settings = wanted === undefined ? await client.call('settings.show', {}) : await client.call('settings.update', { body: { registration: wanted } })
  await session.print(settings, () => [`registration is ${settings.registration}`])
}
