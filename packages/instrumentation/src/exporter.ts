import { Buffer } from 'node:buffer'
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { encodeLibrary, encodeRequest, encodeSpan } from './encode.ts'
import { ProtobufWriter } from './protobuf.ts'
import type { ExporterSettings } from './settings.ts'
import type { Span } from './span.ts'
import { type Answer, type Connection, connect } from './transport.ts'

/** Spans that wait, in bytes: about 15,000. What comes beyond is counted and let go. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024
/** So many are sent at once, without waiting for the rest of the interval. */
const FULL_BATCH_BYTES = 512 * 1024
/** So many ended spans are turned into bytes together: most requests then wait for none of it, and the code is warm when it runs. */
const ENCODED_TOGETHER = 64
const GZIP_FROM_BYTES = 32 * 1024
const MOST_TRIES = 5
const FIRST_RETRY_MS = 500
const MOST_RETRY_MS = 5000
/** The connection is there early, so that even a short-lived process can send its last spans over it when it ends. */
const FIRST_DELAY_MS = 25
const LAST_WORDS_MS = 100

const require = createRequire(import.meta.url)

export interface ExporterOptions extends ExporterSettings {
  readonly version: string
  /** Runs work so that it is not traced itself. */
  readonly untraced: <T>(work: () => T) => T
  readonly log: (level: 'warn' | 'debug', text: string) => void
  /** Before each batch. */
  readonly onFlush: () => void
}

/** Turns ended spans into bytes, a few at once, and sends them every half second; never holds the process up, never throws. */
export class Exporter {
  readonly #options: ExporterOptions
  readonly #writer = new ProtobufWriter(64 * 1024)
  readonly #library: Uint8Array
  readonly #connection: Connection
  /** Ended and not turned into bytes yet; they are among those that wait. */
  readonly #ended: Span[] = []
  #waiting = 0
  #dropped = 0
  #sent = 0
  #timer: NodeJS.Timeout | null = null
  #sending: Promise<void> | null = null

  constructor(options: ExporterOptions) {
    this.#options = options
    this.#library = encodeLibrary(this.#writer, 'weir', options.version)
    this.#connection = connect(options)
  }

  /** Spans that were let go since the process began, because nobody took them. */
  get dropped(): number {
    return this.#dropped
  }

  add(span: Span): void {
    if (this.#writer.length > MOST_WAITING_BYTES) {
      this.#dropped++
      return
    }
    this.#waiting++
    if (this.#ended.push(span) >= ENCODED_TOGETHER) this.#encode()
    if (this.#sending !== null) return
    if (this.#writer.length > FULL_BATCH_BYTES) this.#wakeIn(0)
    else if (this.#timer === null) this.#wakeIn(this.#sent === 0 ? FIRST_DELAY_MS : this.#options.delayMs)
  }

  /** Sends what waits; resolves when it was taken or given up. */
  flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#waiting === 0) return this.#sending ?? Promise.resolve()
    this.#sending ??= this.#options
      .untraced(() => this.#send())
      .finally(() => {
        this.#sending = null
        if (this.#waiting > 0 && this.#timer === null) this.#wakeIn(this.#options.delayMs)
      })
    return this.#sending
  }

  /** At the very end there is no waiting: what is left is written into the open connection, and the kernel delivers it. */
  flushNow(): boolean {
    if (this.#waiting === 0) return true
    const socket: Socket | null = this.#connection.openSocket()
    if (socket === null) return false
    const body = this.#takeBatch().body
    return this.#options.untraced(() => socket.write(Buffer.concat([this.#connection.head(body.length), body])))
  }

  /** The event loop has run dry: held open for the last spans, for a moment. */
  async lastWords(): Promise<void> {
    if (this.flushNow()) return
    const timer = setTimeout(() => {}, LAST_WORDS_MS) // the only thing of ours that keeps a process alive
    await Promise.race([this.flush(), new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS).unref())])
    clearTimeout(timer)
  }

  #wakeIn(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = this.#options.untraced(() => setTimeout(() => void this.flush(), ms))
    this.#timer.unref()
  }

  #encode(): void {
    for (const span of this.#ended.splice(0)) {
      const before = this.#writer.length
      try {
        encodeSpan(this.#writer, span)
      } catch (error) {
        this.#writer.cutTo(before) // whatever the app put into it, the others are sent
        this.#waiting--
        this.#dropped++
        this.#options.log('warn', `a span cannot be written: ${String(error)}`)
      }
    }
  }

  #takeBatch(): { body: Uint8Array; count: number } {
    this.#encode()
    this.#options.onFlush()
    const { resource } = this.#options
    const count = this.#waiting
    this.#waiting = 0
    this.#sent += count
    return { body: encodeRequest(this.#writer, this.#library, this.#dropped === 0 ? resource : [...resource, 'weir.dropped_spans', this.#dropped]), count }
  }

  async #send(): Promise<void> {
    const { body, count } = this.#takeBatch()
    const { packed, encoding } = await this.#pack(body)
    for (let attempt = 1; attempt <= MOST_TRIES; attempt++) {
      const answer = await this.#connection.post(packed, encoding)
      if (answer.status >= 200 && answer.status < 300) return this.#options.log('debug', `sent ${count} spans, ${packed.length} bytes`)
      this.#options.log('warn', `${count} spans were not taken: ${answer.problem ?? `status ${answer.status}`}`)
      if (!isPassing(answer) || attempt === MOST_TRIES) break
      await sleep(Math.max(answer.retryAfterMs ?? 0, Math.min(MOST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1))))
    }
    this.#dropped += count
  }

  async #pack(body: Uint8Array): Promise<{ packed: Uint8Array; encoding: string | null }> {
    if (!this.#options.gzip || body.length < GZIP_FROM_BYTES) return { packed: body, encoding: null }
    const { gzip } = require('node:zlib') as typeof import('node:zlib')
    return new Promise((resolve) =>
      gzip(body, { level: 1 }, (error, packed) => resolve(error ? { packed: body, encoding: null } : { packed, encoding: 'gzip' })),
    )
  }
}

/** What OTLP calls retryable; a connection that failed (status 0) is too. */
function isPassing({ status }: Answer): boolean {
  return status === 0 || status === 429 || status === 502 || status === 503 || status === 504
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
