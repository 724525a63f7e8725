import { WeirError } from '../errors.ts'
import { connectClient, type Server, serverAddress } from './frame/connect.ts'
import { readCredentials, writeCredentials } from './frame/credentials.ts'
import type { Session } from './frame/session.ts'
import { stdinValue } from './frame/stdin-value.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'

/** Trades name and password for a token, or takes a token, and keeps it for the server. */
export async function login(session: Session): Promise<undefined> {
  const server = serverToLogInto(session)
  const token = session.flag('withToken') ? await stdinValue(session, 'token') : await tokenByPassword(session, server)
  const client = await connectClient({ ...server, token })
  try {
    const who = await client.call('identity.whoami', {})
    const { env } = session.terminal
    const { tokens } = readCredentials(env)
    writeCredentials(env, { server: server.address, tokens: { ...tokens, [server.address]: token } })
    await session.print({ server: server.address, account: who.account ?? who.name, tenant: who.tenant }, () => [
      `logged in to ${server.address} as ${escapeControl(who.account ?? who.name)}`,
    ])
  } finally {
    client.close()
  }
}

function serverToLogInto(session: Session): Server {
  const [typed] = session.args
  return typed === undefined ? { ...session.server, token: null } : { address: serverAddress(typed), token: null, from: 'the command line' }
}

async function tokenByPassword(session: Session, server: Server): Promise<string> {
  const { terminal } = session
  const name = session.text('user') ?? (terminal.asks ? await terminal.ask('account: ', false) : undefined)
  if (name === undefined || name === '')
    throw usage('login needs an account', 'there is no terminal to ask on', 'weir login --user NAME < password, or weir login --with-token < token')
  const password = await stdinValue(session, 'password')
  const client = await connectClient(server)
  try {
    return (await client.call('identity.login', { body: { name, password, label: 'weir login' } })).secret
  } catch (error) {
    if ((error as { code?: string }).code !== 'E_UNAUTHENTICATED') throw error
    throw new WeirError('E_UNAUTHENTICATED', { message: 'this account and password do not go together', next: 'weir login again' }, { cause: error })
  } finally {
    client.close()
  }
}
