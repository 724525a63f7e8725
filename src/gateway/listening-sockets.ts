import net from 'node:net'
import { getSystemErrorMessage } from 'node:util'
import type { SocketKey } from './socket-key.ts'

/**
 * A bound TCP socket that this process never accepts on. Node has no public way to hold one (a `net.Server` that listens also
 * accepts), so this is the function that its own `cluster` module uses; `listening-sockets.test.ts` would notice its end.
 */
interface Handle {
  close(): void
  /** Also gives the error that libuv keeps back from bind (EADDRINUSE). */
  getsockname(out: object): number
}
const createHandle = (net as unknown as { _createServerHandle(address: string, port: number, family: 4 | 6, fd: undefined, flags: number): Handle | number })
  ._createServerHandle
const REUSE_PORT = 2 // libuv's UV_TCP_REUSEPORT

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** A port that another program holds is seldom freed soon: the next try waits twice as long each time. */
interface Refusal {
  readonly cause: string
  readonly address: HostPort
  readonly waitMs: number
  readonly retryAt: number
}

const FIRST_RETRY_MS = 1000
const LONGEST_RETRY_MS = 30_000

/**
 * The sockets of the gateway, held by the parent, listened on by the workers. Because the parent holds them they stay open
 * when a worker dies: connections wait in the queue for the next one. Because they are bound with SO_REUSEPORT a new parent
 * can bind them again while the workers of a dead one still take connections.
 */
export class ListeningSockets {
  readonly #open = new Map<SocketKey, { readonly handle: Handle; readonly serial: number }>()
  #serial = 0
  #revision = 0
  readonly #refused = new Map<SocketKey, Refusal>()
  /** Workers of a dead parent may hold the same ports. */
  readonly #shared: () => boolean

  constructor(shared: () => boolean) {
    this.#shared = shared
  }

  /** Tries at once, however often it was refused before. */
  open(key: SocketKey, address: HostPort, now: number): void {
    if (!this.#open.has(key)) this.#try(key, address, now, FIRST_RETRY_MS)
  }

  /** Tries what was refused and whose time has come. @returns what opened. */
  retry(now: number): SocketKey[] {
    const due = [...this.#refused].filter(([, { retryAt }]) => retryAt <= now)
    return due.filter(([key, { address, waitMs }]) => this.#try(key, address, now, Math.min(LONGEST_RETRY_MS, waitMs * 2))).map(([key]) => key)
  }

  #try(key: SocketKey, address: HostPort, now: number, waitMs: number): boolean {
    const { host, port } = address
    // SO_REUSEPORT lets any process of this account bind as well: a plain bind first tells whether the port is really free.
    const probe = this.#shared() ? null : bind(host, port, 0)
    if (typeof probe === 'object') probe?.close()
    const handle = typeof probe === 'number' ? probe : bind(host, port, REUSE_PORT)
    if (typeof handle === 'number') {
      this.#refused.set(key, { cause: describe(handle, host, port), address, waitMs, retryAt: now + waitMs })
      return false
    }
    this.#refused.delete(key)
    this.#open.set(key, { handle, serial: ++this.#serial })
    this.#revision++
    return true
  }

  close(key: SocketKey): void {
    this.#refused.delete(key)
    const open = this.#open.get(key)
    if (!open) return
    open.handle.close()
    this.#open.delete(key)
    this.#revision++
  }

  /** Another number: the list is another one. */
  get revision(): number {
    return this.#revision
  }

  list(): { readonly key: SocketKey; readonly serial: number; readonly handle: unknown }[] {
    return [...this.#open].map(([key, it]) => ({ key, ...it }))
  }

  /** All keys that are open or were refused. */
  keys(): SocketKey[] {
    return [...this.#open.keys(), ...this.#refused.keys()]
  }

  /** Why `key` is not open; null: it is, or nobody asked for it. */
  refusal(key: SocketKey): string | null {
    return this.#refused.get(key)?.cause ?? null
  }
}

function bind(host: string, port: number, flags: number): Handle | number {
  const handle = createHandle(host, port, net.isIPv6(host) ? 6 : 4, undefined, flags)
  if (typeof handle === 'number') return handle
  const error = handle.getsockname({})
  if (error === 0) return handle
  handle.close()
  return error
}

const EACCES = -13
const EADDRINUSE = -98
const EADDRNOTAVAIL = -99

function describe(errno: number, host: string, port: number): string {
  if (errno === EADDRINUSE) return `port ${port} is in use`
  if (errno === EACCES) return `port ${port} may only be opened by root`
  if (errno === EADDRNOTAVAIL) return `this machine has no address ${host}`
  return `${host}:${port}: ${getSystemErrorMessage(errno)}`
}
