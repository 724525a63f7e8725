import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { type CounterBlock, compareVersions, type RoutingTable, type TableVersion } from '../core/model/routing.ts'
import { lineSplitter } from '../rpc/protocol.ts'
import type { FromWorker, SocketChange, SocketName, ToWorker, Withdrawal } from './control.ts'
import { startedAt } from './process-identity.ts'

export interface WorkforceOptions {
  /** Of the gateway's state: `workers.sock` and `workers/` are made in it. */
  readonly folder: string
  readonly entry: string
  /** Names this parent: workers of another generation are left over from a dead one. */
  readonly generation: string
  readonly environment: NodeJS.ProcessEnv
  /** What a worker must have, complete. */
  readonly present: () => { readonly tables: readonly RoutingTable[]; readonly withdrawn: readonly Withdrawal[] }
  readonly sockets: { readonly revision: number; list(): readonly (SocketName & { readonly handle: unknown })[] }
  readonly onApplied: (environment: string) => void
  readonly onBlock: (block: CounterBlock) => void
  readonly log: (line: string) => void
}

/** One worker process, of this parent or left over from an earlier one. */
interface Worker {
  readonly pid: number
  readonly startedAt: string | null
  /** null: not this parent's child. */
  readonly child: ChildProcess | null
  link: Socket | null
  incarnation: string | null
  /** Serials of the listening sockets that it was given, and the revision of the list at that time. */
  readonly sent: Set<number>
  sentRevision: number
  readonly applied: Map<string, TableVersion>
  inflight: Readonly<Record<string, Readonly<Record<string, number>>>>
  serving: boolean
  leaving: boolean
  busy: number
  /** Since when it owes an acknowledgement. */
  owesSince: number | null
}

/**
 * Each collection copies what is in flight, however much room there was: with 4 MiB it took a seventh of the processor, with 16 a quarter of
 * that. A worker takes the room under load only, then 25 MiB more.
 */
const YOUNG_GENERATION = '--max-semi-space-size=16'
const RESPAWN_MS = [0, 100, 500, 2000, 5000]
const TICK_MS = 100
/** A worker that has not taken over a table for this long hangs; it is killed, because it may be sending requests to nobody. */
const HUNG_MS = 5000

/** The gateway's worker processes: started, supervised, told what to do, and found again by the next parent. */
export class Workforce {
  readonly #options: WorkforceOptions
  readonly #workers = new Map<number, Worker>()
  readonly #server: Server
  readonly #timer: NodeJS.Timeout
  #target: number
  #failures = 0
  #stopping = false
  #respawn: NodeJS.Timeout | null = null

