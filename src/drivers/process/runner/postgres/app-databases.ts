import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from 'pg'
import { WeirError } from '../../../../errors.ts'
import type { ResourceSpec } from '../../../driver.ts'
import type { DaemonSet } from '../daemon-set.ts'
import { readRecord, removeRecord, writeRecord } from '../durable.ts'
import type { ResourceFields } from '../environment.ts'
import type { Machine } from '../machine.ts'
import type { Ports } from '../ports.ts'
import { POSTGRES_MAJOR } from './binaries.ts'
import { PostgresInstance } from './instance.ts'

/** So that one app's leak of connections leaves some for the others. */
const CONNECTIONS = { all: 200, each: 40 }
const MAX_IDENTIFIER = 63
const FIGURE_MS = 2_000

/** The apps' own PostgreSQL, apart from Weir's: a database and a role for each resource of each environment. */
export class AppDatabases {
  readonly #machine: Machine
  readonly #daemons: DaemonSet
  readonly #port: number
  readonly #portFile: string
  #instance: PostgresInstance | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(machine: Machine, daemons: DaemonSet, ports: Ports) {
    this.#machine = machine
    this.#daemons = daemons
    this.#portFile = join(machine.paths.runner, 'apps-postgres-port.json')
    this.#port = readRecord<{ port: number }>(this.#portFile)?.port ?? ports.allocate(1)[0] ?? 0
    ports.keep([this.#port])
  }

  get port(): number {
    return this.#port
  }

  async ensure(spec: Extract<ResourceSpec, { kind: 'postgres' }>): Promise<void> {
    if (spec.version !== POSTGRES_MAJOR) {
      throw new WeirError('E_UNSUPPORTED', {
        message: `PostgreSQL ${spec.version} is not on this machine`,
        cause: `${POSTGRES_MAJOR} is`,
        next: `say version: ${POSTGRES_MAJOR}`,
      })
    }
    const name = databaseName(spec.environment, spec.name)
    const password = this.#password(spec.environment, spec.name)
    await this.#inTurn(async (client) => {
      const role = client.escapeIdentifier(name)
      const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name])
      const may = `LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT ${CONNECTIONS.each} PASSWORD ${client.escapeLiteral(password)}`
      await client.query(`${known.rowCount ? 'ALTER' : 'CREATE'} ROLE ${role} ${may}`)
      if (!(await exists(client, name))) await client.query(`CREATE DATABASE ${role} OWNER ${role}`)
      await client.query(`REVOKE ALL ON DATABASE ${role} FROM PUBLIC`)
    })
  }

  /** Without the data: the role may no longer log in, all else stays for the next `ensure`. */
  async remove(environment: string, resource: string, withData: boolean): Promise<void> {
    if (!existsSync(this.#file(environment, resource))) return
    const name = databaseName(environment, resource)
    await this.#inTurn(async (client) => {
      const role = client.escapeIdentifier(name)
      const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name])
      if (known.rowCount) await client.query(`ALTER ROLE ${role} NOLOGIN`)
      await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [name])
      if (!withData) return
      await client.query(`DROP DATABASE IF EXISTS ${role} WITH (FORCE)`)
      await client.query(`DROP ROLE IF EXISTS ${role}`)
    })
    if (withData) removeRecord(this.#file(environment, resource))
  }

  fields(environment: string, resource: string): ResourceFields {
    const name = databaseName(environment, resource)
    const password = this.#password(environment, resource)
    const port = String(this.#port)
    return { url: `postgres://${name}:${password}@127.0.0.1:${port}/${name}`, host: '127.0.0.1', port, user: name, password, database: name }
  }

  /**
   * The one figure that a query of somebody's choosing answers with, as the app's own role, which may do no more here than the app. Whatever the
   * query is, a number comes back or an error: it changes nothing, ends in time, and its answer is no larger than two rows.
   */
  async figure(environment: string, resource: string, query: string): Promise<number> {
    if (!existsSync(this.#file(environment, resource))) throw new WeirError('E_NOT_FOUND', { message: `no database ${resource}` })
    const { host, port, user, password, database } = this.fields(environment, resource)
    const { default: pg } = await import('pg') // only here: most runners never need it
    const client = new pg.Client({ host, port: Number(port), user, password, database, connectionTimeoutMillis: FIGURE_MS, query_timeout: FIGURE_MS * 2 })
    client.on('error', () => {}) // the query in flight fails too, and says it
    await client.connect()
    try {
      await client.query(`SET default_transaction_read_only = on; SET statement_timeout = ${FIGURE_MS}`)
      // the line break ends a comment at the end of the query, and values make it one statement
      const { rows } = await client.query<{ figure: number }>(`SELECT v::float8 AS figure FROM (${query}\n) AS figures(v) WHERE $1::bool LIMIT 2`, [true])
      const [row] = rows
      if (!row || rows.length > 1) throw new WeirError('E_USAGE', { message: row ? 'the query answers with several rows' : 'the query finds nothing' })
      if (typeof row.figure !== 'number') throw new WeirError('E_USAGE', { message: 'the answer has no figure there' })
      return row.figure
    } finally {
      await client.end()
    }
  }

  /** One after the other: PostgreSQL refuses rights that two change at once ("tuple concurrently updated"). */
  #inTurn(work: (client: Client) => Promise<void>): Promise<void> {
    const turn = this.#turn.then(async () => (await this.#running()).withClient('postgres', work))
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #running(): Promise<PostgresInstance> {
    const { paths } = this.#machine
    if (!this.#instance) {
      writeRecord(this.#portFile, { port: this.#port }, { durable: true })
      this.#instance = new PostgresInstance(this.#machine, this.#daemons, {
        name: 'apps-postgres',
        data: paths.appsData,
        socketDir: join(paths.run, 'pga'),
        port: this.#port,
        socketGroup: null,
        maxConnections: CONNECTIONS.all,
      })
    }
    await this.#instance.ensure()
    await this.#instance.withClient('postgres', (client) => client.query('REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC'))
    return this.#instance
  }

  #password(environment: string, resource: string): string {
    const file = this.#file(environment, resource)
    const known = readRecord<{ password: string }>(file)
    if (known) return known.password
    const password = randomBytes(24).toString('hex')
    writeRecord(file, { password }, { durable: true })
    return password
  }

  #file(environment: string, resource: string): string {
    return join(this.#machine.paths.runner, 'databases', `${environment}.${resource}.json`)
  }
}

/** A name of its own for each pair, in letters that need no quoting in a URL; long ones end in a hash. */
export function databaseName(environment: string, resource: string): string {
  const name = `${environment}_${resource}`.replaceAll('-', '_')
  if (name.length <= MAX_IDENTIFIER && !`${environment}${resource}`.includes('_') && !`${environment}${resource}`.includes('-')) return name
  const hash = createHash('sha256').update(`${environment}/${resource}`).digest('hex').slice(0, 8)
  return `${name.slice(0, MAX_IDENTIFIER - 9)}_${hash}`
}

async function exists(client: Client, database: string): Promise<boolean> {
  return Boolean((await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database])).rowCount)
}
