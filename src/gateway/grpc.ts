/**
 * HTTP/2 without TLS and with prior knowledge, in and out: what gRPC speaks inside a network. Loaded when the first client
 * speaks it, because node:http2 costs memory that most installations would never use.
 */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type Http2Session,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import { type Admission, admit, noTargetCause } from './admission.ts'
import { chooseTarget, recordFailure, recordSuccess } from './balance.ts'
import type { CarrierContext } from './carrier.ts'
import type { Place } from './directory.ts'
import { upstreamHeaderList } from './forward-headers.ts'
import { type RequestHead, readHead } from './request-head.ts'
import type { LongLived, Target } from './target.ts'

const UNAVAILABLE = 14
const UNIMPLEMENTED = 12
const DEADLINE_EXCEEDED = 4

export type FindPlace = (host: string, path: string) => Place | null

export class GrpcServer {
  readonly #context: CarrierContext
  readonly #sessions = new Set<Http2Session>()
  readonly #upstreams = new Map<string, ClientHttp2Session>()

  constructor(context: CarrierContext) {
    this.#context = context
  }

  /** Serves a connection that began with the preface. */
  accept(socket: Socket, find: FindPlace): void {
    const session = performServerHandshake(socket, { maxHeaderListPairs: 256 })
    this.#sessions.add(session)
    session.on('error', () => {}) // `close` follows
    session.on('close', () => this.#sessions.delete(session))
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => this.#carry(stream, headers, find))
  }

  /** No new streams; those under way end by themselves. */
  drain(): void {
    for (const session of this.#sessions) session.close()
  }

  #carry(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, find: FindPlace): void {
    stream.on('error', () => {}) // `close` follows
    const raw = rawHeaders(headers)
    const head = readHead(headers[':method'] ?? '', headers[':path'] ?? '', raw)
    if ('cause' in head) return refuse(stream, UNIMPLEMENTED, head.cause, [])
    const place = find(head.host, head.path)
    if (place === null) return refuse(stream, UNIMPLEMENTED, `no app has a route for ${head.host}${head.path}`, [])
    const peer = stream.session?.socket?.remoteAddress ?? ''
    const header = (name: string) => (headers[name.toLowerCase()] === undefined ? null : String(headers[name.toLowerCase()]))
    const admission = admit(place, head, peer, header, this.#context)
    // Every call may have an effect, and what its answer would look like only the service knows.
    if (admission.added.shadow) return refuse(stream, UNIMPLEMENTED, 'calls of a shadow release go nowhere', [['weir-shadow', '1']])
    new Call(stream, headers, raw, head, place, admission, this.#context, (target, port) => this.#upstream(target, port)).start()
  }

  #upstream(target: Target, port: number): ClientHttp2Session {
    const key = `${target.id} ${port}`
    const known = this.#upstreams.get(key)
    if (known && !known.closed && !known.destroyed) return known
    const session = connect(`http://${target.address}:${port}`)
    this.#upstreams.set(key, session)
    const forget = () => this.#upstreams.get(key) === session && this.#upstreams.delete(key)
    session.on('error', forget) // its streams say why
    session.on('goaway', forget)
    session.on('close', forget)
    session.unref()
    return session
  }
}

/** One call on its way to a target and back; the next target is tried only when this one could not be connected to. */
class Call implements LongLived {
  readonly #stream: ServerHttp2Stream
  readonly #headers: IncomingHttpHeaders
  readonly #raw: readonly string[]
  readonly #head: RequestHead
  readonly #place: Place
  readonly #admission: Admission
  readonly #context: CarrierContext
  readonly #connect: (target: Target, port: number) => ClientHttp2Session
  readonly #startedAt = performance.now()
  readonly #tried: Target[] = []
  #target: Target | null = null
  #upstream: ClientHttp2Stream | null = null
  #timer: NodeJS.Timeout | null = null
  #bodyBytes = 0
  #answered = false
  #trailers: IncomingHttpHeaders | null = null
  #done = false

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    raw: readonly string[],
    head: RequestHead,
    place: Place,
    admission: Admission,
    context: CarrierContext,
    connectTo: (target: Target, port: number) => ClientHttp2Session,
  ) {
    this.#stream = stream
    this.#headers = headers
    this.#raw = raw
    this.#head = head
    this.#place = place
    this.#admission = admission
    this.#context = context
    this.#connect = connectTo
    stream.on('close', () => {
      if (this.#done) return
      this.#upstream?.close(constants.NGHTTP2_CANCEL)
      this.#finish(200, true, false)
    })
  }

  start(): void {
    const { group } = this.#admission
    const target = chooseTarget(group.targets, this.#tried, performance.now(), this.#context.random)
    const port = target?.port(this.#place.listener.port) ?? null
    if (target === null || port === null) return this.#fail(503, UNAVAILABLE, noTargetCause(this.#place.service.name, group))
    this.#tried.push(target)
    this.#target = target
    target.enter()
    target.hold(this)
    const session = this.#connect(target, port)
    if (!session.connecting) return this.#send(session)
    const failed = (error: Error) => this.#unreachable(error)
    session.once('error', failed)
    session.once('connect', () => {
      session.off('error', failed)
      this.#send(session)
    })
  }

  #send(session: ClientHttp2Session): void {
    if (this.#done) return
    const { timeoutMs, bodyLimit } = this.#place.service
    const upstream = session.request(this.#upstreamHeaders(), { endStream: this.#stream.endAfterHeaders })
    this.#upstream = upstream
    this.#timer = setTimeout(() => {
      upstream.close(constants.NGHTTP2_CANCEL)
      this.#fail(504, DEADLINE_EXCEEDED, `no answer in ${timeoutMs} ms`)
    }, timeoutMs)
    upstream.on('response', (headers, flags) => {
      this.#answered = true
      if (this.#timer) clearTimeout(this.#timer)
      recordSuccess(this.#target as Target)
      const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
      this.#stream.respond({ ...withoutConnection(headers), ...this.#ownHeaders() }, { endStream: ended, waitForTrailers: !ended })
      if (ended) return this.#finishCall(headers)
      this.#stream.on('wantTrailers', () => this.#stream.sendTrailers(this.#trailers ?? {}))
    })
    upstream.on('trailers', (trailers) => {
      this.#trailers = withoutConnection(trailers)
    })
    upstream.on('data', (chunk: Buffer) => {
      if (this.#stream.destroyed) return
      if (this.#stream.write(chunk)) return
      upstream.pause()
      this.#stream.once('drain', () => upstream.resume())
    })
    upstream.on('end', () => {
      if (this.#done || !this.#answered) return
      this.#stream.end()
      this.#finishCall(this.#trailers ?? {})
    })
    upstream.on('error', (error) => {
      if (this.#done) return
      if (this.#answered) {
        this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
        return this.#finish(200, false, true)
      }
      recordFailure(this.#target as Target, false, performance.now())
      this.#fail(502, UNAVAILABLE, error.message)
    })
    if (this.#stream.endAfterHeaders) return
    this.#stream.on('data', (chunk: Buffer) => {
      this.#bodyBytes += chunk.length
      if (this.#bodyBytes > bodyLimit) {
        upstream.close(constants.NGHTTP2_CANCEL)
        return this.#fail(413, 8 /* RESOURCE_EXHAUSTED */, `the request body is over ${bodyLimit} bytes`)
      }
      if (upstream.destroyed || upstream.write(chunk)) return
      this.#stream.pause()
      upstream.once('drain', () => this.#stream.resume())
    })
    this.#stream.on('end', () => upstream.end())
  }

  /** A drained target's call ends with UNAVAILABLE: gRPC clients try again by themselves. */
  closeForDrain(): void {
    if (this.#done) return
    this.#upstream?.close(constants.NGHTTP2_CANCEL)
    if (!this.#answered) return this.#fail(503, UNAVAILABLE, 'the replica was stopped')
    this.#trailers = { 'grpc-status': String(UNAVAILABLE), 'grpc-message': 'the replica was stopped' }
    this.#stream.end()
    this.#finish(200, false, false)
  }

  #unreachable(error: Error): void {
    const target = this.#target as Target
    recordFailure(target, true, performance.now())
    target.letGo(this)
    target.leave()
    this.#target = null
    if (this.#done) return
    if (this.#tried.length < this.#admission.group.targets.length) return this.start()
    this.#fail(502, UNAVAILABLE, error.message)
  }

  #fail(status: number, grpcStatus: number, cause: string): void {
    if (this.#done) return
    if (!this.#answered) refuse(this.#stream, grpcStatus, cause, Object.entries(this.#ownHeaders()))
    this.#finish(status, false, false)
  }

  /** gRPC says in a trailer what HTTP says by its status: those that blame the service count as errors. */
  #finishCall(last: IncomingHttpHeaders): void {
    const code = Number(last['grpc-status'] ?? 0)
    const service = code === 2 || code === 4 || (code >= 12 && code <= 15)
    this.#finish(service ? 500 : code === 0 ? 200 : 400, false, false)
  }

  #finish(status: number, aborted: boolean, broken: boolean): void {
    if (this.#done) return
    this.#done = true
    if (this.#timer) clearTimeout(this.#timer)
    this.#target?.letGo(this)
    this.#target?.leave()
    this.#context.record({
      place: this.#place,
      track: this.#admission.decision.counted,
      origin: this.#admission.group.targets.length > 0 ? this.#admission.group.origin : 0,
      path: this.#head.path,
      status,
      aborted,
      broken,
      html: false,
      latencyMs: performance.now() - this.#startedAt,
      hop: this.#admission.hop,
      method: 'POST',
      replica: this.#answered && this.#target !== null ? this.#target.id : null,
      target: this.#target === null ? null : this.#target.id,
      label: this.#admission.label,
    })
  }

  #upstreamHeaders(): Record<string, string | string[]> {
    const headers: Record<string, string | string[]> = {
      ':method': this.#headers[':method'] ?? 'POST',
      ':path': this.#head.target,
      ':scheme': 'http',
      ':authority': this.#head.authority,
    }
    const list = upstreamHeaderList(this.#head, this.#raw, this.#admission.added)
    for (let at = 0; at < list.length; at += 2) {
      const name = (list[at] as string).toLowerCase()
      if (name === 'host') continue
      const before = headers[name]
      headers[name] = before === undefined ? (list[at + 1] as string) : [before, list[at + 1] as string].flat()
    }
    if (this.#headers['te'] !== undefined) headers['te'] = 'trailers'
    if (this.#head.contentLength !== null) headers['content-length'] = String(this.#head.contentLength)
    return headers
  }

  #ownHeaders(): Record<string, string> {
    const { group, decision, added } = this.#admission
    return { 'x-weir-release': `v${group.origin}`, 'x-weir-track': decision.serve, 'x-request-id': added.requestId }
  }
}

/** An answer of the gateway itself: trailers only, as gRPC clients expect errors. */
function refuse(stream: ServerHttp2Stream, grpcStatus: number, cause: string, own: readonly (readonly [string, string])[]): void {
  if (stream.destroyed || stream.headersSent) return
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(grpcStatus),
      'grpc-message': encodeURIComponent(cause),
      ...Object.fromEntries(own),
    },
    { endStream: true },
  )
  stream.resume()
}

/** As HTTP/1 would have listed them, with `host` for `:authority`, so that one reader serves both. */
function rawHeaders(headers: IncomingHttpHeaders): string[] {
  const raw: string[] = []
  const authority = headers[':authority'] ?? headers['host']
  if (authority !== undefined) raw.push('host', String(authority))
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || name === 'host' || value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) raw.push(name, one)
  }
  return raw
}

function withoutConnection(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _connection, 'x-weir-release': _release, 'x-weir-track': _track, ...rest } = headers
  return rest
}
