import type { Client } from '../../../packages/client/src/client.ts'
import { statePaths } from '../../config.ts'
import { WeirError } from '../../errors.ts'
import { readCredentials } from './credentials.ts'

export interface Server {
  /** As the client takes it: `unix:/…`, `http://…`, `https://…`. */
  readonly address: string
  readonly token: string | null
  /** Where the address comes from, for messages. */
  readonly from: string
}

/**
 * Which server is meant: WEIR_SERVER, else the last login, else the one on this machine.
 * WEIR_TOKEN comes before a stored token, so that programs need no login.
 */
export function serverOf(env: NodeJS.ProcessEnv): Server {
  const given = env['WEIR_TOKEN'] || null
  if (env['WEIR_SERVER']) {
    const address = serverAddress(env['WEIR_SERVER'])
    return { address, token: given ?? readCredentials(env).tokens[address] ?? null, from: 'WEIR_SERVER' }
  }
  // WEIR_HOME names an installation on this machine, so it says more than a login somewhere else
  const credentials = env['WEIR_HOME'] ? { server: null, tokens: {} } : readCredentials(env)
  if (credentials.server !== null) return { address: credentials.server, token: given ?? credentials.tokens[credentials.server] ?? null, from: 'weir login' }
  return { address: `unix:${statePaths(env).serverSocket}`, token: given, from: 'this machine' }
}

/** Checks and normalises what a person typed as a server. A token would travel in the clear over http, so only loopback may use it. */
export function serverAddress(text: string): string {
  if (text.startsWith('unix:/')) return text
  const withScheme = text.includes('://') ? text : `https://${text}`
  if (!URL.canParse(withScheme)) throw badServer(text, 'not an address')
  const url = new URL(withScheme)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw badServer(text, `${url.protocol}// is not spoken here`)
  if (url.username || url.password) throw badServer(`${url.protocol}//${url.host}`, 'a name or password does not belong into the address')
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) throw badServer(text, 'a token would travel readable for everyone; use https')
  return url.origin
}

export async function connectClient(server: Server): Promise<Client> {
  const { createClient } = await import('../../../packages/client/src/client.ts')
  return createClient({ address: server.address, ...(server.token === null ? {} : { token: server.token }) })
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function badServer(text: string, cause: string): WeirError {
  return new WeirError('E_USAGE', { message: `"${text}" cannot be used as a server`, cause, next: 'https://weir.example.com or unix:/path/to/server.sock' })
}
