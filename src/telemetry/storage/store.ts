import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { deflateRaw, inflateRaw } from 'node:zlib'
import type { Names } from '../../core/tracegraph/spans.ts'
import type { Marks } from '../journal/left-journal.ts'
import { readSignatures, writeSignatures } from '../signatures/saved-signatures.ts'
import type { SignatureRow } from '../signatures/signature-book.ts'
import type { ClosedTrace } from '../window/closed-trace.ts'
import { markOf, mergeRollups, setMark } from './compaction.ts'
import type { ConnectTo, Session } from './connection.ts'
import type { CopyRows, TableShape } from './copy-rows.ts'
import { forgetMarks, loadMarks, markName } from './journal-marks.ts'
import type { ExportHealth, LogExport } from './logs/export/sender.ts'
import { type LogEntry, levelOf } from './logs/log-record.ts'
import { ROLLUP_COLUMNS, Rollups } from './rollups.ts'
import { STORED_SHARE, TailSampler } from './tail-sampler.ts'
import { TRACES, traceRow, traceSize } from './trace-row.ts'
import { trim, UsageBook, usageOf } from './usage.ts'
import { type Kind, type WriteHealth, WriteQueue } from './write-queue.ts'

export interface StoragePolicy {
  /** Bytes that may wait in memory while PostgreSQL is away. */
  readonly waiting: Readonly<Record<Kind, number>>
  /** Bytes on disk. */
  readonly traces: { readonly environmentBytes: number; readonly totalBytes: number }
  readonly logs: { readonly environmentBytes: number; readonly totalBytes: number }
  readonly samples: { readonly totalBytes: number }
}

const GB = 2 ** 30
const MB = 2 ** 20
export const STORAGE_POLICY: StoragePolicy = {
  waiting: { traces: 32 * MB, rollups: 16 * MB, logs: 16 * MB, samples: 8 * MB },
  traces: { environmentBytes: GB, totalBytes: 4 * GB },
  logs: { environmentBytes: GB, totalBytes: 4 * GB },
  samples: { totalBytes: GB },
}

export interface StoreOptions {
  readonly connect: ConnectTo
  readonly names: Names
  /** The name that stands for those that there is no room for. */
  readonly other: number
  readonly now: () => number
  readonly policy?: StoragePolicy
  /** Where all logs are sent on to. */
  readonly logExport?: LogExport | null
  /** Whose marks are kept with the counts. */
  readonly journal?: { readonly name: string; mark(): number } | null
  /** Of errors: written with the counts. */
  readonly signatures?: { take(): readonly SignatureRow[] } | null
}

/** A point of an OTLP metric. */
export interface Sample {
  readonly atMs: number
  readonly service: string
  readonly release: string
  readonly instance: string
  readonly name: string
  readonly unit: string
  readonly value: number
  /** Of a histogram: how many observations `value` is the sum of. */
  readonly count: number | null
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface StorageHealth extends WriteHealth {
  /** Spans that were counted into roll-ups; and those that there was no room for. */
  readonly spans: { readonly counted: number; readonly uncounted: number; readonly misdated: number }
  readonly names: { readonly replaced: number }
  readonly traces: { readonly kept: number; readonly unpaid: number }
  readonly upkeep: { readonly problem: string | null }
  /** null: logs are sent nowhere else. */
  readonly logExport: ExportHealth | null
}

const FLUSH_MS = 1_000
const UPKEEP_MS = 60_000
const MERGE_BEHIND_MS = 60_000
const TEND_EVERY = 10
/** There is a partition for times this far away. */
const OLDEST_MS = 5 * 3_600_000
const NEWEST_MS = 3_600_000
const KEEP_TRACES_MS = 3 * 86_400_000

const LOGS: TableShape = {
  table: 'telemetry.logs',
  columns: {
    environment: 'int4',
    at: 'timestamptz',
    seq: 'int8',
    service: 'text',
    release: 'text',
    instance: 'text',
    level: 'int2',
    trace: 'bytea',
    span: 'bytea',
    text: 'text',
    attributes: 'text',
  },
}
const SAMPLES: TableShape = {
  table: 'telemetry.samples',
  columns: {
    environment: 'int4',
    at: 'timestamptz',
    service: 'text',
    release: 'text',
    instance: 'text',
    name: 'text',
    unit: 'text',
    value: 'float8',
    count: 'float8',
    attributes: 'text',
  },
}
const ROLLUPS: TableShape = { table: 'telemetry.rollups_fresh', columns: ROLLUP_COLUMNS }

/**
 * What of telemetry is kept, in PostgreSQL. Taking something in never waits: it is counted, put into buffers of a bounded size, and written once a
 * second. While PostgreSQL is away the buffers fill; what then finds no room is counted as shed.
 *
 * @example
 * const store = new TelemetryStore({ connect, names, other: NameTable.OTHER, now: Date.now })
 * store.start()
 * store.traceClosed(closed)
 */
export class TelemetryStore {
  readonly #options: StoreOptions
  readonly #policy: StoragePolicy
  readonly #queue: WriteQueue
  readonly #rollups: Rollups
  readonly #sampler: TailSampler
  #usage = new UsageBook()
  readonly #graphs = new Map<number, unknown>()
  /** The journal's mark when they were saved; the one that is in the counts. */
  #drawn = 0
  #marked = 0
  #timer: NodeJS.Timeout | null = null
  #ticking: Promise<void> | null = null
  #seq = 0
  #counted = 0
  #kept = 0
  #upkeepAt = 0
  #upkeeps = 0
  #tended = false
  #upkeepProblem: string | null = null

