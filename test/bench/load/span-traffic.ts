import { gzipSync } from 'node:zlib'
import { ProtobufWriter } from '../../../src/telemetry/wire/protobuf-writer.ts'

/** A shop: 19 spans a trace in six services, each with ten attributes, as instrumentation of HTTP and databases gives them. */
interface Shape {
  readonly service: string
  readonly name: string
  /** OTLP's number: 1 internal, 2 server, 3 client. */
  readonly kind: 1 | 2 | 3
  /** Place in the list; −1: the root. */
  readonly parent: number
  readonly startMs: number
  readonly durationMs: number
  readonly peer?: readonly [key: string, value: string]
}

const POSTGRES = ['db.system.name', 'postgresql'] as const
export const SHAPES: readonly Shape[] = [
  { service: 'web', name: 'GET /checkout', kind: 2, parent: -1, startMs: 0, durationMs: 90 },
  { service: 'web', name: 'POST', kind: 3, parent: 0, startMs: 2, durationMs: 86 },
  { service: 'api', name: 'POST /orders', kind: 2, parent: 1, startMs: 3, durationMs: 84 },
  { service: 'api', name: 'authorise', kind: 1, parent: 2, startMs: 4, durationMs: 3 },
  { service: 'api', name: 'validate', kind: 1, parent: 2, startMs: 7, durationMs: 2 },
  { service: 'api', name: 'render', kind: 1, parent: 2, startMs: 80, durationMs: 6 },
  { service: 'api', name: 'GET', kind: 3, parent: 2, startMs: 10, durationMs: 20 },
  { service: 'api', name: 'GET', kind: 3, parent: 2, startMs: 10, durationMs: 35 },
  { service: 'api', name: 'GET', kind: 3, parent: 2, startMs: 46, durationMs: 12 },
  { service: 'api', name: 'GET', kind: 3, parent: 2, startMs: 58, durationMs: 20 },
  { service: 'cart', name: 'GET /carts/:id', kind: 2, parent: 6, startMs: 11, durationMs: 18 },
  { service: 'cart', name: 'SELECT carts', kind: 3, parent: 10, startMs: 12, durationMs: 15, peer: POSTGRES },
  { service: 'pricing', name: 'GET /prices', kind: 2, parent: 7, startMs: 11, durationMs: 33 },
  { service: 'pricing', name: 'GET', kind: 3, parent: 12, startMs: 12, durationMs: 2, peer: ['db.system.name', 'redis'] },
  { service: 'users', name: 'GET /users/:id', kind: 2, parent: 8, startMs: 47, durationMs: 10 },
  { service: 'users', name: 'SELECT users', kind: 3, parent: 14, startMs: 48, durationMs: 8, peer: POSTGRES },
  { service: 'catalog', name: 'GET /items', kind: 2, parent: 9, startMs: 59, durationMs: 18 },
  { service: 'catalog', name: 'rank', kind: 1, parent: 16, startMs: 70, durationMs: 5 },
  { service: 'catalog', name: 'SELECT items', kind: 3, parent: 16, startMs: 60, durationMs: 9, peer: POSTGRES },
]

/** What an SDK's batch processor sends at once. */
const BATCH = 512
/** Traces that are on their way at once: their spans come mixed. */
const ROUND = 512

export interface Body {
  readonly gzip: Uint8Array
  readonly spans: number
  readonly bytes: number
}

/**
 * Requests as services send them: 512 spans of one service each, gzip. Spans of a trace are spread over the services' requests of a round.
 *
 * @example for (const { gzip } of spanTraffic({ traces: 70_000, startMs: Date.now(), seed: 1 })) await post(gzip)
 */
export function* spanTraffic({ traces, startMs, seed }: { traces: number; startMs: number; seed: number }): Generator<Body> {
  const services = [...new Set(SHAPES.map(({ service }) => service))]
  const chance = chanceFrom(seed)
  for (let first = 0; first < traces; first += ROUND) {
    const ids = Array.from({ length: Math.min(ROUND, traces - first) }, () => bytesOf(chance, 16))
    const spanIds = ids.map(() => SHAPES.map(() => bytesOf(chance, 8)))
    const waiting = services.map((service) => batchesOf(service, ids, spanIds, startMs, chance))
    while (waiting.some(({ length }) => length > 0))
      for (const batches of waiting) {
        const batch = batches.shift()
        if (batch) yield batch
      }
  }
}

function batchesOf(service: string, ids: readonly Uint8Array[], spanIds: readonly (readonly Uint8Array[])[], startMs: number, chance: () => number): Body[] {
  const own = SHAPES.flatMap(({ service: its }, at) => (its === service ? [at] : []))
  const bodies: Body[] = []
  const all = ids.flatMap((trace, n) => own.map((at) => ({ trace, at, id: spanIds[n]?.[at] as Uint8Array, parent: spanIds[n]?.[SHAPES[at]?.parent ?? -1] })))
  for (let from = 0; from < all.length; from += BATCH) {
    const batch = all.slice(from, from + BATCH)
    const bytes = requestOf(
      service,
      batch.map(({ trace, at, id, parent }) => (templates[at] as SpanTemplate).fill(trace, id, parent, startMs, chance)),
    )
    bodies.push({ gzip: gzipSync(bytes), spans: batch.length, bytes: bytes.length })
  }
  return bodies
}

