import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WeirError } from '../errors.ts'
import type { Principal } from '../identity/principal.ts'
import type { Identity } from './ports.ts'
import { type RateLimiter, RetryLater } from './rate.ts'

/** Whoever reaches the unix socket (mode 0600): the user who started the server, or root. */
const LOCAL_ADMIN: Principal = { id: 'local', name: 'local', account: null, admin: true, tenants: {}, environment: null }

/** Sockets that came in over the unix socket. */
export type LocalSockets = WeakSet<Socket>

/**
 * Who asks. A token counts on either listener; without one, the unix socket is the local admin and TCP is nobody.
 * An unknown token is refused even where none is needed: it is a mistake that should show.
 */
export async function askerOf(request: IncomingMessage, local: LocalSockets, identity: Identity, attempts: RateLimiter): Promise<Principal | null> {
  const header = request.headers.authorization
  if (header === undefined) return local.has(request.socket) ? LOCAL_ADMIN : null
  const secret = /^Bearer ([\x21-\x7e]{1,200})$/i.exec(header)?.[1]
  const principal = secret === undefined ? null : await identity.authenticate(secret)
  if (principal) return principal
  const wait = attempts.take(`token:${addressOf(request)}`)
  if (wait !== null) throw new RetryLater(wait)
  throw new WeirError('E_UNAUTHENTICATED', {
    message: 'the token is not accepted',
    cause: secret === undefined ? 'the header is not of the form `Authorization: Bearer TOKEN`' : 'it is unknown, revoked or expired',
  })
}

export function addressOf(request: IncomingMessage): string {
  return request.socket.remoteAddress ?? 'local'
}

/** Which tenant the request is about: the header's, else the only one, else the one named like the account, else the first. */
export function tenantOf(principal: Principal | null, header: string | string[] | undefined, defaultTenant: string): string {
  if (typeof header === 'string' && header !== '') return header
  const own = Object.keys(principal?.tenants ?? {}).sort()
  if (own.length === 0) return defaultTenant
  return own.find((it) => it === principal?.account) ?? (own[0] as string)
}
