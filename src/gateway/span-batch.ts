import { SpanEncoder } from './span-encoder.ts'
import type { EndedSpan } from './spans.ts'

/** Spans that wait to be sent; what does not fit is dropped and counted. */
const MAX_WAITING = 8192
const FIRST_BYTES = 16 * 1024

/** The encoded spans of one replica, or caller, or of the gateway. */
interface Part {
  readonly resource: Buffer
  bytes: Buffer
  length: number
}

/**
 * Spans that wait to be sent, as an ExportTraceServiceRequest with one ResourceSpans for each maker. They are encoded one by one as they end:
 * encoded together, a batch would hold up the requests of that moment.
 *
 * @example
 * batch.add(span)
 * const { spans, body } = batch.take()
 */
export class SpanBatch {
  dropped = 0
  #waiting = 0
  #parts = new Map<string, Part>()
  readonly #encoder = new SpanEncoder()

  get waiting(): number {
    return this.#waiting
  }

  add(span: EndedSpan): void {
    if (this.#waiting >= MAX_WAITING) {
      this.dropped++
      return
    }
    this.#waiting++
    const part = this.#partOf(span)
    const encoded = this.#encoder.span(span)
    const length = part.length + encoded.length
    if (length > part.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(2 * length)
      part.bytes.copy(grown, 0, 0, part.length)
      part.bytes = grown
    }
    part.bytes.set(encoded, part.length)
    part.length = length
  }

  /** What waits; the next batch begins. */
  take(): { readonly spans: number; readonly body: Buffer } {
    const spans = this.#waiting
    const pieces = [...this.#parts.values()].flatMap((part) => this.#piecesOf(part))
    this.#waiting = 0
    this.#parts = new Map()
    return { spans, body: Buffer.concat(pieces) }
  }

  /** `resource_spans { resource, scope_spans { spans … } }` */
  #piecesOf({ resource, bytes, length }: Part): Buffer[] {
    const scope = Buffer.from(this.#encoder.opening(2, length))
    const whole = Buffer.from(this.#encoder.opening(1, resource.length + scope.length + length))
    return [whole, resource, scope, bytes.subarray(0, length)]
  }

  #partOf(span: EndedSpan): Part {
    const maker = `${span.environment} ${span.service} ${span.origin} ${span.replica}`
    let part = this.#parts.get(maker)
    if (!part) {
      part = { resource: Buffer.from(this.#encoder.resource(span)), bytes: Buffer.allocUnsafeSlow(FIRST_BYTES), length: 0 }
      this.#parts.set(maker, part)
    }
    return part
  }
}
