import { connect, type Socket } from 'node:net'
import type { CounterBlock, RoutingTable, TableVersion } from '../core/model/routing.ts'
import { lineSplitter } from '../rpc/protocol.ts'

/**
 * What the gateway's parent and its workers say to each other, one JSON object a line over a unix socket that the parent
 * serves. Not the process channel: a worker outlives its parent, and the next parent must find it again. (The process channel
 * carries only what nothing else can: the listening sockets.)
 */
export type ToWorker =
  /**
   * Replaces the tables named in it and takes out the withdrawn. The versions count as applied once all listening sockets are
   * open that were asked for. `sockets` is null where nothing changes about them: always so for a worker of an earlier parent.
   * `workers`: how many there are to be.
   */
  | {
      readonly kind: 'sync'
      readonly tables: readonly RoutingTable[]
      readonly withdrawn: readonly Withdrawal[]
      readonly sockets: SocketChange | null
      readonly workers: number
    }
  /** The block is on disk: forget it. */
  | { readonly kind: 'kept'; readonly sequence: number }
  /** Take no more connections, end with the last one. */
  | { readonly kind: 'drain' }
  /** As `drain`, but not later than this. */
  | { readonly kind: 'stop'; readonly graceMs: number }

export type FromWorker =
  | { readonly kind: 'hello'; readonly incarnation: string; readonly generation: string; readonly pid: number }
  | { readonly kind: 'applied'; readonly environment: string; readonly version: TableVersion }
  | { readonly kind: 'inflight'; readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>> }
  | { readonly kind: 'block'; readonly block: CounterBlock }
  /** All that was asked for is in place, and connections are taken. */
  | { readonly kind: 'serving' }
  /** Share of the last second in which the event loop was busy, 0…1. */
  | { readonly kind: 'busy'; readonly share: number }

export interface Withdrawal {
  readonly environment: string
  readonly version: TableVersion
}

/** The handles come by the process channel under these names, before or after this message. */
export interface SocketChange {
  /** Whatever is not among `opened` is closed. */
  readonly complete: boolean
  readonly opened: readonly SocketName[]
  /** Serials. */
  readonly closed: readonly number[]
}

/** `serial` tells a socket from one that was opened later on the same address. */
export interface SocketName {
  readonly key: string
  readonly serial: number
}

/** Over the process channel, together with the handle. */
export interface SocketMessage {
  readonly socket: SocketName
}

const RECONNECT_MS = 50

/** A worker's end: connects again for ever, because a worker without a parent goes on serving until the next one comes. */
export class ParentLink {
  readonly #path: string
  readonly #onConnect: () => void
  readonly #onMessage: (message: ToWorker) => void
  #socket: Socket | null = null
  #connected = false
  #closed = false

  constructor(path: string, onConnect: () => void, onMessage: (message: ToWorker) => void) {
    this.#path = path
    this.#onConnect = onConnect
    this.#onMessage = onMessage
    this.#connect()
  }

  /** @returns false when nobody listens; what must not be lost is sent again after the next `onConnect`. */
  send(message: FromWorker): boolean {
    if (!this.#connected) return false
    this.#socket?.write(`${JSON.stringify(message)}\n`)
    return true
  }

  /** Says what is still to be said, then ends. */
  close(): Promise<void> {
    this.#closed = true
    return new Promise((resolve) => {
      if (!this.#socket || !this.#connected) return resolve()
      this.#socket.once('close', () => resolve())
      this.#socket.end()
    })
  }

  #connect(): void {
    const socket = connect(this.#path)
    this.#socket = socket
    const split = lineSplitter((line) => this.#onMessage(JSON.parse(line) as ToWorker))
    socket.on('connect', () => {
      this.#connected = true
      this.#onConnect()
    })
    socket.on('data', (chunk) => split(chunk))
    socket.on('error', () => {}) // `close` follows
    socket.on('close', () => {
      this.#connected = false
      if (!this.#closed) setTimeout(() => this.#connect(), RECONNECT_MS)
    })
  }
}
