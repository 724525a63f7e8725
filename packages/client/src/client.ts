import type { RouteId } from './routes.ts'
import type { RequestOf, ResponseOf } from './types.ts'

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
/** One server-sent event: `data` typed by the route, `event` names what it is (`log`, `line`, `output`, `exit`, `end`, an event's kind). */
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
  stream<Id extends RouteId>(route: Id, request: Plain[Id], options?: CallOptions & { readonly lastEventId?: string }): AsyncIterable<StreamEvent<ResponseOf<Id>>>
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