  constructor(options: WorkforceOptions, count: number) {
    this.#options = options
    this.#target = count
    mkdirSync(join(options.folder, 'workers'), { recursive: true, mode: 0o700 })
    this.#findLeftOver()
    const path = join(options.folder, 'workers.sock')
    rmSync(path, { force: true })
    this.#server = createServer((socket) => this.#accept(socket)).listen(path)
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** Starts workers up to the wanted number. */
  start(): void {
    while (this.#own().length < this.#target && !this.#stopping) this.#spawn()
  }

  /** Workers of a dead parent are still about: they may hold listening sockets. */
  get leftOver(): boolean {
    return [...this.#workers.values()].some((it) => it.child === null)
  }

  /** How many workers of this parent take connections, and how busy the busiest and all together are, 0…1 each. */
  load(): { readonly count: number; readonly mean: number } {
    const serving = this.#own().filter((it) => it.serving)
    return { count: serving.length, mean: serving.length === 0 ? 0 : serving.reduce((sum, it) => sum + it.busy, 0) / serving.length }
  }

  resize(count: number): void {
    this.#target = count
    this.start()
    const surplus = this.#own().length - count
    for (const worker of this.#own().slice(0, Math.max(0, surplus))) this.#retire(worker)
  }

  /** Passes on a change. `sockets` may have changed with any table. */
  sync(tables: readonly RoutingTable[], withdrawn: readonly Withdrawal[]): void {
    for (const worker of this.#workers.values()) this.#tell(worker, tables, withdrawn, false)
  }

  /** The version of `environment` that every worker has; null when one has none yet, or none is there. */
  acknowledged(environment: string): TableVersion | null {
    let oldest: TableVersion | null = null
    let any = false
    for (const worker of this.#workers.values()) {
      // A child that has not said hello takes no connections yet; a left-over one that has not, does.
      if (worker.child !== null && worker.incarnation === null) continue
      const version = worker.applied.get(environment)
      if (!version) return null
      if (!any || compareVersions(version, oldest as TableVersion) < 0) oldest = version
      any = true
    }
    return oldest
  }

  inflight(environment: string): Record<string, number> {
    const sum: Record<string, number> = {}
    for (const worker of this.#workers.values()) {
      for (const [replica, count] of Object.entries(worker.inflight[environment] ?? {})) sum[replica] = (sum[replica] ?? 0) + count
    }
    return sum
  }

  /** Ends all workers, left-over ones too; returns when the last is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    if (this.#respawn) clearTimeout(this.#respawn)
    for (const worker of this.#workers.values()) {
      if (worker.link) send(worker.link, { kind: 'stop', graceMs })
      else signal(worker, 'SIGTERM')
    }
    const killAt = performance.now() + graceMs + 1000
    while (this.#workers.size > 0) {
      if (performance.now() > killAt) for (const worker of this.#workers.values()) signal(worker, 'SIGKILL')
      await new Promise((resolve) => setTimeout(resolve, 20))
      this.#forgetDead()
    }
    clearInterval(this.#timer)
    this.#server.close()
  }

  #own(): Worker[] {
    return [...this.#workers.values()].filter((it) => it.child !== null && !it.leaving)
  }

  #spawn(): void {
    const { entry, folder, generation, environment } = this.#options
    const flags = process.execArgv.filter((flag) => !flag.startsWith('--max-semi-space-size'))
    const child = spawn(process.execPath, [...flags, YOUNG_GENERATION, entry], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...environment, WEIR_GATEWAY_CONTROL: join(folder, 'workers.sock'), WEIR_GATEWAY_GENERATION: generation },
    })
    const pid = child.pid
    child.on('error', (error) => this.#options.log(`a gateway worker cannot be started: ${error.message}`))
    if (pid === undefined) return this.#spawnLater()
    const worker = this.#remember(pid, child)
    try {
      writeFileSync(join(folder, 'workers', `${pid}.json`), JSON.stringify({ pid, startedAt: worker.startedAt }), { mode: 0o600 })
    } catch (error) {
      this.#options.log(`gateway worker ${pid} is not on record, the next parent has to wait for its word: ${(error as Error).message}`)
    }
    child.on('exit', (code, killedBy) => {
      this.#forget(worker)
      if (this.#stopping || worker.leaving) return
      this.#options.log(`gateway worker ${pid} ended (${killedBy ?? `exit ${code}`}); another one takes its place`)
      if (worker.serving) this.#failures = 0
      this.#spawnLater()
    })
  }

  #spawnLater(): void {
    const delay = RESPAWN_MS[Math.min(this.#failures++, RESPAWN_MS.length - 1)] as number
    if (delay === 0) return this.start()
    this.#respawn = setTimeout(() => this.start(), delay)
  }

  #remember(pid: number, child: ChildProcess | null): Worker {
    const worker: Worker = {
      pid,
      startedAt: startedAt(pid),
      child,
      link: null,
      incarnation: null,
      sent: new Set(),
      sentRevision: -1,
      applied: new Map(),
      inflight: {},
      serving: false,
      leaving: false,
      busy: 0,
      owesSince: null,
    }
    this.#workers.set(pid, worker)
    return worker
  }

  #forget(worker: Worker): void {
    if (!this.#workers.delete(worker.pid)) return
    worker.link?.destroy()
    rmSync(join(this.#options.folder, 'workers', `${worker.pid}.json`), { force: true })
    for (const environment of new Set([...worker.applied.keys(), ...Object.keys(worker.inflight)])) this.#options.onApplied(environment)
  }

  #findLeftOver(): void {
    const folder = join(this.#options.folder, 'workers')
    for (const file of readdirSync(folder)) {
      let record: { pid: number; startedAt: string | null } | null = null
      try {
        record = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { pid: number; startedAt: string | null }
      } catch {
        // written halfway when its parent died: that worker never got to serve
      }
      // It has a table to take over as soon as it says hello; one that never does hangs.
      if (record && record.startedAt !== null && startedAt(record.pid) === record.startedAt) this.#remember(record.pid, null).owesSince = performance.now()
      else rmSync(join(folder, file), { force: true })
    }
  }

  #accept(socket: Socket): void {
    let worker: Worker | null = null
    const split = lineSplitter((line) => {
      const message = JSON.parse(line) as FromWorker
      if (message.kind === 'hello') {
        worker = this.#workers.get(message.pid) ?? this.#remember(message.pid, null)
        worker.incarnation = message.incarnation
        this.#greet(worker, socket)
      } else if (worker) this.#hear(worker, message)
    })
    socket.on('data', (chunk) => split(chunk))
    socket.on('error', () => {}) // `close` follows
    socket.on('close', () => {
      if (worker?.link === socket) worker.link = null
    })
  }

  #greet(worker: Worker, socket: Socket): void {
    worker.link = socket
    const { tables, withdrawn } = this.#options.present()
    this.#tell(worker, tables, withdrawn, true)
    if (this.#stopping) send(socket, { kind: 'stop', graceMs: 0 })
    else if (worker.child === null && this.#own().some((it) => it.serving)) this.#retire(worker)
  }

  #tell(worker: Worker, tables: readonly RoutingTable[], withdrawn: readonly Withdrawal[], complete: boolean): void {
    if (!worker.link) return // it is told everything when it says hello
    const sockets = worker.child === null ? null : this.#hand(worker, complete)
    worker.owesSince ??= performance.now()
    send(worker.link, { kind: 'sync', tables, withdrawn, sockets, workers: this.#target })
  }

  /** Hands over what the worker has not got yet; null when it has what there is. */
  #hand(worker: Worker, complete: boolean): SocketChange | null {
    const { sockets } = this.#options
    if (!complete && worker.sentRevision === sockets.revision) return null
    worker.sentRevision = sockets.revision
    const present = sockets.list()
    const serials = new Set(present.map((it) => it.serial))
    const closed = [...worker.sent].filter((serial) => !serials.has(serial))
    for (const serial of closed) worker.sent.delete(serial)
    const opened: SocketName[] = []
    for (const { key, serial, handle } of present) {
      const known = worker.sent.has(serial)
      if (complete || !known) opened.push({ key, serial })
      if (known) continue
      worker.sent.add(serial)
      worker.child?.send({ socket: { key, serial } }, handle as never, () => {}) // a child that is gone is seen by its exit
    }
    return { complete, opened, closed }
  }

  #hear(worker: Worker, message: FromWorker): void {
    switch (message.kind) {
      case 'applied':
        worker.applied.set(message.environment, message.version)
        if (worker.owesSince !== null) worker.owesSince = performance.now() // it is getting on
        this.#options.onApplied(message.environment)
        break
      case 'serving':
        worker.owesSince = null
        worker.serving = true
        if (worker.child !== null) for (const it of this.#workers.values()) if (it.child === null && it.link) this.#retire(it)
        break
      case 'inflight': {
        const before = worker.inflight
        worker.inflight = message.counts
        for (const environment of Object.keys(before)) {
          const now = message.counts[environment] ?? {}
          if (Object.keys(before[environment] ?? {}).some((replica) => !now[replica])) this.#options.onApplied(environment)
        }
        break
      }
      case 'block':
        this.#options.onBlock(message.block)
        if (worker.link) send(worker.link, { kind: 'kept', sequence: message.block.sequence })
        break
      case 'busy':
        worker.busy = message.share
        break
      case 'hello':
        break
    }
  }

  #retire(worker: Worker): void {
    if (worker.leaving || !worker.link) return
    worker.leaving = true
    send(worker.link, { kind: 'drain' })
  }

  #tick(): void {
    this.#forgetDead()
    const now = performance.now()
    for (const worker of this.#workers.values()) {
      if (worker.owesSince === null || now - worker.owesSince < HUNG_MS) continue
      this.#options.log(`gateway worker ${worker.pid} has not taken over its table for ${HUNG_MS / 1000} s: killed`)
      signal(worker, 'SIGKILL')
      worker.owesSince = null
    }
  }

  /** Children are seen by their exit; of left-over workers only /proc tells. */
  #forgetDead(): void {
    for (const worker of this.#workers.values()) {
      if (worker.child === null && startedAt(worker.pid) !== worker.startedAt) this.#forget(worker)
    }
  }
}

function send(link: Socket, message: ToWorker): void {
  link.write(`${JSON.stringify(message)}\n`)
}

function signal(worker: Worker, name: NodeJS.Signals): void {
  if (startedAt(worker.pid) !== worker.startedAt) return
  process.kill(worker.pid, name)
}
