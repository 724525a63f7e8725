import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Epoch } from '../core/model/epoch.ts'
import type { CounterBlock, Listener, ObservedTraffic, RoutingTable, TableVersion } from '../core/model/routing.ts'
import { CounterSpool } from './counter-spool.ts'
import type { Gateway } from './gateway.ts'
import { type HostPort, ListeningSockets } from './listening-sockets.ts'
import { PUBLIC_SOCKET, type SocketKey, socketOf } from './socket-key.ts'
import { TableStore } from './table-store.ts'
import { WorkerCount, type WorkerLimits } from './worker-count.ts'
import { Workforce } from './workforce.ts'

export interface ParentOptions {
  readonly folder: string
  readonly workerEntry: string
  readonly listen: HostPort
  /** From one when idle to this many when busy. */
  readonly workers: WorkerLimits
  readonly environment: NodeJS.ProcessEnv
  readonly log: (line: string) => void
}

const RETRY_REFUSED_MS = 1000
const RESIZE_MS = 1000

/** The gateway's parent: tables, listening sockets, counters on disk, and the workers that do the work. */
export class GatewayParent implements Gateway {
  readonly #tables: TableStore
  readonly #spool: CounterSpool
  readonly #sockets: ListeningSockets
  readonly #workforce: Workforce
  readonly #listen: HostPort
  readonly #watchers = new Set<(environment: string) => void>()
  readonly #timers: NodeJS.Timeout[] = []
  readonly #count: WorkerCount

  constructor(options: ParentOptions) {
    this.#listen = options.listen
    this.#count = new WorkerCount(options.workers, performance.now())
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
    this.#tables = new TableStore(options.folder)
    for (const file of this.#tables.damaged) options.log(`${file} was damaged and is set aside; the server publishes it again`)
    this.#spool = new CounterSpool(join(options.folder, 'counters'))
    this.#sockets = new ListeningSockets(() => this.#workforce.leftOver)
    this.#workforce = new Workforce(
      {
        folder: options.folder,
        entry: options.workerEntry,
        generation: randomBytes(8).toString('hex'),
        environment: { ...options.environment, WEIR_GATEWAY_KEY: keyOf(options.folder) },
        present: () => ({ tables: this.#tables.tables(), withdrawn: this.#tables.withdrawn() }),
        sockets: this.#sockets,
        onApplied: (environment) => this.#changed(environment),
        onBlock: (block) => this.#spool.keep(block),
        log: options.log,
      },
      this.#count.wanted,
    )
  }

  /** Opens the sockets and starts the workers. Apart from the constructor, so that a parent that cannot serve leaves none behind. */
  start(): void {
    this.#openSockets(null)
    this.#workforce.start()
    this.#timers.push(
      setInterval(() => this.#retryRefused(), RETRY_REFUSED_MS),
      setInterval(() => this.#resize(), RESIZE_MS),
    )
  }

  async publish(table: RoutingTable): Promise<void> {
    if (!this.#tables.put(table.environment, table.version, table)) return
    this.#openSockets(table)
    this.#workforce.sync([table], [])
  }

  async withdraw(environment: string, version: TableVersion): Promise<void> {
    if (!this.#tables.put(environment, version, null)) return
    this.#openSockets(null)
    this.#workforce.sync([], [{ environment, version }])
  }

  async observe(environment: string): Promise<ObservedTraffic> {
    const table = this.#tables.get(environment)?.table ?? null
    return {
      hasTable: table !== null,
      acknowledged: this.#workforce.acknowledged(environment),
      inflight: this.#workforce.inflight(environment),
      refused: table ? refusals(table, (key) => this.#sockets.refusal(key)) : [],
    }
  }

  async environments(): Promise<readonly string[]> {
    return this.#tables.tables().map((table) => table.environment)
  }

  watch(changed: (environment: string) => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  async counters(limit: number): Promise<readonly CounterBlock[]> {
    return this.#spool.oldest(limit)
  }

  async acknowledgeCounters(blocks: readonly { readonly incarnation: string; readonly sequence: number }[]): Promise<void> {
    this.#spool.acknowledge(blocks)
  }

  async fence(epoch: Epoch): Promise<void> {
    this.#tables.fence(epoch)
  }

  async stop(graceMs: number): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    await this.#workforce.stop(graceMs)
    for (const key of this.#sockets.keys()) this.#sockets.close(key)
  }

  #changed(environment: string): void {
    for (const watcher of this.#watchers) watcher(environment)
  }

  /** Opens what the tables want and closes what none does. What was refused is tried again at once only for `news`; the rest waits for its time. */
  #openSockets(news: RoutingTable | null): void {
    const wanted = new Map<SocketKey, HostPort>([[PUBLIC_SOCKET, this.#listen]])
    for (const table of this.#tables.tables()) for (const listener of table.listeners) wanted.set(socketOf(listener), this.#addressOf(listener))
    for (const key of this.#sockets.keys()) if (!wanted.has(key)) this.#sockets.close(key)
    const urgent = new Set(news?.listeners.map(socketOf))
    for (const [key, address] of wanted) if (urgent.has(key) || this.#sockets.refusal(key) === null) this.#sockets.open(key, address, performance.now())
  }

  #addressOf(listener: Listener): HostPort {
    switch (listener.kind) {
      case 'route':
        return this.#listen
      case 'port':
        return { host: this.#listen.host, port: listener.listen }
      case 'edge':
        return { host: listener.address, port: listener.listen }
    }
  }

  /** A port that was taken may have become free. */
  #retryRefused(): void {
    const opened = new Set(this.#sockets.retry(performance.now()))
    if (opened.size === 0) return
    this.#workforce.sync([], [])
    for (const table of this.#tables.tables()) if (table.listeners.some((it) => opened.has(socketOf(it)))) this.#changed(table.environment)
  }

  #resize(): void {
    const before = this.#count.wanted
    const wanted = this.#count.next(this.#workforce.load(), performance.now())
    if (wanted !== before) this.#workforce.resize(wanted)
  }
}

function refusals(table: RoutingTable, refusal: (key: SocketKey) => string | null): ObservedTraffic['refused'] {
  return table.listeners.flatMap((listener) => {
    const cause = refusal(socketOf(listener))
    if (cause === null) return []
    const name = listener.kind === 'edge' ? listener.id : listener.kind === 'port' ? `port ${listener.listen}` : `${listener.host ?? '*'}${listener.path}`
    return [{ listener: name, cause }]
  })
}

/** Key of the client hash: kept, so that members of a split stay members when the gateway starts again. */
function keyOf(folder: string): string {
  const path = join(folder, 'client-key')
  try {
    writeFileSync(path, randomBytes(32).toString('hex'), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(path, 'utf8')
}
