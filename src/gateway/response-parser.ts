/**
 * Reads HTTP/1.x answers off one upstream connection, bytes in, events out; strict where leniency would let an answer be read
 * differently by the client (folded lines, bad lengths, bad chunks).
 *
 * Framing (RFC 9112 §6.3):
 * | status, request            | headers                 | body                              |
 * |----------------------------|-------------------------|-----------------------------------|
 * | 1xx but 101                |                         | none, another head follows        |
 * | 204, 304, or HEAD was sent |                         | none                              |
 * | other                      | Transfer-Encoding chunked | chunks, then trailers             |
 * | other                      | Content-Length n        | n bytes                           |
 * | other                      | neither                 | all until the connection closes   |
 */
export interface ResponseHead {
  readonly status: number
  readonly reason: string
  /** Name, value, name, value, …, as they came. */
  readonly headers: string[]
  readonly contentLength: number | null
  /** The body ends with the connection. */
  readonly untilClose: boolean
  /** No body follows. */
  readonly empty: boolean
  /** The connection may carry another request. */
  readonly keepAlive: boolean
}

export interface ResponseEvents {
  onHead(head: ResponseHead): void
  /** Only valid during the call: copy what is kept. */
  onBody(chunk: Buffer): void
  /** `clean`: no byte followed. What follows answers nothing, least of all the next request. */
  onEnd(trailers: readonly string[], clean: boolean): void
}

type State = 'idle' | 'head' | 'length' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailers' | 'until-close' | 'done'

const MAX_HEAD_BYTES = 64 * 1024
const CR = 13
const LF = 10
const NOTHING = Buffer.alloc(0)

export class ResponseParser {
  #state: State = 'idle'
  #held: Buffer = NOTHING
  #left = 0
  #headRequest = false
  #events: ResponseEvents | null = null
  #trailers: readonly string[] = []

  /** Prepares for the answer to one request. */
  expect(method: string, events: ResponseEvents): void {
    this.#state = 'head'
    this.#headRequest = method === 'HEAD'
    this.#events = events
    this.#held = NOTHING
  }

  get untilClose(): boolean {
    return this.#state === 'until-close'
  }

