import { randomBytes, randomInt } from 'node:crypto'
import { createAnalyser } from '../core/tracegraph/index.ts'
import { environmentOf } from './claims.ts'
import { scopeOf } from './control.ts'
import { Entrance, type EntranceOptions } from './entrance.ts'
import { Graphs } from './graphs.ts'
import { Intake } from './intake/intake.ts'
import { Journal } from './journal/journal.ts'
import type { Marks } from './journal/left-journal.ts'
import { NEW, Recovery } from './journal/recovery.ts'
import { setAsideIn } from './journal/replays.ts'
import { environmentOfKey } from './keys.ts'
import { cappedOf, lostOf } from './lost.ts'
import { RecentTraces } from './recent.ts'
import { Senders } from './senders.ts'
import { ErrorsSeen } from './signatures/errors-seen.ts'
import { Statsd } from './statsd/statsd.ts'
import { steadyNow } from './steady-now.ts'
import type { ConnectTo } from './storage/connection.ts'
import type { LogExport } from './storage/logs/export/sender.ts'
import { LogTail } from './storage/logs/log-tail.ts'
import { TelemetryStore } from './storage/store.ts'
import type { ErrorsView, GraphView, NamedEnvironment, Telemetry, TelemetryHealth, TraceFilter, TraceLine, TraceView, WhyView } from './telemetry.ts'
import { why } from './why.ts'
import type { ClosedTrace } from './window/closed-trace.ts'
import { NameTable } from './window/name-table.ts'
import type { Claims } from './window/resources.ts'
import { type Sender, TraceWindow } from './window/trace-window.ts'
import type { LogRecord } from './wire/logs.ts'
import type { MetricPoint } from './wire/metrics.ts'

const MB = 2 ** 20
const WINDOW = { maxSpans: 2 ** 20, maxBytes: 192 * MB, rawBytes: 64 * MB }
const TICK_MS = 100
const SAVE_GRAPHS_MS = 2000
const RESTORE_EVERY_MS = 1000
/** At the end, what is open is closed and written; longer the runner does not wait. */
const LAST_WRITE_MS = 3000

export interface LiveOptions extends EntranceOptions {
  readonly secret: Uint8Array
  /** Spans without a key may say themselves whose they are: where there is one tenant. */
  readonly claims: boolean
  readonly connect: ConnectTo
  /** The folder of what is kept for the process after this one. */
  readonly journal: string
  /** Where the runner writes what replicas print. */
  readonly logs: string
  /** Where all logs are sent on to. */
  readonly logExport?: LogExport | null
}

/** All parts of the telemetry process, joined: what comes in goes into the window; traces that are closed go into the graph and the store. */
export class LiveTelemetry implements Telemetry {
  readonly intake: Intake
  readonly #options: LiveOptions
  readonly #startedAt = Date.now()
  readonly #now = steadyNow(Date.now, () => performance.now())
  readonly #names = new NameTable()
  readonly #window: TraceWindow
  readonly #journal: Journal
  readonly #recovery: Recovery
  readonly #entrance: Entrance
  readonly #errors: ErrorsSeen
  readonly #store: TelemetryStore
  readonly #tail: LogTail
  readonly #recent: RecentTraces
  readonly #graphs: Graphs
  readonly #senders: Senders
  readonly #statsd: Statsd
  /** Spans that gateway workers could not keep or bring, by worker. */
  readonly #dropped = new Map<string, number>()
  #environments: readonly NamedEnvironment[] = []
  #ticking: NodeJS.Timeout | null = null
  #saving: NodeJS.Timeout | null = null
  #restoring: NodeJS.Timeout | null = null
  /** Until then nothing is saved: it would take the place of what is still to be read. */
  #restored = false

