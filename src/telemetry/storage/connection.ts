import { once } from 'node:events'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { CopyRows } from './copy-rows.ts'

/** Where the database is; read again for each connection, because a restarted PostgreSQL may be reached by another password. */
export type ConnectTo = () => Promise<pg.ClientConfig>

export interface Session {
  rows<R extends object>(text: string, values?: readonly unknown[]): Promise<R[]>
  copy(rows: CopyRows): Promise<void>
}

const CONNECT_MS = 5_000
/** A PostgreSQL that takes longer for one transaction of a second's telemetry is taken for dead. */
const TRANSACTION_MS = 30_000

/**
 * The one connection that telemetry is written over. It is opened when needed and dropped at the first sign of trouble; whoever writes tries
 * again later.
 */
export class Connection {
  readonly #connectTo: ConnectTo
  #client: pg.Client | null = null

  constructor(connectTo: ConnectTo) {
    this.#connectTo = connectTo
  }

  /** All or nothing. One at a time: the caller sees to it. */
  async transaction<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#connected()
    const patience = setTimeout(() => this.#drop(client), TRANSACTION_MS)
    try {
      await client.query('begin')
      const result = await work(sessionOn(client))
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch(() => this.#drop(client))
      throw error
    } finally {
      clearTimeout(patience)
    }
  }

  async close(): Promise<void> {
    const client = this.#client
    this.#client = null
    await client?.end()
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client) return this.#client
    const client = new pg.Client({
      ...(await this.#connectTo()),
      application_name: 'weir telemetry',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_MS,
      options: '-c timezone=UTC -c idle_in_transaction_session_timeout=10000 -c client_min_messages=warning',
    })
    client.on('error', () => this.#drop(client))
    await client.connect()
    this.#client = client
    return client
  }

  #drop(client: pg.Client): void {
    if (this.#client === client) this.#client = null
    ;(client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
  }
}

function sessionOn(client: pg.Client): Session {
  return {
    rows: async <R extends object>(text: string, values: readonly unknown[] = []) => (await client.query<R>(text, [...values])).rows,
    copy: async (rows) => {
      const stream = client.query(copyFrom(rows.statement))
      const written = once(stream, 'finish') // rejects when the stream emits an error
      stream.end(rows.finished())
      await written
    },
  }
}
