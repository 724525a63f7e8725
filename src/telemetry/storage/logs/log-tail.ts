import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { originOf } from '../../../core/model/replica.ts'
import type { Session } from '../connection.ts'
import { LEVEL, type LogEntry } from './log-record.ts'
import { readLine } from './read-line.ts'

/** Where the lines go. `TelemetryStore` is one. */
export interface LogSink {
  readonly hasRoomForLogs: boolean
  logs(scope: number, entries: readonly LogEntry[]): number
  with(work: (session: Session) => Promise<void>): void
  read<T>(work: (session: Session) => Promise<T>): Promise<T>
}

/** Who looks for errors in them. */
export interface LineReader {
  line(scope: number, entry: LogEntry, printed: { readonly stream: string; readonly text: string }): void
  looked(): void
}

interface Cursor {
  inode: number
  position: number
}

const ENVIRONMENT = /^e([1-9]\d{0,8})$/
const LOG = /^(.+)\.jsonl$/
const MOST_ROTATED = 9
const CHUNK = 256 * 1024
/** So much in one look, and of an environment in one turn; whoever has more waits for its next turn, or for the next look. */
const MOST_A_LOOK = 2 * 2 ** 20
const A_TURN = CHUNK
const EVERY_MS = 1000
/** Older lines are not searched for: they were there before telemetry was. */
const OLDEST_MS = 5 * 3_600_000

/**
 * Reads what replicas print where the runner writes it (`<folder>/<environment>/<id>.jsonl`, rotated to `.1`, `.2`, …), so that it can be searched
 * and found by trace. How far it came is stored with the lines, in one transaction: none is lost or doubled by a restart. While PostgreSQL is away
 * the files wait; what is rotated away before it is back is counted as missed.
 *
 * @example
 * const tail = new LogTail({ folder: '/var/lib/weir/logs', sink: store, now: Date.now })
 * tail.start()
 */
export class LogTail {
  readonly #folder: string
  readonly #sink: LogSink
  readonly #errors: LineReader | null
  readonly #now: () => number
  #cursors: Map<string, Cursor> | null = null
  #timer: NodeJS.Timeout | null = null
  #looking: Promise<void> | null = null
  #left = 0
  #leftOfTurn = 0
  /** Who had the last turn, and which of its replicas: the next begins behind them. */
  #lastEnvironment = ''
  readonly #lastReplica = new Map<string, string>()
  /** Files that were gone before they were read to their end. */
  missed = 0
  /** Why the last look ended early. */
  problem: string | null = null

  constructor({ folder, sink, errors = null, now }: LogTailOptions) {
    this.#folder = folder
    this.#sink = sink
    this.#errors = errors
    this.#now = now
  }

