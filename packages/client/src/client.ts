import { asClientError, type Connection, callRoute } from './call.ts'
import { ROUTES, type RouteEntry, type RouteId } from './routes.ts'
import { type Given, targetOf } from './target.ts'
import { transportTo } from './transport.ts'
import type { RequestOf, ResponseOf } from './types.ts'

export { ClientError } from './client-error.ts'

export interface ClientOptions {
  /** `unix:/path/to/server.sock`, `http://host:port` or `https://host`. */
  readonly address: string
  readonly token?: string
  /** The tenant that requests are about; default: the token's. */
  readonly tenant?: string
  readonly timeoutMs?: number
}

type Plain = { [Id in RouteId]: RequestOf<Id> }
export interface CallOptions {
  readonly signal?: AbortSignal
  /** `If-Match`, for routes that answer an etag. */
  readonly ifMatch?: string
}
/** One server-sent event: `data` typed by the route, `event` names what it is (`log`, `line`, `output`, an event's kind). */
export interface StreamEvent<Data> {
  readonly event: string
  readonly id: string | null
  readonly data: Data
}

export interface Client {
  /**
   * Calls a route and answers its JSON. Throws a ClientError with the server's five parts.
   *
   * @example const { items } = await client.call('apps.list', { query: { limit: 20 } })
   */
  call<Id extends RouteId>(route: Id, request: Plain[Id], options?: CallOptions): Promise<ResponseOf<Id>>
  /** Events of an `sse` route; after a lost connection it goes on behind the last event seen. Ends when the server ends it, or by the signal. */
  stream<Id extends RouteId>(
    route: Id,
    request: Plain[Id],
    options?: CallOptions & { readonly lastEventId?: string },
  ): AsyncIterable<StreamEvent<ResponseOf<Id>>>
  /** Sends a tar; answers its digest. */
  upload(tar: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<ResponseOf<'uploads.create'>>
  exec(request: RequestOf<'exec.open'>, command: ExecCommand, options?: CallOptions): Promise<ExecSession>
  close(): void
}

export interface ExecCommand {
  readonly argv: readonly string[]
  readonly tty: { readonly columns: number; readonly rows: number } | null
}
export interface ExecSession {
  /** stdout and stderr as they come; ends with the command. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly chunk: Buffer }>
  write(chunk: Uint8Array): void
  /** No more input. */
  end(): void
  resize(columns: number, rows: number): void
  readonly exit: Promise<ResponseOf<'exec.open'>['exit']>
  close(): void
}

/** How long an answer's head may take. */
const TIMEOUT_MS = 30_000

/**
 * A client of Weir's API.
 *
 * @example
 * const client = createClient({ address: 'unix:/var/lib/weir/run/server.sock' })
 * const release = await client.call('releases.create', { params: { app: 'shop', environment: 'production' }, body: { source: { kind: 'git', url } } })
 */
export function createClient(options: ClientOptions): Client {
  const transport = transportTo(options.address)
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const identity: Record<string, string> = {
    ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    ...(options.tenant === undefined ? {} : { 'weir-tenant': options.tenant }),
  }
  const connection: Connection = { transport, timeoutMs, identity }
  return {
    async call(route, request, callOptions) {
      const text = await callRoute(connection, ROUTES[route], request as Given, callOptions)
      const isText = (ROUTES[route] as RouteEntry).stream === 'text'
      return (isText ? text : JSON.parse(text)) as never
    },
    async *stream(route, request, streamOptions) {
      const { streamRoute } = await import('./stream.ts')
      yield* streamRoute(connection, targetOf(ROUTES[route], request as Given), streamOptions) as AsyncIterable<never>
    },
    async upload(tar, callOptions) {
      const { uploadTo } = await import('./upload.ts')
      return uploadTo(connection, tar, callOptions?.signal)
    },
    async exec(request, command, callOptions) {
      const { execOver } = await import('./exec-session.ts')
      const { method, path } = ROUTES['exec.open']
      const opened = await transport.open(
        method,
        targetOf({ path }, request),
        { ...identity, connection: 'Upgrade', upgrade: 'weir-exec' },
        callOptions?.signal,
      )
      return execOver(opened, command, timeoutMs).catch((error) => Promise.reject(asClientError(transport, error)))
    },
    close: () => transport.close(),
  }
}
