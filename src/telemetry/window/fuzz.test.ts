import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { describe, it } from 'node:test'
import { readLogs } from '../wire/logs.ts'
import { readMetrics } from '../wire/metrics.ts'
import { MalformedJson, otlpFromJson } from '../wire/otlp-json.ts'
import { MalformedProtobuf, ProtobufReader } from '../wire/protobuf-reader.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import { countItems } from '../wire/span-reader.ts'
import { otlpFromZipkin } from '../wire/zipkin.ts'
import { NOWHERE } from './span-ring.ts'
import { requestOf, spanId, type TestSpan, testWindow, traceId } from './testing.ts'
import { STATE } from './trace-table.ts'
import type { TraceWindow } from './trace-window.ts'

/** The long form: `WEIR_FUZZ_INPUTS=3000000`. */
const INPUTS = Number(process.env['WEIR_FUZZ_INPUTS'] ?? 6000)
const SEED = Number(process.env['WEIR_FUZZ_SEED'] ?? randomInt(2 ** 31))

const SPANS: readonly TestSpan[] = Array.from({ length: 12 }, (_, n) => ({
  trace: traceId((n % 4) + 1),
  id: spanId(n + 1),
  parent: spanId(n),
  kind: (['server', 'client', 'internal', 'producer', 'consumer'] as const)[n % 5] ?? 'server',
  service: ['web', 'api'][n % 2] ?? '',
  operation: `GET /users/${n}`,
  startMs: n,
  attributes: { 'peer.service': 'api', 'db.system': 'redis', 'server.address': 'x', 'server.port': 80, ok: true },
}))
const value = { kvlistValue: { values: [{ key: 'a', value: { arrayValue: { values: [{ doubleValue: 1.5 }, { intValue: '-7' }, { bytesValue: 'AAAA' }] } } }] } }
const SAMPLES: readonly Uint8Array[] = [
  requestOf(SPANS),
  requestOf(SPANS.slice(0, 1), { 'service.namespace': 'shop' }),
  otlpFromJson('logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: value, traceId: traceId(1), attributes: [{ key: 'k', value }] }] }] }] }),
  otlpFromJson('metrics', {
    resourceMetrics: [
      {
        scopeMetrics: [
          {
            metrics: [
              { name: 'a', sum: { dataPoints: [{ asInt: '5' }], isMonotonic: true } },
              { name: 'b', histogram: { dataPoints: [{ count: '3', bucketCounts: ['1', '2'], explicitBounds: [0.5], sum: 1 }] } },
            ],
          },
        ],
      },
    ],
  }),
]
/** Bytes that hurt: long varints, lengths beyond the end, groups, tags that there are not. */
const HOSTILE = [
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
  [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x0b, 0x0b, 0x0b, 0x0b],
  [0x0c],
  [0x00],
  [0x06, 0x07],
  [0x0a, 0x00],
  [0x0a],
]

describe(`telemetry, with hostile input (WEIR_FUZZ_SEED=${SEED})`, () => {
  it(`takes or refuses any bytes as protobuf, and stays in order (${INPUTS} inputs)`, () => {
    const chance = generator(SEED)
    const { window, pass } = testWindow({ maxSpans: 256, rawBytes: 16_384, maxSpansPerTrace: 40 })
    for (let n = 0; n < INPUTS; n++) {
      const input = mutated(chance)
      window.accept(1 + (n % 3), input)
      survives(() => readLogs(new ProtobufReader(input), input.length))
      survives(() => readMetrics(new ProtobufReader(input), input.length))
      survives(() => countItems(new ProtobufReader(input), input.length))
      if (n % 7 === 0) pass(100)
      if (n % 1000 === 0) checkOrder(window)
    }
    checkOrder(window)
    pass(40_000)
    checkOrder(window)
    assert.equal(window.health().openTraces, 0)
    assert.equal(window.health().pressure, 0)
  })

  it('takes or refuses any JSON', () => {
    const chance = generator(SEED)
    const text = JSON.stringify([
      { traceId: traceId(1), id: spanId(1), kind: 'SERVER', timestamp: 5, localEndpoint: { serviceName: 'x' }, tags: { error: 'no' } },
    ])
    const odd = [null, -1, 1e300, '', 'x', [], {}, [[]], true, '18446744073709551616', '__proto__']
    for (let n = 0; n < INPUTS / 4; n++) {
      const json = JSON.parse(text, (_, it: unknown) => (chance() < 0.1 ? odd[Math.floor(chance() * odd.length)] : it)) as unknown
      survives(() => otlpFromZipkin(json))
      survives(() => otlpFromJson('traces', { resourceSpans: json }))
      survives(() => otlpFromJson('traces', json))
    }
  })

  it('bears a span of a million attributes', () => {
    const { window } = testWindow({ rawBytes: 2 ** 27 })
    const writer = new ProtobufWriter(2 ** 26)
    const attributes = (field: number) => {
      for (let n = 0; n < 10 ** 6; n++) writer.bytes(field, ATTRIBUTE)
      writer.bytes(field, PEER)
    }
    writer.message(1, () => {
      writer.message(1, () => attributes(1))
      writer.message(2, () => writer.message(2, () => spanOf(writer, 1, () => attributes(9))))
    })
    const request = writer.finish()
    const begun = performance.now()
    assert.equal(window.accept(1, request).accepted, 1)
    assert.ok(performance.now() - begun < 2000)
    assert.equal(window.columns.peer[0], 0, 'nobody looks through a million attributes for a peer')
  })

  it('bears a trace of a million spans in the memory that it has, and counts what it did not take', () => {
    const { window, told, pass } = testWindow({ maxSpans: 2 ** 18, rawBytes: 2 ** 24 })
    const before = window.health().bytes
    const writer = new ProtobufWriter(2 ** 20)
    const batch = (from: number) => {
      writer.message(1, () => writer.message(2, () => Array.from({ length: 10_000 }, (_, n) => writer.message(2, () => spanOf(writer, from + n + 1)))))
      return writer.finish()
    }
    let rejected = 0
    for (let n = 0; n < 5; n++) rejected += window.accept(1, batch(10_000 * n)).rejected
    const more = batch(50_000)
    for (let n = 5; n < 100; n++) rejected += window.accept(1, more).rejected
    assert.equal(rejected, 950_000)
    assert.equal(window.losses.of(1, 'trace-too-large'), 950_000)
    assert.equal(window.health().bytes, before)
    const begun = performance.now()
    pass(3000)
    assert.ok(performance.now() - begun < 5000)
    assert.deepEqual([told.length, told[0]?.operations.length], [1, 50_000])
  })

  it('bears cycles, orphans, spans that are their own parents, and clocks hours apart', () => {
    const { window, told, pass } = testWindow()
    const at = (id: number, parent: number, startMs: number): TestSpan => ({
      trace: traceId(1),
      id: spanId(id),
      parent: spanId(parent),
      kind: 'server',
      startMs,
    })
    window.accept(1, requestOf([at(1, 2, 0), at(2, 3, 0), at(3, 1, 0), at(4, 4, 0), at(5, 99, 7.2e6), at(6, 5, -7.2e6)]))
    pass(3000)
    assert.equal(told[0]?.operations.length, 6)
    checkOrder(window)
  })

  it('has memory bounded by its options whatever names come', () => {
    const { window } = testWindow({ maxSpans: 1024 })
    const before = window.health().bytes
    for (let n = 0; n < 300; n++) {
      const spans = Array.from(
        { length: 100 },
        (_, at): TestSpan => ({
          trace: traceId(n + 1),
          id: spanId(at + 1),
          kind: 'client',
          operation: `op ${n}x${at} ${'y'.repeat(300)}`,
          peer: `p${n}x${at}`,
        }),
      )
      window.accept(1 + (n % 5), requestOf(spans, { 'service.instance.id': `i${n}`, 'service.version': `v${n}` }))
    }
    const { bytes, capped } = window.health()
    assert.ok(bytes - before < 8 * 2 ** 20, `${bytes - before} bytes more`)
    assert.deepEqual(new Set(capped.map(({ label }) => label)), new Set(['operation', 'peer']))
  })
})

const text = new TextEncoder()
/** KeyValues: key, then a value of one text. */
const ATTRIBUTE = text.encode('\n\x01k\x12\x03\n\x01v')
const PEER = text.encode('\n\x0cpeer.service\x12\x06\n\x04late')

/** A client of one trace, the child of its first span. */
function spanOf(writer: ProtobufWriter, n: number, attributes = () => {}): void {
  const id = Buffer.alloc(8)
  id.writeUInt32BE(n, 4)
  writer.bytes(1, Buffer.alloc(16, 7))
  writer.bytes(2, id)
  if (n > 1) writer.bytes(4, Buffer.from(spanId(1), 'hex'))
  writer.varint(6, 3)
  writer.fixed64(7, 1_700_000_000_000_000_000n)
  writer.fixed64(8, 1_700_000_001_000_000_000n)
  attributes()
}

function mutated(chance: () => number): Uint8Array {
  const below = (n: number) => Math.floor(chance() * n)
  let bytes = [...(SAMPLES[below(SAMPLES.length)] as Uint8Array)]
  for (let times = 1 + below(4); times > 0; times--) {
    const at = below(bytes.length)
    const kind = below(6)
    if (kind === 0) bytes[at] = below(256)
    else if (kind === 1) bytes = bytes.slice(0, at)
    else if (kind === 2) bytes.splice(at, 0, ...(HOSTILE[below(HOSTILE.length)] as number[]))
    else if (kind === 3) bytes.splice(at, 1 + below(20))
    else if (kind === 4) bytes.splice(at, 0, ...bytes.slice(below(bytes.length), below(bytes.length)))
    else bytes[at] = (bytes[at] as number) ^ (1 << below(8))
    if (bytes.length === 0) return new Uint8Array(0)
  }
  return Uint8Array.from(bytes)
}

function survives(read: () => unknown): void {
  try {
    read()
  } catch (error) {
    if (!(error instanceof MalformedProtobuf) && !(error instanceof MalformedJson)) throw error
  }
}

/** Every span in the window is in the list of exactly one trace, and every list is as long as its trace says. */
function checkOrder(window: TraceWindow): void {
  const { columns, traces } = window
  const inTraces = new Map<number, number>()
  for (const row of window.newestFirst()) inTraces.set(columns.slot[row] as number, (inTraces.get(columns.slot[row] as number) ?? 0) + 1)
  let taken = 0
  for (let slot = 0; slot < traces.size; slot++) {
    if (traces.state[slot] === STATE.free) continue
    taken++
    const rows = window.rowsOf(slot)
    assert.equal(rows.length, inTraces.get(slot))
    for (const row of rows) assert.equal(columns.slot[row], slot)
    assert.ok((traces.counted[slot] as number) <= rows.length)
    assert.equal(traces.lastRow[slot], rows.at(-1))
    assert.equal(columns.next[rows.at(-1) as number], NOWHERE)
  }
  assert.equal(taken, traces.taken)
  assert.equal(taken, inTraces.size)
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
