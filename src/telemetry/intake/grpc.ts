import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { createServer, type Server, type Socket } from 'node:net'
import type { Accepted, Sender } from '../window/trace-window.ts'
import { exportAnswer, retryLater } from '../wire/answers.ts'
import type { Signal } from '../wire/otlp-json.ts'
import { MAX_BODY_BYTES } from './body.ts'
import { type BodyRoom, KEY_HEADER, RETRY_AFTER_S, type Reception } from './reception.ts'
import { Refused } from './refused.ts'

const SIGNALS: Readonly<Record<string, Signal>> = {
  '/opentelemetry.proto.collector.trace.v1.TraceService/Export': 'traces',
  '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export': 'metrics',
  '/opentelemetry.proto.collector.logs.v1.LogsService/Export': 'logs',
}
const CONTENT_TYPE = 'application/grpc'
const ENCODINGS = 'identity,gzip,deflate'
/** Before each message: whether it is compressed, and its length. */
const PREFIX_BYTES = 5
const REQUEST_MS = 30_000
const IDLE_MS = 300_000
const LINGER_MS = 1000
const MAX_STREAMS = 100
const NO_ERROR = 0
const CANCEL = 8

/**
 * OTLP/gRPC: unary Export of traces, metrics and logs, over HTTP/2 without TLS and with prior knowledge. One message in, one out, is all
 * of gRPC that is needed. node:http2 is loaded when the first client comes: most installations have none.
 */
export class GrpcFace {
  readonly #reception: Reception
  readonly #servers: Server[] = []
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor(reception: Reception) {
    this.#reception = reception
  }

  /** A server that is not listening yet. */
  server(): Server {
    const server = createServer((socket) => {
      socket.on('error', () => {}) // `close` follows
      void this.#greet(socket)
    })
    server.maxConnections = 4000
    this.#servers.push(server)
    return server
  }

  /** Ends when the requests under way are answered. */
  async close(): Promise<void> {
    const closed = this.#servers.filter(({ listening }) => listening).map((server) => new Promise((resolve) => server.close(resolve)))
    for (const session of this.#sessions) session.close()
    setTimeout(() => this.#sessions.forEach((session) => session.destroy()), LINGER_MS).unref()
    await Promise.all(closed)
  }

  async #greet(socket: Socket): Promise<void> {
    const { performServerHandshake } = await import('node:http2')
    if (socket.destroyed) return
    const session = performServerHandshake(socket, { maxHeaderListPairs: 64, settings: { maxConcurrentStreams: MAX_STREAMS } })
    this.#sessions.add(session)
    session.on('error', () => {}) // `close` follows
    session.on('close', () => this.#sessions.delete(session))
    session.setTimeout(IDLE_MS, () => session.close())
    session.on('stream', (stream, headers) => void this.#take(stream, headers))
  }

  async #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    stream.on('error', () => {}) // `close` follows
    const timer = setTimeout(() => stream.close(CANCEL), REQUEST_MS)
    let sender: Sender | null = null
    let room: BodyRoom | null = null
    this.#reception.begin()
    try {
      if (!/^application\/grpc(\+proto)?(;|$)/.test(headers['content-type'] ?? '')) return noGrpc(stream)
      const signal = SIGNALS[headers[':path'] ?? '']
      if (signal === undefined) throw new Refused('path', `Known are ${Object.keys(SIGNALS).join(', ')}.`)
      const key = headers[KEY_HEADER]
      const from = this.#reception.senderOf(typeof key === 'string' ? key : null)
      sender = from
      const frame = await readFrame(stream, (bytes) => {
        room = this.#reception.admit(from, bytes)
      })
      if (frame !== null)
        answer(stream, signal, this.#reception.take(from, signal, this.#reception.unpack(frame.subarray(PREFIX_BYTES), encodingOf(frame, headers))))
    } catch (error) {
      refuse(stream, this.#reception.refuse(sender, error))
    } finally {
      clearTimeout(timer)
      ;(room as BodyRoom | null)?.leave()
    }
  }
}

/** The one message with its prefix; null when the sender went away. Its length is told before it is received. */
async function readFrame(stream: ServerHttp2Stream, announce: (bytes: number) => void): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let size = 0
  let expected: number | null = null
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
      if (expected === null && size >= PREFIX_BYTES) {
        const bytes = Buffer.concat(chunks).readUInt32BE(1)
        if (bytes > MAX_BODY_BYTES) throw new Refused('size', `The message is over ${MAX_BODY_BYTES} bytes.`)
        announce(bytes)
        expected = PREFIX_BYTES + bytes
      }
      if (expected !== null && size > expected) break
    }
  } catch (error) {
    if (error instanceof Refused) throw error
    return null
  }
  if (isGone(stream)) return null
  if (size !== expected) throw new Refused('malformed', 'The body is not one message of gRPC.')
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
}

function encodingOf(frame: Buffer, headers: IncomingHttpHeaders): string {
  if (frame[0] === 0) return ''
  const encoding = headers['grpc-encoding']
  if (frame[0] !== 1 || typeof encoding !== 'string' || encoding === 'identity')
    throw new Refused('malformed', 'The message is compressed, and nothing says how.')
  return encoding
}

function answer(stream: ServerHttp2Stream, signal: Signal, { rejected, because }: Accepted): void {
  if (isGone(stream)) return
  const message = exportAnswer(signal, 'protobuf', rejected, because)
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32BE(message.length, 1)
  stream.respond({ 'content-type': CONTENT_TYPE, 'grpc-accept-encoding': ENCODINGS }, { waitForTrailers: true })
  stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(Buffer.concat([prefix, message]))
}

/** `busy` says when to come again; without that, clients would not send RESOURCE_EXHAUSTED again, nor should they: it is too large for good. */
function refuse(stream: ServerHttp2Stream, { kind, grpcCode, message }: Refused): void {
  end(stream, {
    'content-type': CONTENT_TYPE,
    'grpc-accept-encoding': ENCODINGS,
    'grpc-status': String(grpcCode),
    'grpc-message': encodeURIComponent(message),
    ...(kind === 'busy' ? { 'grpc-status-details-bin': Buffer.from(retryLater(grpcCode, message, RETRY_AFTER_S)).toString('base64') } : {}),
  })
}

function noGrpc(stream: ServerHttp2Stream): void {
  end(stream, { ':status': 415 })
}

/** The rest of the request, if any, is not received. */
function end(stream: ServerHttp2Stream, headers: Record<string, string | number>): void {
  if (isGone(stream)) return
  stream.respond(headers, { endStream: true })
  if (!stream.readableEnded) stream.close(NO_ERROR)
}

function isGone(stream: ServerHttp2Stream): boolean {
  return stream.closed || stream.destroyed || stream.aborted
}