  constructor(options: LiveOptions) {
    this.#options = options
    this.#senders = new Senders(this.#names, randomBytes(4).toString('hex'))
    this.#window = new TraceWindow({
      ...WINDOW,
      now: this.#now,
      analyser: createAnalyser({ seed: randomInt(2 ** 31) }),
      names: this.#names,
      scopeOf: (claims, trusted) => this.#scopeOf(claims, trusted),
      onClosed: (closed) => this.#closed(closed),
    })
    this.#journal = new Journal({ folder: options.journal, name: randomBytes(8).toString('hex'), now: Date.now, log: options.log })
    this.#entrance = new Entrance(this.#window, this.#journal, options)
    this.#recovery = new Recovery({
      journal: this.#journal,
      folder: options.journal,
      now: Date.now,
      accept: (sender, request) => void this.#entrance.again(sender, request),
      log: options.log,
      know: (environments) => {
        if (this.#environments.length === 0) void this.know(environments)
      },
    })
    this.#recent = new RecentTraces(this.#window)
    this.#graphs = new Graphs(this.#window, (scope, row) => this.#recovery.of(scope, this.#window.columns.trace, 4 * row).drawn)
    this.#errors = new ErrorsSeen({ names: this.#names, now: Date.now, sends: (scope, service) => this.#senders.sends(scope, service) })
    this.#store = new TelemetryStore({
      connect: options.connect,
      names: this.#names,
      other: NameTable.OTHER,
      now: Date.now,
      logExport: options.logExport ?? null,
      journal: this.#journal,
      signatures: this.#errors,
    })
    this.#statsd = new Statsd((scope, samples) => this.#store.samples(scope, samples))
    this.#tail = new LogTail({ folder: options.logs, sink: this.#store, errors: this.#errors, now: Date.now })
    this.intake = new Intake({
      senderOf: (key) => this.#senderOf(key),
      scopeOf: (claims, trusted) => this.#scopeOf(claims, trusted),
      window: this.#entrance,
      onLogs: (scope, records) => this.#logs(scope, records),
      onMetrics: (scope, points) => this.#metrics(scope, points),
      hasRoomFor: (signal) => this.#store.hasRoomFor(signal === 'logs' ? 'logs' : 'samples'),
      log: options.log,
    })
  }

  async start(): Promise<void> {
    this.#store.start()
    this.#tail.start()
    this.#statsd.start()
    this.#ticking = setInterval(() => this.#window.tick(this.#now()), TICK_MS)
    this.#entrance.start()
    this.#saving = setInterval(() => this.#saveGraphs(), SAVE_GRAPHS_MS)
    void this.#restore()
  }

  async close(): Promise<void> {
    for (const timer of [this.#ticking, this.#saving, this.#restoring]) if (timer) clearTimeout(timer)
    await Promise.all([this.intake.close(), this.#entrance.close()])
    this.#statsd.close()
    await this.#tail.stop()
    this.#window.closeAll()
    this.#saveGraphs({ all: true })
    await Promise.race([this.#store.close(), new Promise((resolve) => setTimeout(resolve, LAST_WRITE_MS))])
    this.#journal.close()
  }

  /** For the gateway's socket. */
  get gateway() {
    return {
      senders: this.#senders,
      accept: (sender: Sender, request: Uint8Array) => this.#entrance.accept(sender, request),
      dropped: (worker: string, count: number) => void this.#dropped.set(worker, count),
    }
  }

  async health(): Promise<TelemetryHealth> {
    const [window, store] = [this.#window.health(), this.#store.health()]
    const links = [...this.#entrance.health(), ...this.#statsd.health()]
    return {
      startedAt: this.#startedAt,
      spans: { accepted: window.accepted, inMemory: window.spans },
      lost: lostOf({
        window,
        store,
        gateway: [...this.#dropped.values()].reduce((sum, it) => sum + it, 0),
        links,
        statsd: this.#statsd.lost,
        logFilesMissed: this.#tail.missed,
        errorKinds: this.#errors.other,
        journalsSetAside: setAsideIn(this.#options.journal).length,
      }),
      capped: cappedOf(window),
      storage: store.problem ?? store.upkeep.problem ?? this.#tail.problem,
      links,
      unjournaled: this.#journal.skipped,
      memoryBytes: process.memoryUsage.rss(),
    }
  }

  async know(environments: readonly NamedEnvironment[]): Promise<void> {
    this.#environments = environments
    this.#journal.know(environments)
    this.#statsd.know(environments)
  }

  async graph(environment: string, { windowMs }: { readonly windowMs: number }): Promise<GraphView> {
    return this.#graphs.view(scopeOf(environment), windowMs, Date.now())
  }

  async why(environment: string, { service, windowMs }: { readonly service: string; readonly windowMs: number }): Promise<WhyView> {
    return why(this.#graphs.of(scopeOf(environment)), { service, windowMs, nowMs: Date.now() })
  }

  async traces(environment: string, filter: TraceFilter): Promise<readonly TraceLine[]> {
    return this.#recent.list(scopeOf(environment), filter)
  }

  async trace(environment: string, id: string): Promise<TraceView | null> {
    return this.#recent.trace(scopeOf(environment), id)
  }

  async errors(environment: string, { sinceMs }: { readonly sinceMs: number }): Promise<ErrorsView> {
    return this.#errors.view(scopeOf(environment), sinceMs)
  }

  #closed(closed: ClosedTrace): void {
    this.#senders.note(closed)
    const { scope, rows, columns, late } = closed
    const { counted, drawn } = late ? NEW : this.#recovery.of(scope, columns.trace, 4 * (rows[0] as number))
    if (drawn) this.#graphs.pass(closed)
    else this.#graphs.add(closed, Date.now())
    if (!counted) {
      this.#store.traceClosed(closed)
      this.#errors.closed(closed)
    }
    this.#journal.closed(scope, columns.trace, 4 * (rows[0] as number))
  }

  #saveGraphs(which: { readonly all?: boolean } = {}): void {
    if (this.#restored) for (const [scope, snapshot] of this.#graphs.snapshots(which)) this.#store.saveGraph(scope, snapshot)
  }

  /** What a process before this one had written, and what it had only taken in. */
  async #restore(): Promise<void> {
    try {
      const [graphs, marks] = [await this.#store.loadGraphs(), await this.#store.loadMarks()]
      this.#errors.restore(await this.#store.loadSignatures())
      this.#graphs.restore(graphs)
      this.#restored = true
      void this.#recover(marks)
    } catch {
      // the store is away: `health` says it
      this.#restoring = setTimeout(() => void this.#restore(), RESTORE_EVERY_MS)
    }
  }

  async #recover(marks: ReadonlyMap<string, Marks>): Promise<void> {
    try {
      await this.#recovery.run(marks)
      this.#store.forgetMarks()
    } catch (error) {
      this.#options.log(`journal: ${error instanceof Error ? error.message : String(error)}; what a killed process took in is not counted`)
    }
  }

  #senderOf(key: string | null): Sender | null {
    if (key === null) return this.#options.claims ? 'claimed' : null
    const environment = environmentOfKey(this.#options.secret, key)
    return environment === null ? null : scopeOf(environment)
  }

  #scopeOf(claims: Claims, trusted: boolean): number | null {
    const environment = trusted ? claims.environment : environmentOf(claims, this.#environments)
    return environment === null ? null : scopeOf(environment)
  }

  #logs(scope: number, records: readonly LogRecord[]): void {
    const entries = records.map(({ maker, ...record }) => ({ ...record, service: maker.service, release: maker.release, instance: maker.instance }))
    this.#store.logs(scope, entries)
    this.#errors.logged(scope, entries)
  }

  #metrics(scope: number, points: readonly MetricPoint[]): void {
    this.#store.samples(
      scope,
      points.flatMap((point) => {
        const { maker, atMs, name, unit, attributes } = point
        const value = point.kind === 'histogram' ? point.sum : point.value
        if (value === null) return []
        const { service, release, instance } = maker
        return [{ atMs, service, release, instance, name, unit, attributes, value, count: point.kind === 'histogram' ? point.count : null }]
      }),
    )
  }
}
