import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Server as NetServer } from 'node:net'
import type { Accepted, Sender } from '../window/trace-window.ts'
import { exportAnswer, type Format, refusal } from '../wire/answers.ts'
import { otlpFromJson } from '../wire/otlp-json.ts'
import { parseJson } from '../wire/parse-json.ts'
import { otlpFromZipkin } from '../wire/zipkin.ts'
import { MAX_BODY_BYTES, readBody } from './body.ts'
import { GrpcFace } from './grpc.ts'
import { type IntakeCounts, KEY_HEADER, RETRY_AFTER_S, Reception, type ReceptionOptions } from './reception.ts'
import { Refused } from './refused.ts'
import { type Target, targetOf } from './target.ts'

const LINGER_MS = 1000
const CONTENT_TYPE = { protobuf: 'application/x-protobuf', json: 'application/json' } as const

/**
 * OTLP/HTTP and Zipkin: POST /v1/traces, /v1/metrics, /v1/logs, /api/v2/spans, each also behind /k/KEY. Everything that is answered 2xx is
 * in the window, or counted by cause; everything else the sender still has.
 *
 * @example
 * const intake = new Intake({ senderOf: (key) => environmentOf(key), window, onLogs, onMetrics })
 * intake.server().listen(4318, '127.0.0.1')
 */
export class Intake {
  readonly #reception: Reception
  readonly #grpc: GrpcFace
  readonly #servers: Server[] = []

  constructor(options: ReceptionOptions) {
    this.#reception = new Reception(options)
    this.#grpc = new GrpcFace(this.#reception)
  }

  /** A server that is not listening yet; all of them share counts and limits. */
  server(): Server {
    const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 65_000, maxHeaderSize: 16_384 }, (request, response) =>
      this.#take(request, response),
    )
    server.maxConnections = 4000
    this.#servers.push(server)
    return server
  }

  /** The same for OTLP/gRPC. */
  grpcServer(): NetServer {
    return this.#grpc.server()
  }

  counts(): IntakeCounts {
    return this.#reception.counts()
  }

  /** Ends when the requests under way are answered. */
  async close(): Promise<void> {
    this.#reception.close()
    const closed = this.#servers.filter(({ listening }) => listening).map((server) => new Promise((resolve) => server.close(resolve)))
    for (const server of this.#servers) {
      server.closeIdleConnections()
      setTimeout(() => server.closeAllConnections(), LINGER_MS).unref()
    }
    await Promise.all([...closed, this.#grpc.close()])
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    this.#reception.begin()
    const format: Format = contentType(request) === CONTENT_TYPE.json ? 'json' : 'protobuf'
    let sender: Sender | null = null
    try {
      const { target, key } = targetOf(request.url ?? '')
      if (target === null) throw new Refused('path', 'Known are POST /v1/traces, /v1/metrics, /v1/logs and /api/v2/spans.')
      if (request.method !== 'POST') throw new Refused('method', 'Only POST is known here.')
      const header = request.headers[KEY_HEADER]
      sender = this.#reception.senderOf(typeof header === 'string' ? header : key)
      this.#admit(request, response, sender, target, format)
    } catch (error) {
      this.#refuse(response, format, sender, error)
      request.resume()
    }
  }

  #admit(request: IncomingMessage, response: ServerResponse, sender: Sender, target: Target, format: Format): void {
    checkType(request, target)
    const announced = Number(request.headers['content-length'] ?? 0)
    if (announced > MAX_BODY_BYTES) throw new Refused('size', `The body is over ${MAX_BODY_BYTES} bytes.`)
    const room = this.#reception.admit(sender, announced)
    readBody(request, room.upTo, (body) => {
      room.leave()
      if (body === null) return
      try {
        if (body instanceof Refused) throw body
        const plain = this.#reception.unpack(body, request.headers['content-encoding']?.trim().toLowerCase() ?? '')
        this.#answer(response, target, format, this.#reception.take(sender, target === 'zipkin' ? 'traces' : target, otlpOf(target, format, plain)))
      } catch (error) {
        this.#refuse(response, format, sender, error)
      }
    })
  }

  #answer(response: ServerResponse, target: Target, format: Format, { rejected, because }: Accepted): void {
    if (target === 'zipkin') {
      response.writeHead(202, { 'content-length': 0 }).end()
      return
    }
    const body = exportAnswer(target, format, rejected, because)
    response.writeHead(200, { 'content-type': CONTENT_TYPE[format], 'content-length': body.length })
    if (body.length === 0) response.end()
    else response.end(body)
  }

  #refuse(response: ServerResponse, format: Format, sender: Sender | null, error: unknown): void {
    const refused = this.#reception.refuse(sender, error)
    const body = refusal(format, refused.code, refused.message)
    response.writeHead(refused.status, {
      'content-type': CONTENT_TYPE[format],
      'content-length': body.length,
      ...(refused.kind === 'busy' ? { 'retry-after': String(RETRY_AFTER_S) } : {}),
      ...(refused.kind === 'method' ? { allow: 'POST' } : {}),
    })
    response.end(body)
    if (refused.kind === 'size') soonDestroy(response)
  }
}

/** A sender that goes on sending gets a moment to read the answer; cut off at once, it would see a broken connection and nothing else. */
function soonDestroy({ req: request }: ServerResponse): void {
  request.resume()
  const timer = setTimeout(() => request.destroy(), LINGER_MS)
  timer.unref()
  request.once('close', () => clearTimeout(timer))
}

function otlpOf(target: Target, format: Format, body: Uint8Array): Uint8Array {
  if (target === 'zipkin') return otlpFromZipkin(parseJson(body))
  return format === 'json' ? otlpFromJson(target, parseJson(body)) : body
}

function contentType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/** Zipkin's reporters do not all say what they send. */
function checkType(request: IncomingMessage, target: Target): void {
  const type = contentType(request)
  if (target === 'zipkin' ? type === '' || type === CONTENT_TYPE.json : type === CONTENT_TYPE.json || type === CONTENT_TYPE.protobuf) return
  throw new Refused(
    'type',
    `Content-Type ${type === '' ? 'is missing' : `${type} is not known`}: ${target === 'zipkin' ? '' : `${CONTENT_TYPE.protobuf} and `}${CONTENT_TYPE.json} are.`,
  )
}
