import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Claims } from '../window/resources.ts'
import { claimsOf } from '../window/resources.ts'
import type { Accepted, Sender, TraceWindow } from '../window/trace-window.ts'
import { exportAnswer, type Format, refusal } from '../wire/answers.ts'
import { type LogRecord, readLogs } from '../wire/logs.ts'
import { type MetricPoint, readMetrics } from '../wire/metrics.ts'
import { MalformedJson, otlpFromJson, type Signal } from '../wire/otlp-json.ts'
import { MalformedProtobuf, ProtobufReader } from '../wire/protobuf-reader.ts'
import type { Maker } from '../wire/records.ts'
import { otlpFromZipkin } from '../wire/zipkin.ts'
import { Admission } from './admission.ts'
import { inflate, MAX_BODY_BYTES, readBody } from './body.ts'
import { Refused } from './refused.ts'
import { type Target, targetOf } from './target.ts'

export interface IntakeOptions {
  /** Whose the request is, by its key; null: nobody's, which is answered 401. */
  senderOf(key: string | null): Sender | null
  /** Of records of a sender that has to say itself whose they are. */
  scopeOf?(claims: Claims, trusted: boolean): number | null
  readonly window: Pick<TraceWindow, 'accept' | 'pressure' | 'shareOf' | 'losses'>
  onLogs(scope: number, records: readonly LogRecord[]): void
  onMetrics(scope: number, points: readonly MetricPoint[]): void
  /** Of what comes after: storage that cannot keep up. */
  overloaded?(): string | null
}

export interface IntakeCounts {
  readonly requests: number
  readonly bytes: number
  readonly logs: number
  readonly points: number
}

/** So long a refused sender waits, in seconds. */
const RETRY_AFTER = '1'
const LINGER_MS = 1000
const KEY_HEADER = 'x-weir-key'
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
  readonly #options: IntakeOptions
  readonly #admission: Admission
  readonly #servers: Server[] = []
  #requests = 0
  #bytes = 0
  #logs = 0
  #points = 0

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#admission = new Admission(options.window)
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

  counts(): IntakeCounts {
    return { requests: this.#requests, bytes: this.#bytes, logs: this.#logs, points: this.#points }
  }

  /** Ends when the requests under way are answered. */
  async close(): Promise<void> {
    this.#admission.close()
    const closed = this.#servers.filter(({ listening }) => listening).map((server) => new Promise((resolve) => server.close(resolve)))
    for (const server of this.#servers) {
      server.closeIdleConnections()
      setTimeout(() => server.closeAllConnections(), LINGER_MS).unref()
    }
    await Promise.all(closed)
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    this.#requests++
    const format: Format = contentType(request) === CONTENT_TYPE.json ? 'json' : 'protobuf'
    let sender: Sender | null = null
    try {
      const { target, key } = targetOf(request.url ?? '')
      if (target === null) throw new Refused('path', 'Known are POST /v1/traces, /v1/metrics, /v1/logs and /api/v2/spans.')
      if (request.method !== 'POST') throw new Refused('method', 'Only POST is known here.')
      const header = request.headers[KEY_HEADER]
      sender = this.#options.senderOf(typeof header === 'string' ? header : key)
      if (sender === null) throw new Refused('key', `The key of the environment is missing or wrong: it belongs into the header ${KEY_HEADER}.`)
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
    const busy = this.#options.overloaded?.() ?? this.#admission.refusal(sender, announced)
    if (busy !== null) throw new Refused('busy', busy)
    this.#admission.enter(sender, announced)
    readBody(request, (body) => {
      this.#admission.leave(sender, announced)
      if (body === null) return
      try {
        if (body instanceof Refused) throw body
        this.#bytes += body.length
        const plain = inflate(body, request.headers['content-encoding']?.trim().toLowerCase() ?? '')
        this.#answer(response, target, format, target === 'zipkin' ? this.#zipkin(sender, plain) : this.#otlp(sender, target, format, plain))
      } catch (error) {
        this.#refuse(response, format, sender, error)
      }
    })
  }

  #zipkin(sender: Sender, body: Uint8Array): Accepted {
    return this.#traces(sender, otlpFromZipkin(parseJson(body)))
  }

  #otlp(sender: Sender, signal: Signal, format: Format, body: Uint8Array): Accepted {
    const request = format === 'json' ? otlpFromJson(signal, parseJson(body)) : body
    if (signal === 'traces') return this.#traces(sender, request)
    const reader = new ProtobufReader(request)
    if (signal === 'logs') {
      const { records, tooMany } = readLogs(reader, request.length)
      this.#logs += records.length
      return this.#share(sender, records, tooMany, (scope, its) => this.#options.onLogs(scope, its))
    }
    const { points, tooMany } = readMetrics(reader, request.length)
    this.#points += points.length
    return this.#share(sender, points, tooMany, (scope, its) => this.#options.onMetrics(scope, its))
  }

  #traces(sender: Sender, request: Uint8Array): Accepted {
    const accepted = this.#options.window.accept(sender, request)
    if (accepted.malformed) throw new MalformedProtobuf('The body is no OTLP.')
    return accepted
  }

  /** Gives the records to the environments that they belong to. */
  #share<T extends { readonly maker: Maker }>(
    sender: Sender,
    records: readonly T[],
    tooMany: number,
    tell: (scope: number, its: readonly T[]) => void,
  ): Accepted {
    const scopes = new Map<Maker, number | null>()
    const byScope = Map.groupBy(records, ({ maker }) => {
      if (typeof sender === 'number') return sender
      if (!scopes.has(maker)) scopes.set(maker, this.#options.scopeOf?.(claimsOf(maker.attributes), sender === 'trusted') ?? null)
      return scopes.get(maker) ?? null
    })
    let homeless = 0
    for (const [scope, its] of byScope) {
      if (scope === null) homeless += its.length
      else tell(scope, its)
    }
    if (homeless > 0) this.#options.window.losses.add(0, 'unknown-scope', homeless)
    const because = [...(tooMany > 0 ? [`${tooMany} over the limit of a request`] : []), ...(homeless > 0 ? [`${homeless} of no app that is known`] : [])]
    return { accepted: records.length - homeless, rejected: tooMany + homeless, because: because.join('; ') || null, malformed: false }
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
    const counted = error instanceof MalformedProtobuf
    const refused = error instanceof Refused ? error : asRefused(error)
    if (refused.countedAs !== null && !counted) this.#options.window.losses.add(typeof sender === 'number' ? sender : 0, refused.countedAs)
    const body = refusal(format, refused.code, refused.message)
    response.writeHead(refused.status, {
      'content-type': CONTENT_TYPE[format],
      'content-length': body.length,
      ...(refused.kind === 'busy' ? { 'retry-after': RETRY_AFTER } : {}),
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

function asRefused(error: unknown): Refused {
  if (error instanceof MalformedProtobuf || error instanceof MalformedJson) return new Refused('malformed', error.message)
  throw error
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString())
  } catch (error) {
    throw new MalformedJson(`The body is no JSON: ${(error as Error).message}`)
  }
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
