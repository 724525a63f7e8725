import { connect, type Socket } from 'node:net'
import { CATALOGUE, type ErrorCode, WeirError } from '../errors.ts'
import { type Event, lineSplitter, type Reply } from './protocol.ts'

/** A call that gets no answer for this long has failed; the effect may still happen, which is why every effect has an id. */
const CALL_TIMEOUT_MS = 10_000
const RECONNECT_MS = 50

/**
 * Calls a Weir process over its unix socket. Connects when first needed and again after a loss; calls in flight at a loss fail with
 * `E_UNAVAILABLE`, as do calls while nobody listens.
 *
 * @example const runner = new RpcClient('/var/lib/weir/run/runner.sock'); await runner.call('observe', { environment: 'e1' })
 */
export class RpcClient {
  readonly #path: string
  #socket: Socket | null = null
  #nextId = 1
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void; timer: NodeJS.Timeout }>()
  readonly #listeners = new Set<(event: Event) => void>()
  #closed = false

  constructor(path: string) {
    this.#path = path
  }

  async call(name: string, args: unknown): Promise<unknown> {
    const socket = this.#connect()
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id)
        reject(unavailable(`${name}: no answer in ${CALL_TIMEOUT_MS / 1000} s`))
      }, CALL_TIMEOUT_MS)
      this.#pending.set(id, { resolve, reject, timer })
      socket.write(`${JSON.stringify({ id, call: name, with: args })}\n`)
    })
  }

  /** Hears the peer's events, and keeps a connection open for it. Also called with `reconnected` after a loss: what was missed is unknown. */
  listen(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener)
    this.#connect()
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#closed = true
    this.#socket?.destroy()
  }

  #connect(): Socket {
    if (this.#socket) return this.#socket
    const socket = connect(this.#path)
    this.#socket = socket
    const split = lineSplitter((line) => this.#receive(line))
    socket.on('connect', () => {
      for (const listener of this.#listeners) listener({ event: 'reconnected', with: null })
    })
    socket.on('data', (chunk) => {
      try {
        split(chunk)
      } catch (error) {
        socket.destroy(error as Error)
      }
    })
    socket.on('error', () => {}) // `close` follows and says what it means
    socket.on('close', () => {
      this.#socket = null
      for (const [, call] of this.#pending) {
        clearTimeout(call.timer)
        call.reject(unavailable(`nobody answers at ${this.#path}`))
      }
      this.#pending.clear()
      if (this.#listeners.size > 0 && !this.#closed) setTimeout(() => this.#listeners.size > 0 && !this.#closed && this.#connect(), RECONNECT_MS).unref()
    })
    return socket
  }

  #receive(line: string): void {
    const message = JSON.parse(line) as Reply | Event
    if ('event' in message) {
      for (const listener of this.#listeners) listener(message)
      return
    }
    const call = this.#pending.get(message.id)
    if (!call) return
    this.#pending.delete(message.id)
    clearTimeout(call.timer)
    if ('ok' in message) call.resolve(message.ok)
    else call.reject(new WeirError(codeOf(message.error.code), message.error.explanation))
  }
}

function codeOf(code: string): ErrorCode {
  return code in CATALOGUE ? (code as ErrorCode) : 'E_INTERNAL'
}

function unavailable(cause: string): WeirError {
  return new WeirError('E_UNAVAILABLE', { message: 'a part of Weir does not answer', cause, next: 'weir doctor' })
}
