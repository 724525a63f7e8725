import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'
import { WeirError } from '../../../../errors.ts'
import { runCommand } from '../../../../spawn.ts'
import type { DaemonSet } from '../daemon-set.ts'
import { readRecord, writeRecord } from '../durable.ts'
import type { Machine } from '../machine.ts'
import { asAccount } from '../tree.ts'
import { installedPostgres } from './binaries.ts'

/** Not a setting anybody may touch; only part of the socket's file name when there is no TCP. */
export const SOCKET_PORT = 5432
const READY_WITHIN_MS = 30_000
/** Passwords pass through these sessions; a failed statement is otherwise written to the log as it is. */
const UNLOGGED = '-c log_min_error_statement=panic -c log_statement=none'
/** initdb refuses an account that has no name; this one has on every Debian. What it made is given to our own account afterwards. */
const NAMED_UID = 65534

/** Little memory: these instances sit beside the apps they serve. */
const SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: '16MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_wal_size: '256MB',
  max_worker_processes: '2',
  max_parallel_workers: '0',
  max_logical_replication_workers: '0',
  autovacuum_max_workers: '1',
  io_method: 'sync',
  jit: 'off',
  recovery_init_sync_method: 'syncfs', // after a kill -9: one call instead of one for each of a thousand files
  password_encryption: 'scram-sha-256',
  log_timezone: 'UTC',
  timezone: 'UTC',
  unix_socket_permissions: '0777', // the socket's folder says who may
}

export interface InstanceOptions {
  /** Name of the daemon. */
  readonly name: string
  readonly data: string
  readonly socketDir: string
  /** TCP on 127.0.0.1; null: the socket only. */
  readonly port: number | null
  /** Group (number) whose members may enter the socket's folder; null: nobody but the instance's account and root. */
  readonly socketGroup: number | null
  readonly maxConnections: number
}

/** One PostgreSQL of Weir's own: made, kept running as a daemon, and spoken to as its superuser. */
export class PostgresInstance {
  readonly #machine: Machine
  readonly #daemons: DaemonSet
  readonly #options: InstanceOptions
  #ready: Promise<void> | null = null

  constructor(machine: Machine, daemons: DaemonSet, options: InstanceOptions) {
    this.#machine = machine
    this.#daemons = daemons
    this.#options = options
  }

  /** Returns when it answers; also when it had to be restarted meanwhile. */
  async ensure(): Promise<void> {
    this.#ready ??= this.#bringUp().catch((error: unknown) => {
      this.#ready = null
      throw error
    })
    await this.#ready
    await this.#untilItAnswers()
  }

  /** Runs `work` with a superuser's connection to `database`. */
  async withClient<T>(database: string, work: (client: Client) => Promise<T>): Promise<T> {
    const { default: pg } = await import('pg') // only here: most runners never need it
    const client = new pg.Client({
      host: this.#options.socketDir,
      port: this.#options.port ?? SOCKET_PORT,
      user: 'postgres',
      password: this.#superuserPassword(),
      database,
      connectionTimeoutMillis: 5_000,
      options: UNLOGGED,
    })
    client.on('error', () => {}) // the query in flight fails too, and says it
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.end()
    }
  }

  async #bringUp(): Promise<void> {
    const { paths, accounts } = this.#machine
    const { name, data, socketDir, socketGroup } = this.#options
    const binaries = await installedPostgres(paths.runtimes)
    mkdirSync(socketDir, { recursive: true })
    if (accounts) chownSync(socketDir, accounts.postgres, socketGroup ?? accounts.postgres)
    chmodSync(socketDir, socketGroup === null ? 0o700 : 0o750)
    if (!existsSync(join(data, 'PG_VERSION'))) await this.#initialise(binaries)
    await this.#daemons.ensure({
      name,
      argv: [join(binaries, 'bin/postgres'), '-D', data, ...this.#settings()],
      env: { LD_LIBRARY_PATH: join(binaries, 'lib'), LC_ALL: 'C.UTF-8' },
      account: 'postgres',
      stop: { signal: 'SIGINT', graceMs: 10_000 }, // fast: ends the sessions, then writes everything
      leftovers: 'kill',
    })
  }

  #settings(): string[] {
    const { socketDir, port, maxConnections } = this.#options
    const all = {
      ...SETTINGS,
      max_connections: String(maxConnections),
      unix_socket_directories: socketDir,
      listen_addresses: port === null ? '' : '127.0.0.1',
      port: String(port ?? SOCKET_PORT),
    }
    return Object.entries(all).flatMap(([key, value]) => ['-c', `${key}=${value}`])
  }

  /** Beside its place, then moved there: a half-made folder is never taken for a database. */
  async #initialise(binaries: string): Promise<void> {
    const { accounts, programs } = this.#machine
    const { data } = this.#options
    const fresh = `${data}.new`
    rmSync(fresh, { recursive: true, force: true })
    mkdirSync(dirname(data), { recursive: true, mode: 0o711 })
    mkdirSync(fresh, { mode: 0o700 })
    const passwordFile = `${data}.password`
    writeFileSync(passwordFile, this.#superuserPassword(), { mode: 0o600 })
    if (accounts) {
      chownSync(fresh, NAMED_UID, NAMED_UID)
      chownSync(passwordFile, NAMED_UID, NAMED_UID)
    }
    const initdb = [
      join(binaries, 'bin/initdb'),
      '--pgdata',
      fresh,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--no-instructions',
      '--sync-method=syncfs',
    ]
    await this.#run(accounts ? [...asAccount(this.#machine, { uid: NAMED_UID, groups: [] }), ...initdb] : initdb, binaries)
    rmSync(passwordFile)
    if (accounts) await this.#run([programs.chown, '-R', '-h', `${accounts.postgres}:${accounts.postgres}`, fresh], binaries)
    renameSync(fresh, data)
  }

  async #run(argv: string[], binaries: string): Promise<void> {
    const result = await runCommand({
      argv: argv as [string, ...string[]],
      cwd: '/',
      env: { LD_LIBRARY_PATH: join(binaries, 'lib'), LC_ALL: 'C.UTF-8' },
      timeoutMs: 120_000,
    })
    if (result.code !== 0)
      throw new WeirError('E_RESOURCE_FAILED', {
        message: 'PostgreSQL could not be set up',
        cause: result.stderr.trim().split('\n').at(-1) ?? `exited with ${result.code}`,
      })
  }

  async #untilItAnswers(): Promise<void> {
    const deadline = performance.now() + READY_WITHIN_MS
    for (;;) {
      try {
        return await this.withClient('postgres', async () => {})
      } catch (error) {
        if (performance.now() > deadline)
          throw new WeirError(
            'E_RESOURCE_FAILED',
            { message: 'PostgreSQL does not answer', cause: error instanceof Error ? error.message : String(error) },
            { cause: error },
          )
        await sleep(20)
      }
    }
  }

  /** Made once, known to root (or the user) only. */
  #superuserPassword(): string {
    const file = join(this.#machine.paths.runner, `${this.#options.name}.json`)
    const known = readRecord<{ password: string }>(file)
    if (known) return known.password
    const password = randomBytes(24).toString('hex')
    writeRecord(file, { password }, { durable: true })
    return password
  }
}
