import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { explain, isLost, isTransient, unavailable } from './database-error.ts'

/** Where the database is: a URL, or the embedded instance's socket. */
export type Address = { readonly url: string } | EmbeddedAddress
export type EmbeddedAddress = {
  readonly socketDir: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly password: string | null
}

export interface Query {
  /** A statement planned each time. */
  rows<R extends object>(text: string, values?: readonly unknown[]): Promise<R[]>
  /** A statement that each connection plans once: for what runs often. `name` belongs to the text. */
  prepared<R extends object>(name: string, text: string, values: readonly unknown[]): Promise<R[]>
}

const POOL_SIZE = 4
const RETRIES = 5
/** How long to look for the outcome of a commit whose answer was lost: a killed PostgreSQL is back within it. */
const LOOK_FOR_MS = 8_000

/**
 * A few connections to PostgreSQL, opened when needed, and what a careful client does around them: one retry when the connection was lost
 * before anything could have happened, retries of serialization failures, and a look at the database when the answer to COMMIT was lost.
 */
export class Database implements Query {
  readonly #pool: pg.Pool

  constructor(address: Address) {
    this.#pool = new pg.Pool({
      ...connectionOptions(address),
      max: POOL_SIZE,
      idleTimeoutMillis: 30_000,
      connectionTimeoutMillis: 5_000,
      allowExitOnIdle: true,
    })
    this.#pool.on('error', () => {}) // an idle connection was lost: the pool has dropped it, the next query opens another
    this.#pool.on('connect', (client) => client.on('error', () => {})) // a used one: its query or COMMIT is rejected, which says it
  }

  rows<R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    return this.#read(async (client) => (await client.query<R>(text, [...values])).rows)
  }

  prepared<R extends object>(name: string, text: string, values: readonly unknown[]): Promise<R[]> {
    return this.#read(async (client) => (await client.query<R>({ name, text, values: [...values] })).rows)
  }

  /**
   * Runs one statement that writes, as its own transaction. `landed` looks whether it took effect when its answer was lost;
   * null: running it again is the same as running it once.
   */
  async write<R extends object>(
    statement: { readonly name: string; readonly text: string; readonly values: readonly unknown[] },
    landed: ((query: Query) => Promise<R[] | null>) | null,
  ): Promise<R[]> {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#connect()
      const backend = backendOf(client)
      try {
        const { rows } = await client.query<R>({ ...statement, values: [...statement.values] })
        client.release()
        return rows
      } catch (error) {
        client.release(isLost(error))
        if (isLost(error)) {
          const found = landed ? await this.#look(backend, landed) : null
          if (found) return found
          if (attempt > 1) throw explain(error)
        } else if (!isTransient(error) || attempt > RETRIES) throw explain(error)
        await delay(attempt * randomInt(5, 20))
      }
    }
  }

  /** Several statements, all or nothing. Errors of `work` roll back and come through. `landed` as for `write`. */
  async transaction<T>(work: (query: Query) => Promise<T>, landed: ((query: Query) => Promise<boolean>) | null): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#connect()
      const backend = backendOf(client)
      let done: { readonly result: T } | null = null
      try {
        await client.query('begin')
        done = { result: await work(new InTransaction(client)) }
        const { command } = await client.query('commit')
        if (command !== 'COMMIT') throw new Error(`COMMIT was answered with ${command}`)
        client.release()
        return done.result
      } catch (error) {
        if (isLost(error)) {
          client.release(true)
          if (done && landed && (await this.#look(backend, async (query) => (await landed(query)) || null))) return done.result
          if (attempt > 1) throw explain(error)
        } else {
          await client.query('rollback').then(
            () => client.release(),
            () => client.release(true),
          )
          if (!isTransient(error) || attempt > RETRIES) throw explain(error)
        }
        await delay(attempt * randomInt(5, 20))
      }
    }
  }

  /** How many connections are open: for tests and `doctor`. */
  get connections(): number {
    return this.#pool.totalCount
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect()
    } catch (error) {
      throw isLost(error) ? unavailable((error as Error).message) : explain(error)
    }
  }

  async #read<T>(run: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const client = await this.#connect()
      try {
        const result = await run(client)
        client.release()
        return result
      } catch (error) {
        client.release(isLost(error))
        if (!isLost(error) || attempt > 1) throw explain(error)
      }
    }
  }

  /** First waits until the backend that may still be committing is gone, then asks. */
  async #look<T>(backend: number, ask: (query: Query) => Promise<T | null>): Promise<T | null> {
    const until = performance.now() + LOOK_FOR_MS
    for (;;) {
      try {
        const [alive] = await this.rows<{ alive: boolean }>('select exists (select from pg_stat_activity where pid = $1) as alive', [backend])
        if (!alive?.alive) return await ask(this)
      } catch (error) {
        if (performance.now() > until) throw explain(error)
      }
      if (performance.now() > until) throw unavailable('the answer to COMMIT was lost; whether it happened is not known yet')
      await delay(50)
    }
  }
}

class InTransaction implements Query {
  readonly #client: pg.PoolClient
  constructor(client: pg.PoolClient) {
    this.#client = client
  }
  async rows<R extends object>(text: string, values: readonly unknown[] = []): Promise<R[]> {
    return (await this.#client.query<R>(text, [...values])).rows
  }
  async prepared<R extends object>(name: string, text: string, values: readonly unknown[]): Promise<R[]> {
    return (await this.#client.query<R>({ name, text, values: [...values] })).rows
  }
}

/** For the pool and for the one connection that listens. */
export function connectionOptions(address: Address): pg.ClientConfig {
  const where =
    'url' in address
      ? { connectionString: address.url }
      : { host: address.socketDir, port: address.port, user: address.user, database: address.database, password: address.password ?? undefined }
  return {
    ...where,
    application_name: 'weir',
    keepAlive: true,
    // a server that is frozen inside a transaction must not hold its locks against the one that takes over
    options: '-c search_path=weir -c timezone=UTC -c statement_timeout=10000 -c idle_in_transaction_session_timeout=3000 -c client_min_messages=warning',
    query_timeout: 15_000,
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  }
}

const INT8 = 20
const TIMESTAMPTZ = 1184

/** Numbers as numbers (sequences stay far below 2^53), times as ISO 8601. */
function parserOf(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  if (oid === INT8) return Number
  if (oid === TIMESTAMPTZ) return (text) => new Date(text).toISOString()
  return pg.types.getTypeParser(oid, format) as (text: string) => unknown
}

function backendOf(client: pg.PoolClient): number {
  return (client as unknown as { processID: number }).processID
}
