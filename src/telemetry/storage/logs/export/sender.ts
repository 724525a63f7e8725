import type { LogEntry } from '../log-record.ts'

/** Lines with the environment they belong to. */
export interface ExportedLog extends LogEntry {
  readonly environment: string
}

export interface LogExport {
  /** Takes lines that are sent soon; never waits. What there is no room for is counted. */
  add(environment: string, entries: readonly LogEntry[]): void
  health(): ExportHealth
  /** Sends what is left, for as long as it may take at the end of the process. */
  close(): Promise<void>
}

export interface ExportHealth {
  readonly sent: number
  readonly waiting: number
  /** There was no room; or the receiver would never have taken them. */
  readonly shed: number
  readonly refused: number
  readonly problem: string | null
}

/** How one kind of receiver is given lines. Throws `Retryable` when a later attempt may succeed; returns how many lines it will never take. */
export interface Receiver {
  send(logs: readonly ExportedLog[]): Promise<number>
}

/** The receiver is away or busy: the same again, later. */
export class Retryable extends Error {}

const MOST_WAITING = 50_000
const MOST_WAITING_BYTES = 16 * 2 ** 20
const BATCH = 1_000
const EVERY_MS = 1_000
const RETRY_MS = { first: 500, most: 30_000 }
const CLOSE_MS = 2_000

export interface SenderOptions {
  readonly everyMs?: number
  readonly retryMs?: { readonly first: number; readonly most: number }
  readonly mostWaiting?: number
}

/** Hands lines to a receiver in batches, one at a time and in order, keeps a bounded number while it is away, and counts what it loses. */
export class LogSender implements LogExport {
  readonly #receiver: Receiver
  readonly #everyMs: number
  readonly #retryMs: { readonly first: number; readonly most: number }
  readonly #mostWaiting: number
  #waiting: ExportedLog[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | null = null
  #sending: Promise<void> | null = null
  #delayMs: number
  #closed = false
  #sent = 0
  #shed = 0
  #refused = 0
  #problem: string | null = null

  constructor(receiver: Receiver, { everyMs = EVERY_MS, retryMs = RETRY_MS, mostWaiting = MOST_WAITING }: SenderOptions = {}) {
    this.#receiver = receiver
    this.#everyMs = everyMs
    this.#retryMs = retryMs
    this.#mostWaiting = mostWaiting
    this.#delayMs = retryMs.first
  }

  add(environment: string, entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (this.#waiting.length >= this.#mostWaiting || this.#bytes >= MOST_WAITING_BYTES) {
        this.#shed++
        continue
      }
      this.#waiting.push({ ...entry, environment })
      this.#bytes += entry.text.length
    }
    this.#schedule(this.#everyMs)
  }

  health(): ExportHealth {
    return { sent: this.#sent, waiting: this.#waiting.length, shed: this.#shed, refused: this.#refused, problem: this.#problem }
  }

  async close(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer)
    this.#closed = true
    const last = (async () => {
      await this.#sending
      await this.#sendAll()
    })()
    let timer: NodeJS.Timeout | undefined
    await Promise.race([last, new Promise((resolve) => (timer = setTimeout(resolve, CLOSE_MS)))])
    clearTimeout(timer)
  }

  #schedule(afterMs: number): void {
    if (this.#timer || this.#sending || this.#closed || this.#waiting.length === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#sending = this.#sendAll().finally(() => {
        this.#sending = null
        this.#schedule(this.#problem === null ? this.#everyMs : this.#delayMs)
      })
    }, afterMs).unref()
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH)
      try {
        const refused = await this.#receiver.send(batch)
        this.#refused += refused
        this.#sent += batch.length - refused
        this.#problem = null
        this.#delayMs = this.#retryMs.first
      } catch (error) {
        this.#problem = error instanceof Error ? error.message : String(error)
        if (error instanceof Retryable) {
          this.#delayMs = Math.min(this.#retryMs.most, this.#delayMs * 2)
          return
        }
        this.#refused += batch.length
      }
      this.#waiting = this.#waiting.slice(batch.length)
      for (const { text } of batch) this.#bytes -= text.length
    }
  }
}
