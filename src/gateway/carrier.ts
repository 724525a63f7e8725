import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { CounterBlock, RoutingTable, TableVersion } from '../core/model/routing.ts'
import { type Admission, type AdmissionContext, admit } from './admission.ts'
import { answerPage } from './answer-page.ts'
import { Counters, type Outcome } from './counters.ts'
import { Deadlines } from './deadlines.ts'
import { Directory, type Place } from './directory.ts'
import { Evidence } from './evidence.ts'
import { discard, Exchange } from './exchange.ts'
import type { TrustedProxies } from './forwarded.ts'
import type { GrpcServer } from './grpc.ts'
import { hexId } from './ids.ts'
import { readHead } from './request-head.ts'
import { SAFE_METHODS } from './shadow.ts'
import { PUBLIC_SOCKET, type SocketKey } from './socket-key.ts'
import type { GatewaySpans } from './spans.ts'
import { carryUpgrade } from './upgrade.ts'

export interface CarrierLimits {
  /** Until a request's head is complete. */
  readonly headersMs: number
  /** Without a byte of the request's body. */
  readonly bodyIdleMs: number
  /** Without a byte of the answer's body taken or given; event streams and WebSockets may be silent. */
  readonly idleMs: number
  readonly keepAliveMs: number
  /** How long a refused request's body is still read and thrown away. */
  readonly lingerMs: number
  readonly tickMs: number
}

export const DEFAULT_LIMITS: CarrierLimits = { headersMs: 10_000, bodyIdleMs: 30_000, idleMs: 60_000, keepAliveMs: 65_000, lingerMs: 1000, tickMs: 50 }
const MAX_HEADER_BYTES = 32 * 1024

export interface CarrierOptions {
  readonly incarnation: string
  readonly key: string
  readonly trusted: TrustedProxies
  readonly limits: CarrierLimits
  readonly random: () => number
  readonly wall: () => number
  /** A drained replica has no request left here. */
  readonly onIdle: (environment: string) => void
  /** null: telemetry is turned off. */
  readonly spans: GatewaySpans | null
}

/** What an exchange needs of its worker. */
export interface CarrierContext extends AdmissionContext {
  readonly limits: CarrierLimits
  readonly deadlines: Deadlines
  readonly draining: () => boolean
  /** @returns the route that it counts for. */
  readonly record: (outcome: Outcome) => string
}

/** One worker's traffic: sockets in, replicas out, counts on the side. Knows nothing of processes. */
export class Carrier {
  readonly directory: Directory
  readonly #evidence = new Evidence()
  readonly #counters: Counters
  readonly #context: CarrierContext
  readonly #servers = new Map<SocketKey, Server>()
  readonly #connections = new Set<Socket>()
  /** Connections on which a request was refused: what their parser has read beyond it is not a request any more. */
  readonly #refused = new WeakSet<Duplex>()
  #grpc: GrpcServer | null = null
  #draining = false

  constructor(options: CarrierOptions) {
    this.directory = new Directory((target) => {
      this.directory.forgetIdle(target)
      options.onIdle(target.environment)
    }, this.#evidence)
    this.#counters = new Counters(options.incarnation, options.wall, this.#evidence)
    this.#context = {
      trusted: options.trusted,
      key: options.key,
      random: options.random,
      limits: options.limits,
      deadlines: new Deadlines(options.limits.tickMs),
      draining: () => this.#draining,
      spans: options.spans,
      record: (outcome) => {
        const route = this.#counters.record(outcome)
        if (outcome.hop !== null) options.spans?.end({ ...outcome, hop: outcome.hop })
        return route
      },
    }
  }

  /** @returns the version in place. */
  apply(table: RoutingTable): TableVersion {
    return this.directory.apply(table)
  }

  withdraw(environment: string): void {
    this.directory.withdraw(environment)
  }

  versions(): Map<string, TableVersion> {
    return this.directory.versions()
  }

  /** How many workers the requests are spread over. */
  set workers(count: number) {
    this.#evidence.workers = count
  }

  closeBlock(): CounterBlock | null {
    return this.#counters.close()
  }

  get connections(): number {
    return this.#connections.size
  }

