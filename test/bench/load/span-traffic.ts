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
  const chance = generator(seed)
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
  const writer = new ProtobufWriter(512 * 1024)
  const own = SHAPES.flatMap((shape, at) => (shape.service === service ? [{ shape, at }] : []))
  const spans = ids.flatMap((trace, n) =>
    own.map(({ shape, at }) => ({ trace, shape, id: spanIds[n]?.[at] as Uint8Array, parent: spanIds[n]?.[shape.parent] })),
  )
  const bodies: Body[] = []
  for (let from = 0; from < spans.length; from += BATCH) {
    const batch = spans.slice(from, from + BATCH)
    writer.message(1, () => {
      writer.message(1, () => {
        attribute(writer, 1, 'service.name', service)
        attribute(writer, 1, 'service.instance.id', `${service}-1`)
        attribute(writer, 1, 'service.version', 'v12')
        attribute(writer, 1, 'telemetry.sdk.language', 'nodejs')
      })
      writer.message(2, () => {
        writer.message(1, () => writer.text(1, '@opentelemetry/instrumentation-http'))
        for (const { trace, shape, id, parent } of batch) writeSpan(writer, trace, id, parent, shape, startMs, chance)
      })
    })
    const bytes = writer.finish()
    bodies.push({ gzip: gzipSync(bytes), spans: batch.length, bytes: bytes.length })
  }
  return bodies
}

function writeSpan(
  writer: ProtobufWriter,
  trace: Uint8Array,
  id: Uint8Array,
  parent: Uint8Array | undefined,
  shape: Shape,
  startMs: number,
  chance: () => number,
): void {
  const start = BigInt(Math.round((startMs + shape.startMs) * 1e3)) * 1000n
  const user = Math.floor(chance() * 1e6)
  writer.message(2, () => {
    writer.bytes(1, trace)
    writer.bytes(2, id)
    if (parent) writer.bytes(4, parent)
    writer.text(5, shape.name)
    writer.varint(6, shape.kind)
    writer.fixed64(7, start)
    writer.fixed64(8, start + BigInt(Math.round(shape.durationMs * (0.9 + 0.2 * chance()) * 1e6)))
    attribute(writer, 9, 'http.request.method', 'GET')
    attribute(writer, 9, 'url.full', `http://shop.internal:8080/api/v1/${shape.service}/items/${user}`)
    attribute(writer, 9, 'url.scheme', 'http')
    attribute(writer, 9, 'server.address', `${shape.service}.internal`)
    attribute(writer, 9, 'network.peer.address', '10.42.7.19')
    attribute(writer, 9, 'user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36')
    attribute(writer, 9, 'http.response.status_code', '200')
    attribute(writer, 9, 'thread.name', `worker-${user % 8}`)
    attribute(writer, 9, 'enduser.id', `user-${user}`)
    attribute(writer, 9, ...(shape.peer ?? (['http.route', '/api/v1/items/:id'] as const)))
    writer.message(15, () => {})
  })
}

function attribute(writer: ProtobufWriter, field: number, key: string, value: string): void {
  writer.message(field, () => {
    writer.text(1, key)
    writer.message(2, () => writer.text(1, value))
  })
}

function bytesOf(chance: () => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(chance() * 256))
}

/** Mulberry32. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