function requestOf(service: string, spans: readonly Uint8Array[]): Uint8Array {
  const writer = new ProtobufWriter(512 * 1024)
  writer.message(1, () => {
    writer.message(1, () => {
      attribute(writer, 1, 'service.name', service)
      attribute(writer, 1, 'service.instance.id', `${service}-1`)
      attribute(writer, 1, 'service.version', 'v12')
      attribute(writer, 1, 'telemetry.sdk.language', 'nodejs')
    })
    writer.message(2, () => {
      writer.message(1, () => writer.text(1, '@opentelemetry/instrumentation-http'))
      for (const span of spans) writer.bytes(2, span)
    })
  })
  return writer.finish()
}

const MARK = {
  trace: new Uint8Array(16).fill(0xa1),
  id: new Uint8Array(8).fill(0xb2),
  parent: new Uint8Array(8).fill(0xc3),
  start: 0x5d5d5d5d5d5d5d5dn,
  end: 0x6e6e6e6e6e6e6e6en,
}
const USER = '999999'

/** The bytes of one span of a shape; what differs from trace to trace is written into them, which is many times as fast as writing them anew. */
class SpanTemplate {
  readonly #bytes: Buffer
  readonly #shape: Shape
  readonly #at: { trace: number; id: number; parent: number; start: number; end: number; users: number[] }

  constructor(shape: Shape) {
    this.#shape = shape
    const bytes = Buffer.from(spanBytes(shape))
    this.#bytes = bytes
    const users: number[] = []
    for (let at = bytes.indexOf(USER); at !== -1; at = bytes.indexOf(USER, at + 1)) users.push(at)
    this.#at = {
      trace: bytes.indexOf(MARK.trace),
      id: bytes.indexOf(MARK.id),
      parent: bytes.indexOf(MARK.parent),
      start: bytes.indexOf(fixed64(MARK.start)),
      end: bytes.indexOf(fixed64(MARK.end)),
      users,
    }
  }

  fill(trace: Uint8Array, id: Uint8Array, parent: Uint8Array | undefined, startMs: number, chance: () => number): Uint8Array {
    const bytes = Buffer.from(this.#bytes)
    const start = BigInt(Math.round((startMs + this.#shape.startMs) * 1e3)) * 1000n
    const user = String(Math.floor(chance() * 1e6)).padStart(USER.length, '0')
    bytes.set(trace, this.#at.trace)
    bytes.set(id, this.#at.id)
    if (parent) bytes.set(parent, this.#at.parent)
    bytes.writeBigUInt64LE(start, this.#at.start)
    bytes.writeBigUInt64LE(start + BigInt(Math.round(this.#shape.durationMs * (0.9 + 0.2 * chance()) * 1e6)), this.#at.end)
    for (const at of this.#at.users) bytes.write(user, at, 'latin1')
    return bytes
  }
}

function spanBytes(shape: Shape): Uint8Array {
  const writer = new ProtobufWriter()
  writer.bytes(1, MARK.trace)
  writer.bytes(2, MARK.id)
  if (shape.parent !== -1) writer.bytes(4, MARK.parent)
  writer.text(5, shape.name)
  writer.varint(6, shape.kind)
  writer.fixed64(7, MARK.start)
  writer.fixed64(8, MARK.end)
  attribute(writer, 9, 'http.request.method', 'GET')
  attribute(writer, 9, 'url.full', `http://shop.internal:8080/api/v1/${shape.service}/items/${USER}`)
  attribute(writer, 9, 'url.scheme', 'http')
  attribute(writer, 9, 'server.address', `${shape.service}.internal`)
  attribute(writer, 9, 'network.peer.address', '10.42.7.19')
  attribute(writer, 9, 'user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36')
  attribute(writer, 9, 'http.response.status_code', '200')
  attribute(writer, 9, 'thread.name', 'worker-4')
  attribute(writer, 9, 'enduser.id', `user-${USER}`)
  attribute(writer, 9, ...(shape.peer ?? (['http.route', '/api/v1/items/:id'] as const)))
  writer.message(15, () => {})
  return writer.finish()
}

function attribute(writer: ProtobufWriter, field: number, key: string, value: string): void {
  writer.message(field, () => {
    writer.text(1, key)
    writer.message(2, () => writer.text(1, value))
  })
}

function fixed64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

function bytesOf(chance: () => number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(Math.floor(chance() * 2 ** 32), at)
  return bytes
}

/** Mulberry32: the same numbers from the same seed. */
export function chanceFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const templates = SHAPES.map((shape) => new SpanTemplate(shape))