  constructor(options: StoreOptions) {
    this.#options = options
    this.#policy = options.policy ?? STORAGE_POLICY
    const shapes = { traces: TRACES, rollups: ROLLUPS, logs: LOGS, samples: SAMPLES }
    this.#queue = new WriteQueue(options.connect, shapes, this.#policy.waiting, randomBytes(8).toString('hex'))
    this.#rollups = new Rollups(options)
    this.#sampler = new TailSampler({ ...this.#policy.traces, keepMs: KEEP_TRACES_MS })
  }

  /** Writes every second from now on. */
  start(): void {
    this.#timer ??= setInterval(() => void this.#tick(), FLUSH_MS).unref()
  }

  traceClosed(closed: ClosedTrace): void {
    const now = this.#options.now()
    const shed = this.#rollups.shed
    this.#rollups.add(closed, now)
    this.#counted += closed.count - closed.counted - (this.#rollups.shed - shed)
    const because = this.#sampler.decide(closed, traceSize(closed), this.#rollups, now)
    const rows = because === null ? null : this.#queue.room('traces')
    if (because === null || rows === null) return
    const before = rows.byteLength
    const root = closed.analysis.root
    const atMs = this.#possible((closed.analysis.startUs[Math.max(0, root)] as number) / 1000, now)
    rows.add(traceRow(closed, this.#options.names, because, atMs))
    this.#usage.note(closed.scope, 'traces', now, rows.byteLength - before)
    this.#kept++
  }

  /** How many of the entries were taken; the others are counted as shed. */
  logs(scope: number, entries: readonly LogEntry[]): number {
    const now = this.#options.now()
    this.#options.logExport?.add(`e${scope}`, entries)
    let taken = 0
    for (const entry of entries) {
      const rows = this.#queue.room('logs')
      if (!rows) continue
      const before = rows.byteLength
      const { service, release, instance, text } = entry
      rows.add([
        scope,
        this.#possible(entry.atMs, now) * 1000,
        (this.#seq = Math.max(this.#seq + 1, now * 1024)),
        service,
        release,
        instance,
        levelOf(entry.severity),
        hexOrNull(entry.trace),
        hexOrNull(entry.span),
        text,
        entry.attributes === null ? null : JSON.stringify(entry.attributes),
      ])
      this.#usage.note(scope, 'logs', now, rows.byteLength - before)
      taken++
    }
    return taken
  }

  /** Whether a reader that can wait should go on handing in logs. */
  get hasRoomForLogs(): boolean {
    return this.#queue.hasRoom('logs')
  }

  /** Whether more of what senders can keep is to be taken. */
  hasRoomFor(kind: 'logs' | 'samples'): boolean {
    return this.#queue.hasRoom(kind)
  }

  /** Runs in the transaction that writes what was handed in last. */
  with(work: (session: Session) => Promise<void>): void {
    this.#queue.also(work)
  }

  samples(scope: number, samples: readonly Sample[]): number {
    const now = this.#options.now()
    let taken = 0
    for (const { atMs, service, release, instance, name, unit, value, count, attributes } of samples) {
      const rows = this.#queue.room('samples')
      if (!rows) continue
      rows.add([scope, this.#possible(atMs, now) * 1000, service, release, instance, name, unit, value, count, JSON.stringify(attributes)])
      taken++
    }
    return taken
  }

  /** Written with the next flush; of several of one scope the last. `snapshot` is JSON. */
  saveGraph(scope: number, snapshot: unknown): void {
    this.#graphs.set(scope, snapshot)
    this.#drawn = this.#options.journal?.mark() ?? 0
  }

  /** What of earlier processes' journals is counted. Rejects while PostgreSQL cannot be reached. */
  loadMarks(): Promise<ReadonlyMap<string, Marks>> {
    return this.read(loadMarks)
  }

  /** Of the last day and a half. Rejects while PostgreSQL cannot be reached. */
  loadSignatures(): Promise<readonly SignatureRow[]> {
    return this.read((session) => readSignatures(session, this.#options.now()))
  }

  /** Their journals are gone. */
  forgetMarks(): void {
    const name = this.#options.journal?.name ?? ''
    this.#queue.also((session) => forgetMarks(session, name))
  }

  /** Rejects while PostgreSQL cannot be reached. */
  async loadGraphs(): Promise<ReadonlyMap<number, unknown>> {
    const rows = await this.read((session) => session.rows<{ environment: number; snapshot: Buffer }>('select environment, snapshot from telemetry.graphs'))
    const graphs = new Map<number, unknown>()
    for (const { environment, snapshot } of rows) graphs.set(environment, JSON.parse((await inflate(snapshot)).toString('utf8')))
    return graphs
  }

  /** For what else the telemetry process reads at its start. */
  read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#queue.run(work)
  }

  /** Writes everything. Rejects when PostgreSQL cannot be reached. */
  async flush(): Promise<void> {
    await this.#ticking
    await this.#write()
  }

  health(): StorageHealth {
    return {
      ...this.#queue.health(),
      spans: { counted: this.#counted, uncounted: this.#rollups.shed, misdated: this.#rollups.misdated },
      names: { replaced: this.#rollups.replaced },
      traces: { kept: this.#kept, unpaid: this.#sampler.unpaid },
      upkeep: { problem: this.#upkeepProblem },
      logExport: this.#options.logExport?.health() ?? null,
    }
  }

  async close(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer)
    await this.#ticking
    await this.#write().catch(() => {}) // what cannot be written now is lost with the process, as by a kill
    await this.#queue.close()
    await this.#options.logExport?.close()
  }

  /** Makes and drops partitions, merges roll-ups and holds budgets; called by itself every minute. */
  async upkeep(): Promise<void> {
    const now = this.#options.now()
    if (this.#upkeeps++ % TEND_EVERY === 0 || !this.#tended) await this.#tend(now)
    const until = now - MERGE_BEHIND_MS
    this.#rollups.seal(until)
    await this.#write()
    if (this.#queue.isEmpty) await mergeRollups((work) => this.#queue.run(work), until)
  }

  #tick(): Promise<void> {
    this.#ticking ??= this.#turn().finally(() => {
      this.#ticking = null
    })
    return this.#ticking
  }

  async #turn(): Promise<void> {
    const now = this.#options.now()
    try {
      if (now < this.#upkeepAt) return await this.#write()
      await this.upkeep()
      this.#upkeepAt = now + UPKEEP_MS
      this.#upkeepProblem = null
    } catch (error) {
      // `health` says it, and the next turn tries again; a store that is away is the queue's problem, which knows when it is back
      this.#upkeepProblem = this.#queue.problem === null ? (error instanceof Error ? error.message : String(error)) : null
    }
  }

  async #write(): Promise<void> {
    // it may have been away for longer than its partitions reach
    if (!this.#tended || this.#queue.problem !== null) await this.#tend(this.#options.now())
    await this.#saveGraphs()
    const rows = this.#queue.hasRoom('rollups') ? this.#queue.room('rollups') : null
    if (rows) this.#drain(rows)
    const usage = this.#usage.take()
    if (usage) this.#queue.also(usage)
    await this.#queue.flush()
  }

  /** The counts, and in the same transaction how much of the journal is in them. */
  #drain(rows: CopyRows): void {
    this.#rollups.drain(rows)
    const { journal, signatures } = this.#options
    const seen = signatures?.take() ?? []
    if (seen.length > 0) this.#queue.also((session) => writeSignatures(session, seen))
    const mark = journal?.mark() ?? 0
    if (!journal || mark === this.#marked) return
    this.#marked = mark
    this.#queue.also((session) => setMark(session, markName('counted', journal.name), mark))
  }

  async #saveGraphs(): Promise<void> {
    const graphs = [...this.#graphs]
    const [drawn, { journal }] = [this.#drawn, this.#options]
    this.#graphs.clear()
    for (const [scope, snapshot] of graphs) {
      const bytes = await deflate(JSON.stringify(snapshot), { level: 1 })
      this.#queue.also(async (session) => {
        await session.rows(
          `insert into telemetry.graphs values ($1, now(), $2) on conflict (environment) do update set at = excluded.at, snapshot = excluded.snapshot`,
          [scope, bytes],
        )
      })
    }
    if (journal && graphs.length > 0) this.#queue.also((session) => setMark(session, markName('drawn', journal.name), drawn))
  }

  async #tend(now: number): Promise<void> {
    const { traces, logs, samples } = this.#policy
    const budget = { traces: traces.totalBytes, logs: logs.totalBytes, samples: samples.totalBytes }
    const { stored, merged } = await this.#queue.run(async (session) => {
      await session.rows('select telemetry.tend_partitions(to_timestamp($1::float8 / 1000), $2)', [now, JSON.stringify(budget)])
      await trim(session, { traces: traces.environmentBytes / STORED_SHARE, logs: logs.environmentBytes })
      return { stored: await usageOf(session, 'traces'), merged: await markOf(session, 'rollups_10s') }
    })
    this.#tended = true
    this.#rollups.seal(merged) // a process before this one may have got further
    this.#sampler.measured(stored)
  }

  /** A time that there is a partition for. */
  #possible(ms: number, nowMs: number): number {
    return ms >= nowMs - OLDEST_MS && ms <= nowMs + NEWEST_MS ? ms : nowMs
  }
}

const deflate = promisify(deflateRaw) as (text: string, options: { level: number }) => Promise<Buffer>
const inflate = promisify(inflateRaw) as (bytes: Buffer) => Promise<Buffer>

function hexOrNull(hex: string): Uint8Array | null {
  return hex === '' ? null : Buffer.from(hex, 'hex')
}
