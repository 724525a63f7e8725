import { readCredentials, writeCredentials } from './frame/credentials.ts'
import type { Session } from './frame/session.ts'
import { failureOf } from './output/failure.ts'

/** Ends the token at the server and forgets it here; forgets it here also when the server cannot be reached. */
export async function logout(session: Session): Promise<undefined> {
  const { env } = session.terminal
  const { address } = session.server
  const credentials = readCredentials(env)
  if (credentials.tokens[address] === undefined) {
    await session.print({ server: address, loggedIn: false }, () => [`not logged in to ${address}`])
    return
  }
  const trouble = await revoke(session)
  const { [address]: _, ...tokens } = credentials.tokens
  writeCredentials(env, { server: Object.keys(tokens)[0] ?? null, tokens })
  if (trouble !== null) session.note(`the token is forgotten here, but the server could not end it: ${trouble}`)
  await session.print({ server: address, loggedIn: false }, () => [`logged out of ${address}`])
}

async function revoke(session: Session): Promise<string | null> {
  try {
    const client = await session.client()
    await client.call('tokens.revoke', { params: { token: 'current' } })
    return null
  } catch (error) {
    return failureOf(error).explanation.message
  }
}
