import { connect, type Socket } from 'node:net'
import { type ResponseHead, ResponseParser } from './response-parser.ts'

/** What goes wrong between the gateway and a target. */
export interface UpstreamFailure {
  /** `connect`: not a byte was sent. `reset`: the connection ended before the answer did. `malformed`: what came is no HTTP answer. */
  readonly kind: 'connect' | 'reset' | 'malformed'
  /** In the words of the system: "connect ECONNREFUSED 127.0.0.1:4000". */
  readonly cause: string
}

/** Who sends one request and wants its answer. After `onEnd` or `onFailure` nothing more is called. */
export interface UpstreamUser {
  readonly method: string
  /** The whole request was sent: only then may another one follow on the connection. */
  readonly sent: boolean
  /** Connected: now send. */
  onReady(connection: UpstreamConnection): void
  onDrain(): void
  onHead(head: ResponseHead): void
  /** Only valid during the call. */
  onBody(chunk: Buffer): void
  onEnd(trailers: readonly string[]): void
  onFailure(failure: UpstreamFailure): void
}

/**
 * Idle connections are closed before the servers in common use close theirs (gunicorn 2 s, Node and uvicorn 5 s): else a
 * request that may not be sent twice could meet a connection that is just being closed.
 */
const IDLE_MS = 900
const CONNECT_TIMEOUT_MS = 2000
/**
 * More connections are not begun at once: a server's queue of new connections is short (511 in Node, 100 in Python), and what does
 * not fit waits a second for its next try. Whoever comes later takes the next one that is established or given back.
 */
const MAX_CONNECTING = 64
/** One buffer for all reads: a read is handled to its end before the next one starts. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)

/** A user's hold on the connection that it has or waits for. */
export interface UpstreamHold {
  pause(): void
  resume(): void
  /** Ends it without telling the user, who knows. */
  destroy(): void
}

/** Keep-alive connections to one port of one target. */
export class UpstreamPool {
  readonly #address: string
  readonly #port: number
  readonly #idle: UpstreamConnection[] = []
  readonly #connecting = new Set<UpstreamConnection>()
  readonly #waiting = new Set<UpstreamUser>()
  #sweep: NodeJS.Timeout | null = null

  constructor(address: string, port: number) {
    this.#address = address
    this.#port = port
  }

  /** Gives `user` a connection: the one used last if any is idle, else a new one. */
  use(user: UpstreamUser, fresh: boolean): UpstreamHold {
    const idle = fresh ? undefined : this.#idle.pop()
    if (idle) {
      idle.start(user)
      return idle
    }
    if (this.#connecting.size < MAX_CONNECTING) return this.#open(user)
    this.#waiting.add(user)
    return { pause() {}, resume() {}, destroy: () => this.#waiting.delete(user) }
  }

  release(connection: UpstreamConnection): void {
    const next = this.#next()
    if (next) return connection.start(next)
    this.#idle.push(connection)
    connection.idleSince = performance.now()
    this.#sweep ??= setInterval(() => this.#closeIdle(), IDLE_MS / 3).unref()
  }

  /** It is connected, or never will be: there is room for the next one. */
  settled(connection: UpstreamConnection): void {
    if (!this.#connecting.delete(connection)) return
    const next = this.#next()
    if (next) this.#open(next)
  }

  forget(connection: UpstreamConnection): void {
    this.settled(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  /** Closes what is idle; what is busy ends by itself. */
  close(): void {
    for (const connection of [...this.#idle]) connection.destroy()
  }

  #open(user: UpstreamUser): UpstreamConnection {
    const connection = new UpstreamConnection(this.#address, this.#port, this)
    this.#connecting.add(connection)
    connection.start(user)
    return connection
  }

  #next(): UpstreamUser | null {
    for (const user of this.#waiting) {
      this.#waiting.delete(user)
      return user
    }
    return null
  }

  #closeIdle(): void {
    const oldest = performance.now() - IDLE_MS
    for (const connection of this.#idle.filter((it) => it.idleSince < oldest)) connection.destroy()
    if (this.#idle.length > 0 || this.#sweep === null) return
    clearInterval(this.#sweep)
    this.#sweep = null
  }
}

export class UpstreamConnection implements UpstreamHold {
  idleSince = 0
  readonly #socket: Socket
  readonly #pool: UpstreamPool
  readonly #parser = new ResponseParser()
  #user: UpstreamUser | null = null
  #connected = false
  #keepAlive = false
  #cause: string | null = null

  constructor(address: string, port: number, pool: UpstreamPool) {
    this.#pool = pool
    const socket = connect({
      host: address,
      port,
      noDelay: true,
      onread: { buffer: READ_BUFFER, callback: (size, buffer) => this.#receive(size, buffer as Buffer) },
    })
    this.#socket = socket
    const timer = setTimeout(() => {
      this.#cause = `connect ETIMEDOUT ${address}:${port}`
      socket.destroy()
    }, CONNECT_TIMEOUT_MS)
    socket.on('connect', () => {
      clearTimeout(timer)
      this.#connected = true
      this.#user?.onReady(this)
      pool.settled(this)
    })
    socket.on('drain', () => this.#user?.onDrain())
    socket.on('error', (error) => {
      this.#cause ??= error.message
    })
    socket.on('end', () => this.#ended())
    socket.on('close', () => {
      clearTimeout(timer)
      pool.forget(this)
      const user = this.#user
      this.#user = null
      user?.onFailure(
        this.#connected
          ? { kind: 'reset', cause: this.#cause ?? 'the service closed the connection without an answer' }
          : { kind: 'connect', cause: this.#cause ?? `connect failed ${address}:${port}` },
      )
    })
  }

  start(user: UpstreamUser): void {
    this.#user = user
    this.#parser.expect(user.method, this)
    if (this.#connected) user.onReady(this)
  }

  /** False: wait for `onDrain` before more. */
  write(data: string | Buffer): boolean {
    return typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#socket.write(data)
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  destroy(): void {
    this.#user = null
    this.#pool.forget(this)
    this.#socket.destroy()
  }

  // what the parser calls

  onHead(head: ResponseHead): void {
    this.#keepAlive = head.keepAlive
    this.#user?.onHead(head)
  }

  onBody(chunk: Buffer): void {
    this.#user?.onBody(chunk)
  }

  onEnd(trailers: readonly string[], clean: boolean): void {
    const user = this.#user
    this.#user = null
    // Given back first: the user may want the connection again at once.
    if (clean && this.#keepAlive && user?.sent && !this.#socket.destroyed) this.#pool.release(this)
    else this.destroy()
    user?.onEnd(trailers)
  }

  #receive(size: number, buffer: Buffer): boolean {
    try {
      this.#parser.push(buffer.subarray(0, size))
    } catch (error) {
      this.#fail((error as Error).message)
    }
    return true
  }

  #ended(): void {
    if (this.#parser.untilClose) this.#parser.close()
    else this.#socket.destroy()
  }

  #fail(cause: string): void {
    const user = this.#user
    this.destroy()
    user?.onFailure({ kind: 'malformed', cause })
  }
}
