import type { EndedSpan } from './spans.ts'

const KINDS = { internal: 1, server: 2, client: 3 } as const
const ERROR = 2
/** Protobuf's wire types. */
const VARINT = 0
const FIXED64 = 1
const BYTES = 2
/** More than a span made of the longest head of a request that is taken; only what is written to takes memory. */
const SCRATCH_BYTES = 512 * 1024

/**
 * Writes one span, or one resource, in OTLP's protobuf (opentelemetry/proto/trace/v1/trace.proto). It is written from its end to its beginning:
 * a message's content stands there already when its length is to be written.
 */
export class SpanEncoder {
  readonly #bytes = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  #at = SCRATCH_BYTES

  /** An entry of `ScopeSpans.spans`, valid until the next call. */
  span(span: EndedSpan): Buffer {
    this.#at = SCRATCH_BYTES
    if (span.failed) {
      this.#number(3, ERROR)
      this.#close(15, SCRATCH_BYTES)
    }
    if (span.client !== null) this.#attribute(9, 'weir.client', span.client)
    if (span.peer !== null) this.#attribute(9, 'peer.service', span.peer)
    this.#attribute(9, 'http.response.status_code', span.status)
    this.#attribute(9, 'http.route', span.route)
    this.#attribute(9, 'http.request.method', span.method)
    this.#nanoseconds(8, span.endMs)
    this.#nanoseconds(7, span.startMs)
    this.#number(6, KINDS[span.kind])
    this.#text(5, span.name)
    if (span.parent !== '') this.#hex(4, span.parent)
    if (span.tracestate !== null) this.#text(3, span.tracestate)
    this.#hex(2, span.id)
    this.#hex(1, span.trace)
    this.#close(2, SCRATCH_BYTES)
    return this.#bytes.subarray(this.#at)
  }

  /** `ResourceSpans.resource` of who made a span, valid until the next call. `weir.environment` is believed only where the gateway alone may write. */
  resource({ environment, service, origin, replica }: EndedSpan): Buffer {
    this.#at = SCRATCH_BYTES
    if (replica !== null) this.#attribute(1, 'service.instance.id', replica)
    if (origin !== 0) this.#attribute(1, 'service.version', `v${origin}`)
    this.#attribute(1, 'service.name', service)
    this.#attribute(1, 'weir.environment', environment)
    this.#close(1, SCRATCH_BYTES)
    return this.#bytes.subarray(this.#at)
  }

  /** What begins a message of so many bytes: its field and its length. Valid until the next call. */
  opening(field: number, length: number): Buffer {
    this.#at = SCRATCH_BYTES
    this.#varint(length)
    this.#tag(field, BYTES)
    return this.#bytes.subarray(this.#at)
  }

  #attribute(field: number, key: string, value: string | number): void {
    const end = this.#at
    if (typeof value === 'string') this.#text(1, value)
    else this.#number(3, value)
    this.#close(2, end)
    this.#text(1, key)
    this.#close(field, end)
  }

  /** The message that ends at `end` begins here. */
  #close(field: number, end: number): void {
    this.#varint(end - this.#at)
    this.#tag(field, BYTES)
  }

  #text(field: number, text: string): void {
    const end = this.#at
    let at = end - text.length
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code > 0x7f) {
        at = end - Buffer.byteLength(text)
        this.#bytes.write(text, at)
        break
      }
      this.#bytes[at + index] = code
    }
    this.#at = at
    this.#close(field, end)
  }

  #hex(field: number, digits: string): void {
    const end = this.#at
    this.#at -= digits.length >>> 1
    this.#bytes.write(digits, this.#at, 'hex')
    this.#close(field, end)
  }

  #number(field: number, value: number): void {
    this.#varint(value)
    this.#tag(field, VARINT)
  }

  /** Milliseconds with a fraction as nanoseconds: more than a double holds, so in two halves, from microseconds. */
  #nanoseconds(field: number, ms: number): void {
    const us = Math.round(ms * 1000)
    const low = (us % 2 ** 32) * 1000
    this.#at -= 8
    this.#bytes.writeUInt32LE(low % 2 ** 32, this.#at)
    this.#bytes.writeUInt32LE(Math.floor(us / 2 ** 32) * 1000 + Math.floor(low / 2 ** 32), this.#at + 4)
    this.#tag(field, FIXED64)
  }

  #tag(field: number, type: number): void {
    this.#bytes[--this.#at] = field * 8 + type // one byte: no field here is over 15
  }

  #varint(value: number): void {
    let size = 1
    for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++
    this.#at -= size
    let rest = value
    for (let index = 0; index < size - 1; index++) {
      this.#bytes[this.#at + index] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#at + size - 1] = rest
  }
}
