import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'

export async function whoami(session: Session): Promise<undefined> {
  const client = await session.client()
  const who = await client.call('identity.whoami', {})
  const { address, from } = session.server
  await session.print({ ...who, server: address }, () => [
    `account   ${escapeControl(who.account)}${who.admin ? ' (admin of the installation)' : ''}`,
    `tenant    ${escapeControl(who.tenant)} as ${who.role}`,
    `server    ${address} (${from})`,
    `may       ${who.verbs.join(' ')}`,
    ...(who.app === null && who.environment === null ? [] : [`only      ${[who.app, who.environment].filter(Boolean).join(' in ')}`]),
    ...(who.expiresAt === null ? [] : [`until     ${who.expiresAt.slice(0, 16)}Z`]),
  ])
}
