import type { CallOptions } from './client.ts'
import { problemOf, unreachable } from './client-error.ts'
import { backoff, pause } from './retry.ts'
import type { RouteEntry } from './routes.ts'
import { type Given, targetOf } from './target.ts'
import { LostConnection, responseTo, type Transport, textOf } from './transport.ts'

/** After a connection was lost on the way, the same request is tried again for so long: a server that was killed is back in two seconds. */
const RETRY_FOR_MS = 15_000

/** What all requests of one client share. */
export interface Connection {
  readonly transport: Transport
  readonly timeoutMs: number
  /** Headers that say who asks, and about which tenant. */
  readonly identity: Readonly<Record<string, string>>
}

/** Calls a route and answers its text. A request that may be repeated is, with the same idempotency key, until it is answered. */
export async function callRoute({ transport, timeoutMs, identity }: Connection, route: RouteEntry, request: Given, options: CallOptions = {}): Promise<string> {
  const path = targetOf(route, request)
  const body = request.body === undefined ? undefined : JSON.stringify(request.body)
  const headers: Record<string, string> = { ...identity, accept: 'application/json' }
  if (body !== undefined) {
    headers['content-type'] = 'application/json'
    headers['content-length'] = String(Buffer.byteLength(body))
  }
  if (route.retry === 'key') headers['idempotency-key'] = crypto.randomUUID()
  if (options.ifMatch !== undefined) headers['if-match'] = options.ifMatch

  const begun = performance.now()
  for (let attempt = 0; ; attempt++) {
    let delayMs = backoff(attempt)
    try {
      const opened = await transport.open(route.method, path, headers, options.signal)
      const answered = responseTo(opened, timeoutMs)
      opened.end(body)
      const response = await answered
      const text = await textOf(response)
      const status = response.statusCode ?? 0
      if (status < 400) return text
      const again = (status === 503 || status === 429) && route.retry !== 'never'
      delayMs = Math.max(delayMs, Number(response.headers['retry-after'] ?? 0) * 1000)
      if (!again || performance.now() - begun + delayMs > RETRY_FOR_MS) throw problemOf(status, text)
    } catch (error) {
      if (!(error instanceof LostConnection) || options.signal?.aborted) throw error
      // with nobody there from the start, waiting would only hide it
      const again = route.retry !== 'never' && !(error.neverReached && attempt === 0)
      if (!again || performance.now() - begun + delayMs > RETRY_FOR_MS) throw asClientError(transport, error)
    }
    await pause(delayMs, options.signal)
  }
}

export function asClientError(transport: Transport, error: unknown): unknown {
  return error instanceof LostConnection ? unreachable(transport.address, error.message) : error
}