  /** @throws when the bytes are no answer; the connection is then of no further use. */
  push(bytes: Buffer): void {
    let rest = bytes
    if (this.#held.length > 0) {
      rest = Buffer.concat([this.#held, bytes])
      this.#held = NOTHING
    }
    while (rest.length > 0) {
      const used = this.#step(rest)
      if (used === 0) {
        if (rest.length > MAX_HEAD_BYTES) throw new Error('an answer whose head is over 64 KiB')
        this.#held = Buffer.from(rest) // a copy: the read buffer is used again
        return
      }
      rest = rest.subarray(used)
      if (this.#state === 'done') return this.#tell(rest.length === 0)
    }
  }

  /** The peer closed: the end of a body without length. @throws when it closed in the middle. */
  close(): void {
    if (this.#state !== 'until-close') throw new Error('the service closed the connection in the middle of its answer')
    this.#finish([])
    this.#tell(true)
  }

  /** Consumes a prefix and says how long it was; 0: more is needed. */
  #step(bytes: Buffer): number {
    switch (this.#state) {
      case 'head': {
        const end = bytes.indexOf('\r\n\r\n')
        if (end === -1) return 0
        this.#head(bytes.toString('latin1', 0, end))
        return end + 4
      }
      case 'length':
      case 'chunk-data': {
        const size = Math.min(this.#left, bytes.length)
        this.#left -= size
        this.#events?.onBody(size === bytes.length ? bytes : bytes.subarray(0, size))
        if (this.#left === 0) {
          if (this.#state === 'length') this.#finish([])
          else this.#state = 'chunk-end'
        }
        return size
      }
      case 'until-close':
        this.#events?.onBody(bytes)
        return bytes.length
      case 'chunk-size': {
        const end = bytes.indexOf(LF)
        if (end === -1) return 0
        if (end === 0 || bytes[end - 1] !== CR) throw new Error('an answer with a bad chunk')
        const match = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(bytes.toString('latin1', 0, end - 1))
        if (!match) throw new Error('an answer with a bad chunk size')
        this.#left = Number.parseInt(match[1] as string, 16)
        this.#state = this.#left === 0 ? 'trailers' : 'chunk-data'
        return end + 1
      }
      case 'chunk-end':
        if (bytes.length < 2) return 0
        if (bytes[0] !== CR || bytes[1] !== LF) throw new Error('an answer with a bad chunk')
        this.#state = 'chunk-size'
        return 2
      case 'trailers': {
        if (bytes.length < 2) return 0
        if (bytes[0] === CR && bytes[1] === LF) {
          this.#finish([])
          return 2
        }
        const end = bytes.indexOf('\r\n\r\n')
        if (end === -1) return 0
        this.#finish(fields(bytes.toString('latin1', 0, end).split('\r\n'), 0))
        return end + 4
      }
      case 'idle':
      case 'done':
        throw new Error('bytes that answer nothing')
    }
  }

  #head(text: string): void {
    const lines = text.split('\r\n')
    const start = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: ([^\0]*))?$/.exec(lines[0] as string)
    if (!start) throw new Error('an answer that is not HTTP/1')
    const status = Number(start[2])
    if (status < 200 && status !== 101) return // interim; the head that counts follows
    const headers = fields(lines, 1)
    let contentLength: number | null = null
    let chunked = false
    let close = start[1] === '0'
    for (let at = 0; at < headers.length; at += 2) {
      const name = headers[at] as string
      if (name.length !== 14 && name.length !== 17 && name.length !== 10) continue
      const value = headers[at + 1] as string
      switch (name.toLowerCase()) {
        case 'content-length':
          if (!/^\d{1,15}$/.test(value) || (contentLength !== null && contentLength !== Number(value))) throw new Error('an answer with a bad Content-Length')
          contentLength = Number(value)
          break
        case 'transfer-encoding':
          if (value.toLowerCase() !== 'chunked' || chunked) throw new Error('an answer with a Transfer-Encoding other than chunked')
          chunked = true
          break
        case 'connection': {
          const tokens = value.toLowerCase()
          if (tokens.includes('close')) close = true
          else if (tokens.includes('keep-alive')) close = false
          break
        }
      }
    }
    if (chunked && contentLength !== null) throw new Error('an answer with both Content-Length and Transfer-Encoding')
    const empty = this.#headRequest || status === 101 || status === 204 || status === 304 || contentLength === 0
    const untilClose = !empty && !chunked && contentLength === null
    if (empty) this.#state = 'done'
    else if (chunked) this.#state = 'chunk-size'
    else if (untilClose) this.#state = 'until-close'
    else {
      this.#state = 'length'
      this.#left = contentLength as number
    }
    this.#events?.onHead({ status, reason: start[3] ?? '', headers, contentLength, untilClose, empty, keepAlive: !close && !untilClose })
    if (empty) this.#finish([])
  }

  #finish(trailers: readonly string[]): void {
    this.#state = 'done'
    this.#trailers = trailers
  }

  /** Only when it is known what follows: the connection may be given to another request at once. */
  #tell(clean: boolean): void {
    const events = this.#events
    this.#events = null
    this.#state = 'idle'
    events?.onEnd(this.#trailers, clean)
  }
}

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function fields(lines: readonly string[], from: number): string[] {
  const headers: string[] = []
  for (let at = from; at < lines.length; at++) {
    const line = lines[at] as string
    const colon = line.indexOf(':')
    if (colon < 1) throw new Error('an answer with a bad header line')
    const name = line.slice(0, colon)
    if (!FIELD_NAME.test(name)) throw new Error('an answer with a bad header name')
    const value = line.slice(colon + 1).trim()
    if (value.includes('\n') || value.includes('\r') || value.includes('\0')) throw new Error('an answer with a bad header value')
    headers.push(name, value)
  }
  return headers
}
