import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { StoreConnection } from '../../../daemons.ts'
import type { DaemonSet } from '../daemon-set.ts'
import { replaceFile } from '../durable.ts'
import type { Machine } from '../machine.ts'
import { PostgresInstance, SOCKET_PORT } from './instance.ts'

const NAME = 'weir'
/** Reaches the schema `telemetry` and nothing else: what comes from outside all the time is handled apart from secrets and state. */
const TELEMETRY = 'weir_telemetry'
const CONNECTIONS = 30

/** Weir's own PostgreSQL: no TCP, one database, one role that owns it, and one for telemetry. */
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
      socketGroup: accounts?.readers ?? null,
      maxConnections: CONNECTIONS,
    })
  }

  async ensure(): Promise<StoreConnection> {
    await this.#instance.ensure()
    const { paths } = this.#machine
    const passwordFile = join(paths.home, 'store.password')
    const telemetry = { user: TELEMETRY, passwordFile: join(paths.home, 'telemetry.password') }
    this.#made ??= this.#makeDatabase(passwordFile, telemetry.passwordFile).catch((error: unknown) => {
      this.#made = null
      throw error
    })
    await this.#made
    return { socketDir: paths.storeSocketDir, port: SOCKET_PORT, user: NAME, passwordFile, database: NAME, telemetry }
  }

  async #makeDatabase(passwordFile: string, telemetryPasswordFile: string): Promise<void> {
    const { accounts } = this.#machine
    const roles = [
      { name: NAME, password: passwordOf(passwordFile, accounts?.server ?? null) },
      { name: TELEMETRY, password: passwordOf(telemetryPasswordFile, accounts?.telemetry ?? null) },
    ]
    await this.#instance.withClient('postgres', async (client) => {
      for (const { name, password } of roles) {
        const known = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name])
        await client.query(`${known.rowCount ? 'ALTER' : 'CREATE'} ROLE ${name} LOGIN PASSWORD ${client.escapeLiteral(password)}`)
      }
      const made = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [NAME])
      if (!made.rowCount) await client.query(`CREATE DATABASE ${NAME} OWNER ${NAME}`)
    })
  }
}

/** Made once, readable by its account alone. */
function passwordOf(file: string, owner: number | null): string {
  if (!existsSync(file)) replaceFile(file, randomBytes(24).toString('hex'), { durable: true, mode: 0o400 })
  if (owner !== null) chownSync(file, owner, owner)
  return readFileSync(file, 'utf8')
}
