import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'

export async function whoami(session: Session): Promise<undefined> {
  const client = await session.client()
  const who = await client.call('identity.whoami', {})
  const { address, from } = session.server
  await session.print({ ...who, server: address }, () => [
    `account   ${escapeControl(who.account ?? who.name)}${who.admin ? ' (admin of the installation)' : ''}`,
    `server    ${address} (${from})`,
    ...who.tenants.map(({ tenant, verbs }) => `tenant    ${tenant}${tenant === who.tenant ? ' (meant by default)' : ''}: ${verbs.join(' ')}`),
    ...(who.environment === null ? [] : [`only      ${who.environment}`]),
  ])
}
