import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Admission } from './admission.ts'
import { noTargetCause } from './admission.ts'
import { answerPage } from './answer-page.ts'
import { chooseTarget, recordFailure, recordSuccess } from './balance.ts'
import type { CarrierContext } from './carrier.ts'
import type { Outcome } from './counters.ts'
import type { Place } from './directory.ts'
import { downstreamHeaders, framingOf, upstreamHead } from './forward-headers.ts'
import type { RequestHead } from './request-head.ts'
import type { ResponseHead } from './response-parser.ts'
import type { RequestCopy } from './shadow.ts'
import type { LongLived, Target } from './target.ts'
import type { UpstreamConnection, UpstreamFailure, UpstreamHold, UpstreamUser } from './upstream.ts'

/** A second and a third target, never more: a request that kills replicas must not visit them all. */
const MAX_ATTEMPTS = 3
/** Bodies up to this are cheaper to join to the head than to send beside it. */
const SMALL_BYTES = 16 * 1024
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

/**
 * One request on its way to a target and back. A further target is tried while that cannot be noticed:
 *
 * | what happened                         | body sent | method     | then             |
 * |---------------------------------------|-----------|------------|------------------|
 * | connection refused or timed out       | no        | any        | the next target  |
 * | reset before the first byte of answer | no        | idempotent | the next target  |
 * | reset before the first byte of answer | yes, or   | any other  | 502              |
 * | no first byte in time                 |           | any        | 504              |
 * | reset in the middle of the answer     |           | any        | connection closed |
 */
