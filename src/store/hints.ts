import pg from 'pg'
import { type Address, connectionOptions } from './database.ts'

/** The one channel; the payload is a key: `env:e12`, `release:e12/7`, `follow`, `events`. */
export const CHANNEL = 'weir'

const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 1_000
/** A connection that only listens would not notice that the other side is gone without a word. */
const PULSE_MS = 15_000

/**
 * Hears what others changed, on one connection of its own that comes back after a loss. Only hints: what was said meanwhile is lost, so
 * after each (re)connect listeners hear `events` and look again; all else has a periodic look as its backstop.
 */
export class Hints {
  readonly #address: Address
  readonly #listeners = new Set<(key: string) => void>()
  #client: pg.Client | null = null
  #timer: NodeJS.Timeout | null = null
  #retryMs = FIRST_RETRY_MS

  constructor(address: Address) {
    this.#address = address
  }

  /** Connects with the first listener, and closes with the last. */
  subscribe(listener: (key: string) => void): () => void {
    this.#listeners.add(listener)
    if (this.#listeners.size === 1) this.#connect()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#disconnect()
    }
  }

  close(): void {
    this.#listeners.clear()
    this.#disconnect()
  }

  #connect(): void {
    const client = new pg.Client({ ...connectionOptions(this.#address), query_timeout: 5_000 })
    this.#client = client
    const lost = () => {
      if (this.#client !== client) return
      this.#disconnect()
      if (this.#listeners.size === 0) return
      this.#timer = setTimeout(() => this.#connect(), this.#retryMs)
      this.#timer.unref()
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS)
    }
    client.on('error', lost)
    client.on('end', lost)
    client.on('notification', (message) => this.#tell(message.payload ?? ''))
    client
      .connect()
      .then(() => client.query(`listen ${CHANNEL}`))
      .then(() => {
        if (this.#client !== client) return
        this.#retryMs = FIRST_RETRY_MS
        this.#timer = setInterval(() => void client.query('select 1').catch(lost), PULSE_MS)
        this.#timer.unref()
        this.#tell('events')
      })
      .catch(lost)
  }

  #disconnect(): void {
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    const client = this.#client
    this.#client = null
    client?.end().catch(() => {}) // it may never have been connected
  }

  #tell(key: string): void {
    for (const listener of this.#listeners) listener(key)
  }
}
