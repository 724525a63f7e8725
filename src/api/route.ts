import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ROUTES, RouteId } from '../../packages/client/src/routes.ts'
import type { CheckedOf, ResponseOf } from '../../packages/client/src/types.ts'
import type { Principal } from '../identity/principal.ts'
import type { Answer, Writer } from '../store/writes.ts'
import type { Metrics } from './metrics.ts'
import type { ApiOptions } from './options.ts'
import type { ApiPorts } from './ports.ts'

export interface Upgrade {
  readonly protocol: string
  /** Takes the connection over: answers 101 and gives the bare stream with what came after the head. */
  accept(): { readonly socket: Duplex; readonly head: Buffer }
}

/** One request in the hands of its resource: who asks, what for, checked. */
export interface Call<Id extends RouteId> {
  /** null: nobody, on a public route. */
  readonly principal: Principal | null
  readonly tenant: string
  readonly params: CheckedOf<Id, 'params'>
  readonly query: CheckedOf<Id, 'query'>
  readonly body: CheckedOf<Id, 'body'>
  readonly headers: IncomingHttpHeaders
  readonly raw: IncomingMessage
  readonly ports: ApiPorts
  readonly options: ApiOptions
  readonly metrics: Metrics
  /** The connection, where the asker wants it turned into something else. */
  readonly upgrade: Upgrade | null
  /** Fires when the asker has gone or the server closes. */
  readonly signal: AbortSignal
  /** Fires when the server closes: for what outlives its request. */
  readonly closing: AbortSignal
  setHeader(name: string, value: string): void
  /** All changes of one request in one transaction, once per idempotency key. `work` may run twice: no effects in it but `write`'s. */
  write(work: (write: Writer) => Promise<Answer['body']>): Promise<ResponseOf<Id>>
}

export interface ServerEvent<Data> {
  readonly event: string
  /** Where a stream that begins anew goes on. */
  readonly id: string | null
  readonly data: Data
}

/** What a resource gives for a route: its answer; or for a stream, once it is known that there is one, its events. */
export type Handler<Id extends RouteId> = (
  call: Call<Id>,
) => Promise<RouteEntryOf<Id> extends { readonly stream: 'sse' } ? AsyncIterable<ServerEvent<ResponseOf<Id>>> : ResponseOf<Id>>
type RouteEntryOf<Id extends RouteId> = (typeof ROUTES)[Id]

export type Handlers<Ids extends RouteId> = { readonly [Id in Ids]: Handler<Id> }
