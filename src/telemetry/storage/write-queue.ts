import { Connection, type ConnectTo, type Session } from './connection.ts'
import { CopyRows, type TableShape } from './copy-rows.ts'

/** What is written, each with room of its own so that much of one does not push out another. */
export type Kind = 'traces' | 'rollups' | 'logs' | 'samples'
export const KINDS: readonly Kind[] = ['traces', 'rollups', 'logs', 'samples']

/** One transaction. */
interface Batch {
  readonly sequence: number
  readonly rows: Partial<Record<Kind, CopyRows>>
  /** What else belongs into the same transaction: how far log files were read. */
  readonly also: readonly ((session: Session) => Promise<void>)[]
}

export interface WriteHealth {
  readonly connected: boolean
  /** Why nothing can be written; null when it can. */
  readonly problem: string | null
  /** Bytes that wait. */
  readonly waiting: Readonly<Record<Kind, number>>
  /** Rows. */
  readonly written: Readonly<Record<Kind, number>>
  /** Rows for which there was no room while PostgreSQL was away, and rows that it refused. */
  readonly shed: Readonly<Record<Kind, number>>
  readonly refused: Readonly<Record<Kind, number>>
}

const RETRY_MS = { first: 100, most: 5_000 }
/** While PostgreSQL is away, what comes is gathered into batches of about this size. */
const BATCH_BYTES = 4 * 2 ** 20
/** SQLSTATE classes of what no retry makes better: a value or a row that PostgreSQL will not have. */
const HOPELESS = /^(22|23)/

/**
 * Rows on their way into PostgreSQL. Adding never waits: what finds no room is counted and gone. Batches are written in order, each in one
 * transaction with its number, so that a commit whose answer was lost is not done twice.
 */
export class WriteQueue {
  readonly #connection: Connection
  readonly #shapes: Readonly<Record<Kind, TableShape>>
  readonly #limits: Readonly<Record<Kind, number>>
  readonly #name: string
  #filling: Partial<Record<Kind, CopyRows>> = {}
  #also: ((session: Session) => Promise<void>)[] = []
  readonly #batches: Batch[] = []
  /** Of sealed batches. */
  readonly #sealed = none()
  #sequence = 0
  #pumping: Promise<void> | null = null
  #delayMs = RETRY_MS.first
  #notBefore = 0
  #problem: string | null = null
  #closed = false
  readonly #written = none()
  readonly #shed = none()
  readonly #refused = none()

  /** `name` tells this process's batches from those of the one before. */
  constructor(connectTo: ConnectTo, shapes: Readonly<Record<Kind, TableShape>>, limits: Readonly<Record<Kind, number>>, name: string) {
    this.#connection = new Connection(connectTo)
    this.#shapes = shapes
    this.#limits = limits
    this.#name = name
  }

  /** Where to add rows of a kind; null: there is no room, and `count` rows are shed. */
  room(kind: Kind, count = 1): CopyRows | null {
    if (this.#waiting(kind) >= this.#limits[kind]) {
      this.#shed[kind] += count
      return null
    }
    return (this.#filling[kind] ??= new CopyRows(this.#shapes[kind]))
  }

  get problem(): string | null {
    return this.#problem
  }

  hasRoom(kind: Kind): boolean {
    return this.#waiting(kind) < this.#limits[kind] / 2
  }

  /** Runs within the transaction of the rows added last. */
  also(work: (session: Session) => Promise<void>): void {
    this.#also.push(work)
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0 && this.#also.length === 0 && KINDS.every((kind) => (this.#filling[kind]?.count ?? 0) === 0)
  }

  /** Writes what there is. Rejects when it cannot be written now; it is kept and tried again by the next call, later and later. */
  async flush(): Promise<void> {
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = null
    })
    await this.#pumping
  }

  /** A transaction of its own, between batches. */
  async run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    while (this.#pumping) await this.#pumping.catch(() => {})
    let result: { readonly value: T } | null = null
    this.#pumping = this.#attempt(async (session) => {
      result = { value: await work(session) }
    }).finally(() => {
      this.#pumping = null
    })
    await this.#pumping
    return (result as unknown as { value: T }).value
  }

  health(): WriteHealth {
    const waiting = none()
    for (const kind of KINDS) waiting[kind] = this.#waiting(kind)
    return {
      connected: this.#problem === null,
      problem: this.#problem,
      waiting,
      written: { ...this.#written },
      shed: { ...this.#shed },
      refused: { ...this.#refused },
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#pumping?.catch(() => {})
    await this.#connection.close().catch(() => {})
  }

  async #pump(): Promise<void> {
    if (performance.now() < this.#notBefore) {
      this.#sealIfLarge()
      return
    }
    this.#seal()
    for (let batch = this.#batches[0]; batch && !this.#closed; batch = this.#batches[0]) {
      await this.#write(batch)
      this.#batches.shift()
      for (const kind of KINDS) this.#sealed[kind] -= batch.rows[kind]?.byteLength ?? 0
    }
  }

  async #write(batch: Batch): Promise<void> {
    try {
      await this.#attempt((session) => this.#insert(session, batch))
      for (const kind of KINDS) this.#written[kind] += batch.rows[kind]?.count ?? 0
    } catch (error) {
      if (!isHopeless(error)) throw error
      for (const kind of KINDS) this.#refused[kind] += batch.rows[kind]?.count ?? 0
    }
  }

  async #attempt(work: (session: Session) => Promise<void>): Promise<void> {
    try {
      await this.#connection.transaction(work)
      this.#problem = null
      this.#delayMs = RETRY_MS.first
    } catch (error) {
      if (isHopeless(error)) throw error
      this.#problem = error instanceof Error ? error.message : String(error)
      this.#notBefore = performance.now() + this.#delayMs
      this.#delayMs = Math.min(RETRY_MS.most, this.#delayMs * 2)
      throw error
    }
  }

  async #insert(session: Session, batch: Batch): Promise<void> {
    const fresh = await session.rows(
      'insert into telemetry.marks as m values ($1, $2) on conflict (name) do update set value = excluded.value where m.value < excluded.value returning value',
      [`batch ${this.#name}`, batch.sequence],
    )
    if (fresh.length === 0) return
    // the marks of processes before this one
    if (batch.sequence === 1) await session.rows(`delete from telemetry.marks where name like 'batch %' and name <> $1`, [`batch ${this.#name}`])
    for (const kind of KINDS) {
      const rows = batch.rows[kind]
      if (rows && rows.count > 0) await session.copy(rows)
    }
    for (const work of batch.also) await work(session)
  }

  #seal(): void {
    if (this.#also.length === 0 && KINDS.every((kind) => (this.#filling[kind]?.count ?? 0) === 0)) return
    for (const kind of KINDS) this.#sealed[kind] += this.#filling[kind]?.byteLength ?? 0
    this.#batches.push({ sequence: ++this.#sequence, rows: this.#filling, also: this.#also })
    this.#filling = {}
    this.#also = []
  }

  #sealIfLarge(): void {
    let bytes = 0
    for (const kind of KINDS) bytes += this.#filling[kind]?.byteLength ?? 0
    if (bytes > BATCH_BYTES) this.#seal()
  }

  #waiting(kind: Kind): number {
    const filling = this.#filling[kind]
    return this.#sealed[kind] + (filling && filling.count > 0 ? filling.byteLength : 0)
  }
}

function isHopeless(error: unknown): boolean {
  return HOPELESS.test(String((error as { code?: unknown }).code))
}

function none(): Record<Kind, number> {
  return { traces: 0, rollups: 0, logs: 0, samples: 0 }
}
