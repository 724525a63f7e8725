import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Epoch } from '../core/model/epoch.ts'
import type { Clock } from '../core/model/world.ts'
import { isWeirError, WeirError } from '../errors.ts'
import type { Sealer } from '../secrets/sealer.ts'
import type { PublicPorts } from './change.ts'
import { type Address, Database } from './database.ts'
import { Hints } from './hints.ts'
import { PostgresJournal } from './journal.ts'
import { PostgresLeaseTable } from './lease-table.ts'
import { migrate } from './migrate.ts'
import { PostgresOutbox } from './outbox.ts'
import { PostgresIdentity } from './postgres-identity.ts'
import { PostgresQueries } from './postgres-queries.ts'
import { PostgresTelemetry } from './postgres-telemetry.ts'
import { PostgresWrites, PUBLIC_PORTS } from './postgres-writes.ts'
import { PostgresProbes } from './probes.ts'
import { PostgresReplicaUsage } from './replica-usage.ts'
import { SealedValues } from './sealed.ts'

/** Where the embedded instance answers, as the runner tells it once it runs. */
export interface EmbeddedStore {
  readonly socketDir: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly passwordFile: string
}

export interface StoreOptions {
  /** DATABASE_URL; null: the embedded instance. */
  readonly url: string | null
  /** Starts the embedded instance, or finds it running. Throws `E_UNAVAILABLE` while it cannot tell. */
  readonly embedded: () => Promise<EmbeddedStore>
  readonly sealer: Sealer
  readonly clock: Clock
  readonly publicPorts?: PublicPorts
  /** How long to wait for the database to answer. */
  readonly patienceMs?: number
}

export interface Store {
  readonly journal: PostgresJournal
  readonly queries: PostgresQueries
  readonly telemetry: PostgresTelemetry
  readonly writes: PostgresWrites
  readonly identity: PostgresIdentity
  readonly sealed: SealedValues
  readonly probes: PostgresProbes
  readonly usage: PostgresReplicaUsage
  readonly outbox: PostgresOutbox
  /** The newest epoch, whoever leads with it. */
  epoch(): Promise<Epoch>
  /** Calls back when an event may have been stored: a hint. Returns the way to stop. */
  onEvents(changed: () => void): () => void
  close(): Promise<void>
}

const OLDEST_POSTGRES = 150_000
/** The first start makes the data folder, which takes some seconds. */
const PATIENCE_MS = 60_000
const RETRY_MS = 100

/**
 * Reaches the database, waits until it answers, and brings its schema up to date. What cannot become better by waiting (a schema of the
 * future, a database too old) is `E_STATE`.
 *
 * @example const store = await openStore({ url: process.env['DATABASE_URL'] ?? null, embedded: () => daemons.ensureStore(), sealer, clock })
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const until = performance.now() + (options.patienceMs ?? PATIENCE_MS)
  const address = options.url === null ? await patiently(until, async () => addressOf(await options.embedded())) : { url: checkedUrl(options.url) }
  const database = new Database(address)
  try {
    await patiently(until, () => checkVersion(database))
    await patiently(until, () => migrate(database))
  } catch (error) {
    await database.close()
    throw error
  }
  const hints = new Hints(address)
  return {
    journal: new PostgresJournal(database, hints, options.clock),
    queries: new PostgresQueries(database),
    telemetry: new PostgresTelemetry(database, () => options.clock.wall()),
    writes: new PostgresWrites(database, options.sealer, options.publicPorts ?? PUBLIC_PORTS),
    identity: new PostgresIdentity(database),
    sealed: new SealedValues(database, options.sealer),
    probes: new PostgresProbes(database),
    usage: new PostgresReplicaUsage(database),
    outbox: new PostgresOutbox(database, options.sealer),
    epoch: async () => (await new PostgresLeaseTable(database).look()).epoch,
    onEvents: (changed) => hints.subscribe((key) => key === 'events' && changed()),
    close: async () => {
      hints.close()
      await database.close()
    },
  }
}

async function addressOf(embedded: EmbeddedStore): Promise<Address> {
  const { socketDir, port, user, database } = embedded
  return { socketDir, port, user, database, password: (await readFile(embedded.passwordFile, 'utf8')).trim() }
}

async function patiently<T>(until: number, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isWeirError(error, 'E_UNAVAILABLE') || performance.now() > until) throw error
      await delay(RETRY_MS)
    }
  }
}

async function checkVersion(database: Database): Promise<void> {
  const [row] = await database.rows<{ version: number }>("select current_setting('server_version_num')::int as version")
  if ((row?.version ?? 0) < OLDEST_POSTGRES) {
    throw new WeirError('E_STATE', {
      message: 'the PostgreSQL is too old',
      cause: `it is version ${Math.floor((row?.version ?? 0) / 10_000)}; Weir needs 15 or newer`,
      next: 'upgrade it, or unset DATABASE_URL',
    })
  }
}

/** Never repeats the address: it carries a password. */
function checkedUrl(url: string): string {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new WeirError('E_STATE', {
      message: 'DATABASE_URL is not the address of a PostgreSQL',
      cause: 'it must look like postgres://user@host/database',
      next: 'correct it, or unset it to use the embedded one',
    })
  }
  return url
}
