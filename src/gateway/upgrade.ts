import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type Admission, noTargetCause } from './admission.ts'
import { chooseTarget, recordFailure, recordSuccess } from './balance.ts'
import type { CarrierContext } from './carrier.ts'
import type { Place } from './directory.ts'
import { downstreamHeaders, upstreamHeaderList } from './forward-headers.ts'
import type { RequestHead } from './request-head.ts'
import type { LongLived, Target } from './target.ts'
import { closeFrame, FrameBorders } from './ws-frames.ts'

export interface UpgradeRequest {
  readonly request: IncomingMessage
  readonly socket: Socket
  /** Bytes that came right behind the head. */
  readonly first: Buffer
  readonly head: RequestHead
  readonly place: Place
  readonly admission: Admission
  readonly context: CarrierContext
}

/** After its close frame a connection gets this long to end by itself. */
const CLOSE_GRACE_MS = 1000

/** Carries a WebSocket handshake to a target; when it agrees, both directions are joined until one ends or the target has drained. */
export function carryUpgrade(it: UpgradeRequest, tried: readonly Target[] = [], startedAt = performance.now()): void {
  const { socket, place, admission, context } = it
  if (tried.length === 0) socket.on('error', () => {}) // `close` follows
  const { group, decision } = admission
  const target = chooseTarget(group.targets, tried, performance.now(), context.random)
  const port = target?.port(place.listener.port) ?? null
  const finish = (status: number, broken: boolean, aborted: boolean) => {
    context.record({
      place,
      track: decision.counted,
      origin: target === null ? 0 : group.origin,
      path: it.head.path,
      status,
      aborted,
      broken,
      html: false,
      latencyMs: performance.now() - startedAt,
      hop: admission.hop,
      method: 'GET',
      replica: target === null || status === 0 || status === 502 ? null : target.id,
      target: target === null ? null : target.id,
      label: admission.label,
    })
  }
  if (target === null || port === null) {
    answer(socket, 503, noTargetCause(place.service.name, group), admission)
    return finish(503, false, false)
  }
  target.enter()
  const upstream = httpRequest({
    host: target.address,
    port,
    method: it.request.method,
    path: it.head.target,
    headers: [...upstreamHeaderList(it.head, it.request.rawHeaders, admission.added), 'connection', 'Upgrade', 'upgrade', 'websocket'] as never,
    setHost: false,
    agent: false,
    timeout: place.service.timeoutMs,
  })
  let settled = false
  const settle = (): boolean => {
    if (settled) return false
    settled = true
    socket.off('close', gone)
    return true
  }
  const gone = () => {
    if (!settle()) return
    upstream.destroy()
    target.leave()
    finish(0, false, true)
  }
  socket.on('close', gone)
  upstream.on('upgrade', (response, up, upFirst) => {
    if (!settle()) return
    recordSuccess(target)
    socket.write(head101(response, admission))
    finish(101, false, false)
    join(socket, up, it.first, upFirst, target)
  })
  upstream.on('response', (response) => {
    if (!settle()) return
    recordSuccess(target)
    socket.write(
      `HTTP/1.1 ${response.statusCode} ${response.statusMessage}\r\n${lines(downstreamHeaders(response.rawHeaders))}${ownLines(admission)}connection: close\r\n\r\n`,
    )
    response.pipe(socket)
    response.on('close', () => {
      socket.end()
      target.leave()
      finish(response.statusCode as number, !response.complete, false)
    })
  })
  upstream.on('timeout', () => upstream.destroy(new Error(`no answer in ${place.service.timeoutMs} ms`)))
  upstream.on('error', (error: NodeJS.ErrnoException) => {
    if (!settle()) return
    const refused = error.syscall === 'connect'
    recordFailure(target, refused, performance.now())
    target.leave()
    if (refused && tried.length + 1 < group.targets.length) return carryUpgrade(it, [...tried, target], startedAt)
    answer(socket, 502, `v${group.origin}: ${error.message}`, admission)
    finish(502, false, false)
  })
  upstream.end()
}

/** Copies both ways. A drained target's WebSocket ends with close 1012 to both sides, between frames. */
function join(client: Socket, service: Socket, clientFirst: Buffer, serviceFirst: Buffer, target: Target): void {
  const toClient = new Direction(client, service, false)
  const toService = new Direction(service, client, true)
  const held: LongLived = {
    closeForDrain() {
      toClient.close()
      toService.close()
      setTimeout(() => {
        client.destroy()
        service.destroy()
      }, CLOSE_GRACE_MS).unref()
    },
  }
  target.hold(held)
  for (const socket of [client, service]) {
    socket.setTimeout(0)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
  }
  let open = true
  const over = () => {
    if (!open) return
    open = false
    target.letGo(held)
    target.leave()
    client.destroySoon()
    service.destroySoon()
  }
  client.on('close', over)
  service.on('close', over)
  service.on('error', () => {}) // `close` follows
  toService.carry(clientFirst)
  toClient.carry(serviceFirst)
}

/** One direction of a WebSocket. */
class Direction {
  readonly #to: Socket
  readonly #from: Socket
  readonly #masked: boolean
  readonly #borders = new FrameBorders()
  #closing = false

  constructor(to: Socket, from: Socket, masked: boolean) {
    this.#to = to
    this.#from = from
    this.#masked = masked
    from.on('data', (chunk: Buffer) => this.carry(chunk))
    from.on('end', () => to.end())
    to.on('drain', () => from.resume())
  }

  carry(chunk: Buffer): void {
    if (chunk.length === 0 || this.#to.writableEnded) return
    if (this.#closing) {
      this.#to.write(chunk.subarray(0, this.#borders.finishFrame(chunk)))
      if (this.#borders.atBorder) this.#to.end(closeFrame(this.#masked))
      return
    }
    this.#borders.push(chunk)
    if (!this.#to.write(chunk)) this.#from.pause()
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
    if (this.#borders.atBorder && !this.#to.writableEnded) this.#to.end(closeFrame(this.#masked))
  }
}

function head101(response: IncomingMessage, admission: Admission): string {
  return `HTTP/1.1 101 Switching Protocols\r\n${lines(downstreamHeaders(response.rawHeaders))}${ownLines(admission)}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`
}

function ownLines({ decision, group, setCookie, added }: Admission): string {
  return `x-weir-release: v${group.origin}\r\nx-weir-track: ${decision.serve}\r\nx-request-id: ${added.requestId}\r\n${setCookie === null ? '' : `set-cookie: ${setCookie}\r\n`}`
}

function lines(headers: readonly string[]): string {
  let text = ''
  for (let at = 0; at < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`
  return text
}

function answer(socket: Socket, status: number, cause: string, admission: Admission): void {
  const body = `${cause}\nrequest ${admission.added.requestId}\n`
  socket.end(
    `HTTP/1.1 ${status} ${status === 503 ? 'Service Unavailable' : 'Bad Gateway'}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${ownLines(admission)}connection: close\r\n\r\n${body}`,
  )
}