  start(): void {
    // what fails (PostgreSQL is away) is tried again by the next look
    this.#timer ??= setInterval(() => {
      this.look().then(
        () => (this.problem = null),
        (error: Error) => (this.problem = error.message),
      )
    }, EVERY_MS).unref()
  }

  async stop(): Promise<void> {
    if (this.#timer) clearInterval(this.#timer)
    await this.#looking?.catch(() => {})
  }

  /** Hands on what was printed since the last look. */
  look(): Promise<void> {
    this.#looking ??= this.#lookAtAll().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #lookAtAll(): Promise<void> {
    this.#cursors ??= await this.#sink.read(readCursors)
    this.#left = MOST_A_LOOK
    const cursors = this.#cursors
    const environments = namesIn(this.#folder).filter((name) => ENVIRONMENT.test(name))
    for (const gone of this.#lastReplica.keys()) if (!environments.includes(gone)) this.#lastReplica.delete(gone)
    let waiting = startingBehind(environments, this.#lastEnvironment)
    while (waiting.length > 0 && this.#hasRoom) waiting = waiting.filter((environment) => this.#hasRoom && this.#turnOf(environment, cursors))
    this.#errors?.looked()
  }

  get #hasRoom(): boolean {
    return this.#left > 0 && this.#sink.hasRoomForLogs
  }

  /** True: there is more. */
  #turnOf(environment: string, cursors: Map<string, Cursor>): boolean {
    const scope = Number(ENVIRONMENT.exec(environment)?.[1])
    const ids = namesIn(join(this.#folder, environment)).flatMap((name) => LOG.exec(name)?.[1] ?? [])
    this.#lastEnvironment = environment
    this.#leftOfTurn = A_TURN
    for (const id of startingBehind(ids, this.#lastReplica.get(environment) ?? '')) {
      this.#lookAt(cursors, scope, `${environment}/${id}`, id)
      if (this.#leftOfTurn > 0) continue
      this.#lastReplica.set(environment, id)
      return true
    }
    return false
  }

  #lookAt(cursors: Map<string, Cursor>, scope: number, source: string, id: string): void {
    const path = join(this.#folder, `${source}.jsonl`)
    const present = statSync(path, { throwIfNoEntry: false })
    if (!present) return
    const known = cursors.get(source)
    // Shorter than what was read of it: another file, which was given the number of one that is gone.
    const cursor = known?.inode === present.ino && known.position > present.size ? { inode: 0, position: 0 } : known
    if (cursor?.inode === present.ino && cursor.position >= present.size) return
    for (const file of this.#unread(path, present.ino, cursor)) {
      const from = file.inode === cursor?.inode ? cursor.position : 0
      const end = this.#read(file.path, from, scope, source, id, cursors)
      if (end === null) return // there was no room for the rest
    }
  }

  /** Files with lines that were not read, oldest first. */
  #unread(path: string, inode: number, cursor: Cursor | undefined): { readonly path: string; readonly inode: number }[] {
    const files = [{ path, inode }]
    if (cursor?.inode === inode) return files
    for (let n = 1; n <= MOST_ROTATED; n++) {
      const rotated = statSync(`${path}.${n}`, { throwIfNoEntry: false })
      if (!rotated) break
      files.unshift({ path: `${path}.${n}`, inode: rotated.ino })
      if (rotated.ino === cursor?.inode) return files
    }
    if (cursor) this.missed++
    return files
  }

  /** Hands on whole lines from byte `from` on and returns where it ended; null: it is not through, because there is no room. */
  #read(path: string, from: number, scope: number, source: string, id: string, cursors: Map<string, Cursor>): number | null {
    const file = openSync(path, 'r')
    try {
      const inode = fstatSync(file).ino
      const chunk = Buffer.allocUnsafe(CHUNK)
      for (let at = from; ; ) {
        if (!this.#hasRoom || this.#leftOfTurn <= 0) return null
        const bytes = chunk.subarray(0, readSync(file, chunk, 0, CHUNK, at))
        const end = bytes.lastIndexOf(10) + 1
        if (end === 0) return at // nothing, or half a line
        const text = new StringDecoder('utf8').end(bytes.subarray(0, end))
        at += end
        this.#left -= end
        this.#leftOfTurn -= bytes.length
        this.#sink.logs(scope, this.#entriesOf(text, scope, id))
        cursors.set(source, { inode, position: at })
        this.#sink.with((session) => writeCursor(session, source, inode, at))
      }
    } finally {
      closeSync(file)
    }
  }

  #entriesOf(text: string, scope: number, id: string): LogEntry[] {
    const { service, release } = originOf(id) ?? { service: id, release: null }
    const oldest = this.#now() - OLDEST_MS
    const entries: LogEntry[] = []
    for (const line of text.split('\n')) {
      const record = recordOf(line)
      if (record === null || record.time < oldest) continue
      const meaning = readLine(record.text)
      const severity = record.stream === 'weir' ? LEVEL.warn : meaning.severity
      const entry = { ...meaning, severity, atMs: record.time, service, release: release === null ? '' : `v${release}`, instance: id }
      this.#errors?.line(scope, entry, record)
      entries.push(entry)
    }
    return entries
  }
}

interface LogTailOptions {
  readonly folder: string
  readonly sink: LogSink
  readonly errors?: LineReader | null
  readonly now: () => number
}

interface Record {
  readonly time: number
  readonly stream: string
  readonly text: string
}

function recordOf(line: string): Record | null {
  if (!line.endsWith('}')) return null
  try {
    const { time, stream, text } = JSON.parse(line) as Partial<Record>
    return typeof time === 'number' && typeof text === 'string' ? { time, stream: String(stream), text } : null
  } catch {
    return null // torn by a kill of the runner
  }
}

/** @example startingBehind(['a', 'b', 'c'], 'a') // ['b', 'c', 'a'] */
function startingBehind(names: readonly string[], last: string): string[] {
  const at = names.indexOf(last) + 1
  return [...names.slice(at), ...names.slice(0, at)]
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

async function readCursors(session: Session): Promise<Map<string, Cursor>> {
  const rows = await session.rows<{ source: string; inode: string; position: string }>('select source, inode, position from telemetry.log_cursors')
  return new Map(rows.map(({ source, inode, position }) => [source, { inode: Number(inode), position: Number(position) }]))
}

async function writeCursor(session: Session, source: string, inode: number, position: number): Promise<void> {
  await session.rows(
    `insert into telemetry.log_cursors (source, inode, position) values ($1, $2, $3)
     on conflict (source) do update set inode = excluded.inode, position = excluded.position, at = now()`,
    [source, inode, position],
  )
}
