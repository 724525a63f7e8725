import { chmodSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WeirError } from '../errors.ts'
import { apiApp } from './app.ts'
import { type ApiContext, contextOf } from './context.ts'
import type { ApiOptions } from './options.ts'
import type { ApiPorts } from './ports.ts'
import { problemFor } from './problem.ts'

export interface Api {
  /** Opens the listeners; answers the TCP port, null without one. */
  listen(): Promise<{ readonly port: number | null }>
  /** Ends streams and listeners; requests under way may finish for a moment. */
  close(): Promise<void>
}

/**
 * The public API: on the unix socket for the local admin, on TCP for tokens.
 *
 * @example
 * const api = await createApi(ports, { ...options, socketPath: paths.serverSocket, listen: { host: '127.0.0.1', port: 7700 } })
 * await api.listen()
 */
export async function createApi(ports: ApiPorts, options: ApiOptions): Promise<Api> {
  const context = contextOf(ports, options)
  const app = await apiApp(context)
  await app.ready()
  const servers: Server[] = []
  return {
    async listen() {
      if (options.socketPath !== null) {
        const server = serverFor(context, app.routing)
        server.prependListener('connection', (socket) => context.local.add(socket))
        servers.push(server)
        rmSync(options.socketPath, { force: true })
        const before = process.umask(0o177) // never open to others, not even between bind and chmod
        try {
          await listening(server, options.socketPath)
        } finally {
          process.umask(before)
        }
        chmodSync(options.socketPath, 0o600)
      }
      if (options.listen === null) return { port: null }
      const server = serverFor(context, app.routing)
      servers.push(server)
      await listening(server, options.listen)
      return { port: (server.address() as AddressInfo).port }
    },
    async close() {
      context.closing.abort()
      await Promise.all(servers.map(closed))
      await app.close()
    },
  }
}

type Routing = (request: IncomingMessage, response: ServerResponse) => void

function serverFor(context: ApiContext, routing: Routing): Server {
  const { limits } = context.options
  const server = createServer(
    { maxHeaderSize: limits.headerBytes, headersTimeout: HEADERS_MS, requestTimeout: UPLOAD_MS, keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true },
    routing,
  )
  server.maxConnections = limits.connections
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => routeUpgrade(context, routing, request, socket, head))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => refuse(context, error, socket))
  return server
}

const HEADERS_MS = 10_000
const KEEP_ALIVE_MS = 65_000
/** The longest that any request may take to come in; requests that are no uploads have `limits.requestMs`. */
const UPLOAD_MS = 30 * 60 * 1000

/** An upgrade takes the same way as any request, policy included; only a route that wants the connection accepts it. */
function routeUpgrade(context: ApiContext, routing: Routing, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket as never)
  response.on('finish', () => socket.end())
  socket.on('error', () => socket.destroy())
  context.upgrades.set(request, {
    protocol: String(request.headers.upgrade),
    accept() {
      response.detachSocket(socket as never)
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`)
      return { socket, head }
    },
  })
  routing(request, response)
}

/** What is not HTTP, or too much of it, never reaches a route. */
function refuse(context: ApiContext, error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const weirError = tooLarge
    ? new WeirError('E_TOO_LARGE', { message: 'the head of the request is too large', cause: `over ${context.options.limits.headerBytes} bytes` })
    : new WeirError('E_USAGE', { message: 'the request is not well-formed HTTP', cause: error.code ?? 'it cannot be parsed' })
  const status = tooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'
  const body = JSON.stringify({ ...problemFor(weirError, 'a request', context.ports.random(8)), status: Number(status.slice(0, 3)) })
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

function listening(server: Server, at: string | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error)
      const place = typeof at === 'string' ? at : `${at.host}:${at.port}`
      reject(
        new WeirError(
          'E_PORT_IN_USE',
          { message: `${place} is in use`, cause: 'another program listens there', next: 'set WEIR_API_LISTEN to a free address' },
          { cause: error },
        ),
      )
    })
    server.listen(typeof at === 'string' ? { path: at } : at, resolve)
  })
}

/** Streams end at once with `closing`; what still holds on after a second is cut. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), CLOSE_MS).unref()
  })
}

const CLOSE_MS = 1000