  /** Takes connections on a socket that another process opened and holds, or on an address (tests). */
  open(key: SocketKey, on: unknown, listening?: () => void): void {
    if (this.#servers.has(key)) return
    const { limits } = this.#context
    const server = createServer(
      {
        headersTimeout: limits.headersMs,
        requestTimeout: 0, // the body has its own idle limit
        keepAliveTimeout: limits.keepAliveMs,
        connectionsCheckingInterval: Math.min(1000, limits.headersMs),
        maxHeaderSize: MAX_HEADER_BYTES,
        noDelay: true,
        insecureHTTPParser: false,
        requireHostHeader: false, // answered with a page and a request id instead
        shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === 'websocket',
      } as Parameters<typeof createServer>[0],
      (request, response) => this.#carry(key, request, response),
    )
    server.on('upgrade', (request, socket, first) => this.#upgrade(key, request, socket, first))
    server.on('connect', (_request, socket) => socket.end('HTTP/1.1 405 Method Not Allowed\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'))
    server.on('clientError', (error, socket) => {
      if (!this.#refused.has(socket)) refuseBytes(error, socket)
    })
    const http1 = server.listeners('connection')[0] as (this: Server, socket: Socket) => void
    server.removeAllListeners('connection')
    server.on('connection', (socket: Socket) => {
      this.#connections.add(socket)
      socket.on('close', () => this.#connections.delete(socket))
      if (this.directory.speaksGrpc(key)) void this.#distinguish(key, socket, () => http1.call(server, socket))
      else http1.call(server, socket)
    })
    this.#servers.set(key, server)
    server.listen(on as never, listening)
  }

  close(key: SocketKey): void {
    const server = this.#servers.get(key)
    // Not http's own close: it also cuts idle connections, on which the next request may be under way at this moment. They end with its answer.
    if (server) NetServer.prototype.close.call(server)
    this.#servers.delete(key)
  }

  /** Takes no more connections; those that are there end with their next answer. */
  drain(): void {
    this.#draining = true
    for (const key of [...this.#servers.keys()]) this.close(key)
    this.#grpc?.drain()
  }

  /** Ends WebSockets and streams, so that a worker can leave. */
  closeLongLived(): void {
    this.directory.closeLongLived()
  }

  destroy(): void {
    this.drain()
    for (const socket of this.#connections) socket.destroy()
  }

  /** HTTP/2 begins with a preface that is no HTTP/1 request: the first bytes tell, and are put back. */
  async #distinguish(key: SocketKey, socket: Socket, http1: () => void): Promise<void> {
    const timer = setTimeout(() => socket.destroy(), this.#context.limits.headersMs)
    const first = await firstBytes(socket)
    clearTimeout(timer)
    if (first === null) return void socket.destroy() // half of it is still open
    if (socket.destroyed) return
    socket.unshift(first)
    if (!first.subarray(0, 3).equals(PREFACE_START)) {
      http1()
      socket.resume()
      return
    }
    const { GrpcServer } = await import('./grpc.ts')
    this.#grpc ??= new GrpcServer(this.#context)
    this.#grpc.accept(socket, (host, path) => this.#place(key, host, path))
  }

  #place(key: SocketKey, host: string, path: string): Place | null {
    return key === PUBLIC_SOCKET ? this.directory.route(host, path) : this.directory.at(key)
  }

  #carry(key: SocketKey, request: IncomingMessage, response: ServerResponse): void {
    if (this.#refused.has(request.socket)) return
    const head = readHead(request.method as string, request.url as string, request.rawHeaders)
    if ('cause' in head) return this.#refuse(request, response, head.status, head.cause)
    const place = this.#place(key, head.host, head.path)
    if (place === null)
      return this.#refuse(request, response, 404, key === PUBLIC_SOCKET ? `no app has a route for ${head.host}${head.path}` : 'no app listens here any more')
    const peer = request.socket.remoteAddress ?? ''
    const admission = admit(place, head, peer, (name) => headerOf(request, name), this.#context)
    if (admission.added.shadow && !SAFE_METHODS.has(request.method as string)) return this.#withhold(request, response, admission)
    const { shadow } = place.environment
    const copied = shadow !== null && place.hop === 'entry'
    const copy = copied ? shadow.copy(request.method as string, request.rawHeaders, head, place, admission, this.#context) : null
    new Exchange(request, response, head, place, admission, this.#context, copy).start()
  }

  /** What a copy asks for, and what would have an effect, goes nowhere: its original has had it. */
  #withhold(request: IncomingMessage, response: ServerResponse, { added }: Admission): void {
    response.writeHead(202, { 'content-type': 'application/json', 'content-length': 2, 'weir-shadow': '1', 'x-request-id': added.requestId })
    response.end('{}')
    if (!request.complete) discard(request, this.#context.limits.lingerMs)
  }

  #upgrade(key: SocketKey, request: IncomingMessage, socket: Duplex, first: Buffer): void {
    const head = readHead(request.method as string, request.url as string, request.rawHeaders)
    const place = 'cause' in head ? null : this.#place(key, head.host, head.path)
    if ('cause' in head || place === null) {
      socket.end(`HTTP/1.1 ${place === null && !('cause' in head) ? '404 Not Found' : '400 Bad Request'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    const admission = admit(place, head, request.socket.remoteAddress ?? '', (name) => headerOf(request, name), this.#context)
    carryUpgrade({ request, socket: socket as Socket, first, head, place, admission, context: this.#context })
  }

  #refuse(request: IncomingMessage, response: ServerResponse, status: number, cause: string): void {
    const requestId = hexId(16)
    const { type, body } = answerPage({ status, cause, requestId, label: null }, request.headers.accept ?? null)
    // What was refused as a request may be followed by bytes that only look like one.
    const close = status !== 404 || this.#draining
    if (status !== 404) this.#refused.add(request.socket)
    response.writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-request-id': requestId,
      ...(close ? { connection: 'close' } : {}),
    })
    response.end(request.method === 'HEAD' ? undefined : body)
    if (!close && !request.complete) discard(request, this.#context.limits.lingerMs)
  }
}

const PREFACE_START = Buffer.from('PRI')

/** At least the three bytes that tell the protocols apart; null: the connection ended before. */
function firstBytes(socket: Socket): Promise<Buffer | null> {
  return new Promise((resolve) => {
    let held = Buffer.alloc(0)
    const done = (bytes: Buffer | null) => {
      socket.pause()
      socket.removeAllListeners('data').removeAllListeners('end').removeAllListeners('error')
      resolve(bytes)
    }
    socket.on('error', () => done(null))
    socket.on('end', () => done(null))
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      if (held.length >= PREFACE_START.length) done(held)
    })
  })
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name.toLowerCase()]
  return value === undefined ? null : String(value)
}

/** Bytes that are no HTTP request get the status that says so, once, and the connection ends: what follows cannot be trusted. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy())
}