export class Exchange implements UpstreamUser, LongLived {
  readonly method: string
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #head: RequestHead
  readonly #place: Place
  readonly #admission: Admission
  readonly #context: CarrierContext
  /** null: the request is not copied. */
  readonly #copy: RequestCopy | null
  readonly #startedAt = performance.now()
  readonly #hasBody: boolean
  readonly #tried: Target[] = []
  #target: Target | null = null
  #upstream: UpstreamHold | null = null
  #bodyStarted = false
  #bodySent = false
  #bodyBytes = 0
  #answered = false
  #answerLeft: number | null = null
  #headAfterMs: number | null = null
  #html = false
  #done = false

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    head: RequestHead,
    place: Place,
    admission: Admission,
    context: CarrierContext,
    copy: RequestCopy | null,
  ) {
    this.method = request.method as string
    this.#request = request
    this.#response = response
    this.#head = head
    this.#place = place
    this.#admission = admission
    this.#context = context
    this.#copy = copy
    this.#hasBody = head.chunked || (head.contentLength ?? 0) > 0
    response.on('close', () => this.#clientGone())
  }

  get sent(): boolean {
    return !this.#hasBody || this.#bodySent
  }

  start(): void {
    const limit = this.#place.service.bodyLimit
    if (this.#head.contentLength !== null && this.#head.contentLength > limit) return this.#answer(413, `the request body is over ${limit} bytes`)
    this.#attempt()
  }

  #attempt(): void {
    const { group } = this.#admission
    const target = chooseTarget(group.targets, this.#tried, performance.now(), this.#context.random) ?? this.#tried.at(-1) ?? null
    const port = target?.port(this.#place.listener.port) ?? null
    if (target === null || port === null) return this.#answer(503, noTargetCause(this.#place.service.name, group))
    this.#tried.push(target)
    this.#target = target
    target.enter()
    this.#context.deadlines.set(this, this.#place.service.timeoutMs)
    this.#upstream = target.pool(port).use(this, this.#tried.length > 1)
  }

  // what the upstream connection calls

  onReady(connection: UpstreamConnection): void {
    this.#upstream = connection
    connection.write(upstreamHead(this.method, this.#head, this.#request.rawHeaders, this.#admission.added, framingOf(this.#head)))
    if (this.#hasBody) this.#sendBody(connection)
  }

  onDrain(): void {
    this.#request.resume()
  }

  onHead(head: ResponseHead): void {
    this.#answered = true
    const target = this.#target as Target
    recordSuccess(target)
    const headers = downstreamHeaders(head.headers)
    this.#addOwnHeaders(headers)
    const response = this.#response
    // A client that is still sending must not reuse the connection for its next request.
    if (this.#context.draining() || (this.#hasBody && !this.#request.complete)) headers.push('connection', 'close')
    response.writeHead(head.status, head.reason, headers)
    this.#answerLeft = head.empty ? 0 : head.contentLength
    const type = contentType(head)
    this.#html = type.startsWith('text/html')
    if (type.startsWith('text/event-stream')) {
      target.hold(this)
      this.#headAfterMs = performance.now() - this.#startedAt // a stream's length says nothing of the service's speed
      this.#context.deadlines.clear(this)
      response.flushHeaders()
    } else if (!head.empty) this.#context.deadlines.set(this, this.#context.limits.idleMs)
  }

  onBody(chunk: Buffer): void {
    if (this.#copy !== null) this.#copy.onAnswerBody(chunk)
    const response = this.#response
    if (this.#answerLeft !== null) {
      this.#answerLeft -= chunk.length
      if (this.#answerLeft <= 0) {
        // With the head still unsent, one write of one string; every byte is a letter of latin1, and comes out as it came in.
        if (chunk.length <= SMALL_BYTES) response.end(chunk.toString('latin1'), 'latin1')
        else response.end(Buffer.from(chunk))
        return
      }
    }
    if (response.write(Buffer.from(chunk))) return
    this.#upstream?.pause()
    response.once('drain', () => this.#upstream?.resume())
  }

  onEnd(trailers: readonly string[]): void {
    const response = this.#response
    if (trailers.length > 0) response.addTrailers(pairs(trailers))
    if (!response.writableEnded) response.end()
    this.#finish(response.statusCode, false, false)
  }

  onFailure(failure: UpstreamFailure): void {
    const target = this.#target as Target
    this.#upstream = null
    recordFailure(target, failure.kind === 'connect', performance.now())
    if (this.#answered) return this.#cut()
    target.leave()
    this.#target = null
    if (this.#mayRetry(failure)) return this.#attempt()
    this.#answer(502, `v${this.#admission.group.origin}: ${failure.cause}`)
  }

  // other ends

  onDeadline(): void {
    if (this.#done) return
    const answered = this.#answered
    this.#upstream?.destroy()
    if (answered) return this.#cut()
    if (this.#bodyStarted && !this.#request.complete) return this.#answer(408, 'the request body did not arrive in time')
    if (this.#target !== null) recordFailure(this.#target, false, performance.now())
    this.#answer(504, `v${this.#admission.group.origin}: no answer in ${this.#place.service.timeoutMs} ms`)
  }

  /** An event stream of a drained target ends as if the service had ended it: browsers come back by themselves. */
  closeForDrain(): void {
    if (this.#done) return
    this.#upstream?.destroy()
    this.#response.end()
    this.#finish(this.#response.statusCode, false, false)
  }

  #clientGone(): void {
    if (this.#done) return
    this.#upstream?.destroy()
    this.#finish(this.#response.statusCode, true, false)
  }

  /** The answer broke off in the middle: the client must not take it for whole. */
  #cut(): void {
    const status = this.#response.statusCode
    this.#finish(status, false, true)
    this.#request.socket.destroy()
  }

  #mayRetry(failure: UpstreamFailure): boolean {
    if (this.#bodyStarted || this.#tried.length >= MAX_ATTEMPTS) return false
    if (failure.kind === 'connect') return this.#tried.length < this.#admission.group.targets.length
    return failure.kind === 'reset' && IDEMPOTENT.has(this.method)
  }

  #sendBody(connection: UpstreamConnection): void {
    this.#bodyStarted = true
    const request = this.#request
    const { chunked } = this.#head
    const { bodyLimit, timeoutMs } = this.#place.service
    request.on('data', (chunk: Buffer) => {
      if (this.#done || this.#upstream !== connection) return
      this.#bodyBytes += chunk.length
      if (this.#copy !== null) this.#copy.onRequestBody(chunk)
      if (this.#bodyBytes > bodyLimit) {
        connection.destroy()
        if (this.#answered) this.#cut()
        else this.#answer(413, `the request body is over ${bodyLimit} bytes`)
        return
      }
      if (!this.#answered) this.#context.deadlines.set(this, Math.max(timeoutMs, this.#context.limits.bodyIdleMs))
      if (chunked) connection.write(`${chunk.length.toString(16)}\r\n`)
      const flowing = connection.write(chunk)
      if (chunked) connection.write('\r\n')
      if (!flowing) request.pause()
    })
    request.on('end', () => {
      if (this.#done || this.#upstream !== connection) return
      if (chunked) connection.write('0\r\n\r\n')
      this.#bodySent = true
      if (!this.#answered) this.#context.deadlines.set(this, timeoutMs)
    })
  }

  #answer(status: number, cause: string): void {
    this.#context.deadlines.clear(this)
    const { type, body } = answerPage(
      { status, cause, requestId: this.#admission.added.requestId, label: this.#place.environment.table.label },
      this.#head.accept,
    )
    const headers = ['content-type', type, 'content-length', String(Buffer.byteLength(body)), 'cache-control', 'no-store']
    if (status === 503) headers.push('retry-after', '1')
    if (this.#context.draining()) headers.push('connection', 'close')
    this.#addOwnHeaders(headers)
    this.#response.writeHead(status, headers)
    this.#response.end(this.method === 'HEAD' ? undefined : body)
    if (this.#hasBody && !this.#request.complete) discard(this.#request, this.#context.limits.lingerMs)
    this.#finish(status, false, false)
  }

  #addOwnHeaders(headers: string[]): void {
    const { decision, group, setCookie, added } = this.#admission
    if (group.origin > 0) headers.push('x-weir-release', `v${group.origin}`)
    headers.push('x-weir-track', decision.serve)
    if (!headers.some((name, at) => at % 2 === 0 && name.length === 12 && name.toLowerCase() === 'x-request-id')) headers.push('x-request-id', added.requestId)
    if (setCookie !== null) headers.push('set-cookie', setCookie)
  }

  #finish(status: number, aborted: boolean, broken: boolean): void {
    if (this.#done) return
    this.#done = true
    this.#context.deadlines.clear(this)
    if (this.#target !== null) {
      this.#target.letGo(this)
      this.#target.leave()
    }
    const outcome: Outcome = {
      place: this.#place,
      track: this.#admission.decision.counted,
      origin: this.#admission.group.targets.length > 0 ? this.#admission.group.origin : 0,
      path: this.#head.path,
      status,
      aborted,
      broken,
      html: this.#html,
      latencyMs: this.#headAfterMs ?? performance.now() - this.#startedAt,
      hop: this.#admission.hop,
      method: this.method,
      replica: this.#answered && this.#target !== null ? this.#target.id : null,
      target: this.#target === null ? null : this.#target.id,
      label: this.#admission.label,
    }
    const route = this.#context.record(outcome)
    if (this.#copy !== null) this.#copy.onOriginalEnd(outcome, route, this.sent)
  }
}

/**
 * Reads on for a moment and throws it away: closing with unread bytes would reset the connection, and the client could
 * lose the answer that tells it why.
 */
export function discard(request: IncomingMessage, lingerMs: number): void {
  request.removeAllListeners('data')
  request.resume()
  const timer = setTimeout(() => request.socket.destroy(), lingerMs)
  timer.unref()
  request.on('end', () => clearTimeout(timer))
}

/** Media type in lower case, parameters included; empty when the service gave none. */
function contentType(head: ResponseHead): string {
  for (let at = 0; at < head.headers.length; at += 2) {
    const name = head.headers[at] as string
    if (name.length === 12 && name.toLowerCase() === 'content-type') return (head.headers[at + 1] as string).toLowerCase()
  }
  return ''
}

function pairs(flat: readonly string[]): [string, string][] {
  const result: [string, string][] = []
  for (let at = 0; at < flat.length; at += 2) result.push([flat[at] as string, flat[at + 1] as string])
  return result
}
