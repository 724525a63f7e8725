import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StoreConnection } from '../../../daemons.ts'
import type { DaemonSet } from '../daemon-set.ts'
import { replaceFile } from '../durable.ts'
import type { Machine } from '../machine.ts'
import { PostgresInstance, SOCKET_PORT } from './instance.ts'

const NAME = 'weir'
const CONNECTIONS = 30

/** Weir's own PostgreSQL: no TCP, one database, one role that owns it. */
export class StoreDatabase {
  readonly #machine: Machine
  readonly #instance: PostgresInstance
  #made: Promise<void> | null = null

  constructor(machine: Machine, daemons: DaemonSet) {
    const { paths, accounts } = machine
    this.#machine = machine
    this.#instance = new PostgresInstance(machine, daemons, {
      name: 'store-postgres',
      data: paths.storeData,
      socketDir: paths.storeSocketDir,
      port: null,
      socketGroup: accounts?.server ?? null,
      maxConnections: CONNECTIONS,
    })
  }

  async ensure(): Promise<StoreConnection> {
    await this.#instance.ensure()
    const passwordFile = join(this.#machine.paths.home, 'store.password')
    this.#made ??= this.#makeDatabase(passwordFile).catch((error: unknown) => {
      this.#made = null
      throw error
    })
    await this.#made
    return { socketDir: this.#machine.paths.storeSocketDir, port: SOCKET_PORT, user: NAME, passwordFile, database: NAME }
  }

  async #makeDatabase(passwordFile: string): Promise<void> {
    const { accounts } = this.#machine
    if (!existsSync(passwordFile)) replaceFile(passwordFile, randomBytes(24).toString('hex'), { durable: true, mode: 0o400 })
    if (accounts) chownSync(passwordFile, accounts.server, accounts.server)
    const password = readFileSync(passwordFile, 'utf8')
    await this.#instance.withClient('postgres', async (client) => {
      const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [NAME])
      await client.query(`${known.rowCount ? 'ALTER' : 'CREATE'} ROLE ${NAME} LOGIN PASSWORD ${client.escapeLiteral(password)}`)
      const made = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [NAME])
      if (!made.rowCount) await client.query(`CREATE DATABASE ${NAME} OWNER ${NAME}`)
    })
  }
}
