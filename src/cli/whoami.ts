import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'

export async function whoami(session: Session): Promise<undefined> {
  const client = await session.client()
  const who = await client.call('identity.whoami', {})
  const { address, from } = session.server
  await session.print({ ...who, server: address }, () => [
    `account   ${escapeControl(who.account ?? who.name)}${who.admin ? ' (admin of the installation)' : ''}`,
    `server    ${address} (${from})`,
    `tenant    ${who.tenant}`,
    ...who.tenants.map(({ tenant, verbs }) => `may in    ${tenant}: ${verbs.join(' ')}`),
    ...(who.environment === null ? [] : [`only      ${who.environment}`]),
  ])
}
