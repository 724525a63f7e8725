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

/** One's own, with the present one; or, as an admin, anybody's. All log-ins of the account end with it. */
export async function password(session: Session): Promise<undefined> {
  const client = await session.client()
  const who = await client.call('identity.whoami', {})
  const account = session.args[0] ?? who.account
  if (account === null) throw usage('whose password?', 'you are no account here', 'weir account password NAME')
  const body =
    account === who.account ? await presentAndNew(session) : { password: await stdinValue(session, `new password of ${account} (at least 10 characters)`) }
  await session.print(await client.call('accounts.password', { params: { account }, body }), () => [
    `the password of ${account} is changed and its log-ins have ended; next: weir login --user ${account}`,
  ])
}

async function presentAndNew(session: Session): Promise<{ current: string; password: string }> {
  if (session.terminal.asks)
    return { current: await stdinValue(session, 'present password'), password: await stdinValue(session, 'new password (at least 10 characters)') }
  const [current = '', fresh = '', ...more] = (await stdinValue(session, 'present and new password')).split(/\r?\n/)
  if (fresh === '' || more.length > 0) throw usage('standard input must be two lines', 'the present password, then the new one')
  return { current, password: fresh }
}

/** Whether anyone may make an account, or only an admin. */
export async function registration(session: Session): Promise<undefined> {
  const client = await session.client()
  const [wanted] = session.args
  if (wanted !== undefined && wanted !== 'open' && wanted !== 'closed') throw usage('registration is open or closed')
  const settings = wanted === undefined ? await client.call('settings.show', {}) : await client.call('settings.update', { body: { registration: wanted } })
  await session.print(settings, () => [`registration is ${settings.registration}`])
}
