import { errorSignature } from '../../core/model/error-signature.ts'
import { originOf } from '../../core/model/replica.ts'
import type { Names } from '../../core/tracegraph/spans.ts'
import { LEVEL, type LogEntry } from '../storage/logs/log-record.ts'
import type { ErrorsView } from '../telemetry.ts'
import type { ClosedTrace } from '../window/closed-trace.ts'
import { logError } from './log-errors.ts'
import { PrintedErrors } from './printed-errors.ts'
import { OTHER, SignatureBook, type SignatureRow, type Teller } from './signature-book.ts'
import { spanErrors } from './span-errors.ts'

/** A trace that is being printed is over when so long nothing more came. */
const PRINTED_WITHIN_MS = 250
/** What is read of a file after hours counts now. */
const OLDEST_MS = 5 * 3_600_000
/** Reading a stack takes a tenth of a millisecond and more: of a flood of errors so many a second are read, the others only counted. */
const MOST_READ_A_SECOND = 1000

export interface ErrorsSeenOptions {
  readonly names: Names
  readonly now: () => number
  /** Whether any release of the service sends spans of its own. */
  readonly sends: (scope: number, service: string) => boolean
}

/** Every error that spans, logs and the output of replicas tell of, counted by its signature. */
export class ErrorsSeen {
  readonly #names: Names
  readonly #now: () => number
  readonly #sends: (scope: number, service: string) => boolean
  readonly #book = new SignatureBook()
  readonly #printed = new PrintedErrors()
  #second = 0
  #read = 0
  /** Whose lines those of a source are. */
  readonly #sources = new Map<string, { readonly scope: number; readonly entry: LogEntry }>()

  constructor({ names, now, sends }: ErrorsSeenOptions) {
    this.#names = names
    this.#now = now
    this.#sends = sends
  }

  /** Occurrences of signatures that there was no room for. */
  get other(): number {
    return this.#book.other
  }

  closed(closed: ClosedTrace): void {
    const asked = { mayRead: () => this.#mayRead(), sends: this.#sends }
    for (const it of spanErrors(closed, this.#names, asked)) this.#add(closed.scope, it, 'spans', this.#now(), closed.traceId())
  }

  /** OTLP's log records. */
  logged(scope: number, entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.severity < LEVEL.error) continue
      const error = this.#mayRead() ? logError(entry) : OTHER
      if (error !== '') this.#add(scope, { ...entry, error, place: '' }, 'logs', this.#now(), entry.trace)
    }
  }

  /** A line that a replica printed; `entry` is what it says of itself. */
  line(scope: number, entry: LogEntry, { stream, text }: { readonly stream: string; readonly text: string }): void {
    if (entry.attributes !== null) {
      const error = logError(entry)
      if (error !== '') this.#add(scope, { ...entry, error, place: '' }, 'output', entry.atMs, entry.trace)
    } else if (stream === 'err') {
      const source = `e${scope} ${entry.instance}`
      this.#sources.set(source, { scope, entry })
      const error = this.#printed.line(source, entry.atMs, text)
      if (error) this.#addPrinted(source, error)
    }
  }

  /** All lines that there are have been handed in. */
  looked(): void {
    for (const [source, error] of this.#printed.ended(this.#now() - PRINTED_WITHIN_MS)) this.#addPrinted(source, error)
    for (const source of this.#sources.keys()) if (!this.#printed.has(source)) this.#sources.delete(source)
  }

  view(scope: number, sinceMs: number): ErrorsView {
    const at = this.#now()
    return { at, since: sinceMs, signatures: this.#book.since(scope, sinceMs, at) }
  }

  /** What was counted since the last time, to be written. */
  take(): SignatureRow[] {
    this.#book.tend(this.#now())
    return this.#book.take()
  }

  restore(rows: readonly SignatureRow[]): void {
    for (const row of rows) this.#book.restore(row)
  }

  #mayRead(): boolean {
    const second = Math.floor(this.#now() / 1000)
    if (second !== this.#second) this.#read = 0
    this.#second = second
    return this.#read++ < MOST_READ_A_SECOND
  }

  #addPrinted(source: string, { atMs, stack }: { readonly atMs: number; readonly stack: string }): void {
    const whose = this.#sources.get(source)
    const error = errorSignature({ type: '', message: '', stack })
    if (whose && error !== '') this.#add(whose.scope, { ...whose.entry, error, place: '' }, 'output', atMs, '')
  }

  /** The id of a replica names its service and release, whatever the service calls itself. */
  #add(scope: number, it: Whose & { readonly error: string; readonly place: string }, teller: Teller, atMs: number, trace: string): void {
    const now = this.#now()
    const origin = it.instance.startsWith(`e${scope}-`) ? originOf(it.instance) : null
    const [service, release] = origin ? [origin.service, `v${origin.release}`] : [it.service, it.release]
    const at = atMs > now || atMs < now - OLDEST_MS ? now : atMs
    this.#book.add({ scope, service, release, error: it.error, place: it.place, teller }, at, trace, it.client)
  }
}

interface Whose {
  readonly client?: string
  readonly service: string
  readonly release: string
  readonly instance: string
}
