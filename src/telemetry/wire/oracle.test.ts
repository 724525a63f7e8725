import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { exportAnswer } from './answers.ts'
import { type AttributeValue, readAttributes } from './attributes.ts'
import { readLogs } from './logs.ts'
import { readMetrics } from './metrics.ts'
import { otlpFromJson } from './otlp-json.ts'
import { ProtobufReader, textOf } from './protobuf-reader.ts'
import { countItems, readSpans } from './span-reader.ts'
import { ORACLE } from './testing-otlp.ts'

const RUNS = { numRuns: 300 }
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const text = fc.string({ unit: fc.constantFrom('a', 'B', '7', '/', ' ', 'é', '漢', '😀'), maxLength: 40 })
/** As a decimal: numbers of 64 bits do not fit into a double. */
const nanoseconds = fc.bigInt(0n, 2n ** 64n - 1n).map(String)
const int64 = fc.oneof(fc.integer(), fc.maxSafeInteger()).map(String)

const { value } = fc.letrec<{ value: object }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: int64 }),
    fc.record({ doubleValue: fc.double({ noNaN: true }) }),
    fc.record({ bytesValue: fc.uint8Array({ maxLength: 9 }).map((it) => Buffer.from(it).toString('base64')) }),
    fc.record({ arrayValue: fc.record({ values: fc.array(tie('value'), { maxLength: 3 }) }) }),
    fc.record({ kvlistValue: fc.record({ values: fc.array(fc.record({ key: text, value: tie('value') }), { maxLength: 3 }) }) }),
  ),
}))
const attributes = fc.uniqueArray(fc.record({ key: text, value }), { maxLength: 8, selector: ({ key }) => key })
const hex = (length: number) => bytes(length).map((it) => Buffer.from(it).toString('hex'))

const span = fc.record({
  traceId: hex(16),
  spanId: hex(8),
  parentSpanId: fc.oneof(fc.constant(''), hex(8)),
  traceState: fc.oneof(fc.constant(''), fc.constant('ot=th:8')),
  name: text,
  kind: fc.integer({ min: 0, max: 5 }),
  startTimeUnixNano: nanoseconds,
  endTimeUnixNano: nanoseconds,
  attributes,
  droppedAttributesCount: fc.nat(),
  events: fc.array(fc.record({ timeUnixNano: nanoseconds, name: text, attributes }), { maxLength: 2 }),
  links: fc.array(fc.record({ traceId: hex(16), spanId: hex(8), flags: fc.nat() }), { maxLength: 2 }),
  status: fc.record({ message: text, code: fc.integer({ min: 0, max: 2 }) }),
  flags: fc.nat(),
})
const resource = fc.record({ attributes })
const scoped = <T>(name: string, items: string, item: fc.Arbitrary<T>) =>
  fc.array(
    fc.record({ resource, [name]: fc.array(fc.record({ scope: fc.record({ name: text }), [items]: fc.array(item, { maxLength: 4 }) }), { maxLength: 2 }) }),
    { maxLength: 3 },
  )
const traces = fc.record({ resourceSpans: scoped('scopeSpans', 'spans', span) })

type Tree = Record<string, unknown>
/** What protobufjs makes of it, in the words of OTLP/JSON. */
const decode = (type: (typeof ORACLE)['traces'], binary: Uint8Array) =>
  type.toObject(type.decode(binary), { longs: String, bytes: String, arrays: true }) as Tree
/** … and what it makes itself; ids are bytes in protobuf and base64 for it. */
const encode = (type: (typeof ORACLE)['traces'], json: object) => type.encode(type.fromObject(withBase64Ids(json) as Tree)).finish()

function withBase64Ids(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(withBase64Ids)
  if (typeof json !== 'object' || json === null) return json
  return Object.fromEntries(
    Object.entries(json).map(([key, it]) => [key, /^(traceId|spanId|parentSpanId)$/.test(key) ? Buffer.from(it, 'hex').toString('base64') : withBase64Ids(it)]),
  )
}

/** Plain values of OTLP/JSON's AnyValue. */
function plain(any: Tree): AttributeValue {
  const [[kind, it] = []] = Object.entries(any)
  if (kind === 'intValue') return Number(it)
  if (kind === 'arrayValue') return (it as { values: Tree[] }).values.map(plain)
  if (kind === 'kvlistValue') return plainList((it as { values: Pair[] }).values)
  return (it as AttributeValue | undefined) ?? null
}
type Pair = { key: string; value: Tree }
function plainList(pairs: readonly Pair[]) {
  return Object.fromEntries(pairs.map(({ key, value: it }) => [key, plain(it)]))
}
/** Without the null prototype, and −0 as 0: JSON does not know it. */
const same = (it: unknown) => JSON.parse(JSON.stringify(it))

function spansOf(request: Uint8Array) {
  const spans: Tree[] = []
  let resourceAttributes: unknown
  const reader = new ProtobufReader(request)
  readSpans(reader, request.length, {
    resource: (from, to) => {
      resourceAttributes = readAttributes(new ProtobufReader(request, from), to, 1)
    },
    span: (at) => {
      const id = (from: number, to: number) => (from === -1 ? '' : Buffer.from(request.subarray(from, to)).toString('hex'))
      const big = (low: number, high: number) => String((BigInt(high) << 32n) | BigInt(low))
      spans.push({
        resource: resourceAttributes,
        trace: id(at.traceFrom, at.traceTo),
        id: id(at.idFrom, at.idTo),
        parent: id(at.parentFrom, at.parentTo),
        state: at.stateFrom === -1 ? '' : textOf(request, at.stateFrom, at.stateTo),
        name: at.nameFrom === -1 ? '' : textOf(request, at.nameFrom, at.nameTo),
        kind: at.kind,
        start: big(at.startLow, at.startHigh),
        end: big(at.endLow, at.endHigh),
        failed: at.failed === 1,
        attributes: readAttributes(new ProtobufReader(request, at.from), at.to, 9),
      })
    },
  })
  return spans
}

describe('the protobuf reader and writer', () => {
  it('read spans as protobufjs wrote them', () => {
    fc.assert(
      fc.property(traces, (json) => {
        const request = encode(ORACLE.traces, json)
        const expected = json.resourceSpans.flatMap((it) =>
          (it as unknown as { scopeSpans: { spans: (typeof span extends fc.Arbitrary<infer T> ? T : never)[] }[] }).scopeSpans.flatMap(({ spans }) =>
            spans.map((one) => ({
              resource: plainList((it.resource as { attributes: Pair[] }).attributes),
              trace: one.traceId,
              id: one.spanId,
              parent: one.parentSpanId,
              state: one.traceState,
              name: one.name,
              kind: one.kind,
              start: one.startTimeUnixNano,
              end: one.endTimeUnixNano,
              failed: one.status.code === 2,
              attributes: plainList(one.attributes as Pair[]),
            })),
          ),
        )
        assert.deepEqual(same(spansOf(request)), same(expected))
        assert.equal(countItems(new ProtobufReader(request), request.length), expected.length)
      }),
      RUNS,
    )
  })

  it('write what protobufjs reads, from OTLP/JSON', () => {
    fc.assert(
      fc.property(traces, (json) => {
        assert.deepEqual(decode(ORACLE.traces, otlpFromJson('traces', json)), decode(ORACLE.traces, encode(ORACLE.traces, json)))
      }),
      RUNS,
    )
  })

  it('read log records as protobufjs wrote them', () => {
    const record = fc.record({
      timeUnixNano: fc.constantFrom('0', '1700000000000000000'),
      observedTimeUnixNano: fc.constantFrom('0', '1700000001000000000'),
      severityNumber: fc.integer({ min: 0, max: 24 }),
      body: fc.record({ stringValue: text }),
      attributes,
      traceId: hex(16),
      spanId: hex(8),
    })
    fc.assert(
      fc.property(fc.record({ resourceLogs: scoped('scopeLogs', 'logRecords', record) }), (json) => {
        const request = encode(ORACLE.logs, json)
        assert.deepEqual(decode(ORACLE.logs, otlpFromJson('logs', json)), decode(ORACLE.logs, request))
        const { records } = readLogs(new ProtobufReader(request), request.length)
        const expected = json.resourceLogs.flatMap((it) =>
          (it as unknown as { scopeLogs: { logRecords: (typeof record extends fc.Arbitrary<infer T> ? T : never)[] }[] }).scopeLogs.flatMap(({ logRecords }) =>
            logRecords.map((one) => ({
              atMs: Number(one.timeUnixNano === '0' ? one.observedTimeUnixNano : one.timeUnixNano) / 1e6,
              severity: one.severityNumber,
              trace: /^0+$/.test(one.traceId) ? '' : one.traceId,
              span: /^0+$/.test(one.spanId) ? '' : one.spanId,
              text: one.body.stringValue,
              attributes: plainList(one.attributes as Pair[]),
            })),
          ),
        )
        assert.deepEqual(same(records.map(({ maker: _, ...rest }) => rest)), same(expected))
      }),
      RUNS,
    )
  })

  it('read metrics as protobufjs wrote them', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true })
    const point = fc.oneof(
      fc.record({ asDouble: number, timeUnixNano: fc.constant('1700000000000000000') }),
      fc.record({ asInt: int64, timeUnixNano: fc.constant('1700000000000000000') }),
    )
    const histogram = fc.record({
      count: fc.nat().map(String),
      sum: number,
      min: number,
      max: number,
      bucketCounts: fc.array(fc.nat().map(String), { maxLength: 5 }),
      explicitBounds: fc.array(number, { maxLength: 4 }),
    })
    const metric = fc.oneof(
      fc.record({ name: text, unit: text, gauge: fc.record({ dataPoints: fc.array(point, { maxLength: 3 }) }) }),
      fc.record({
        name: text,
        unit: text,
        sum: fc.record({ dataPoints: fc.array(point, { maxLength: 3 }), aggregationTemporality: fc.constantFrom(1, 2), isMonotonic: fc.boolean() }),
      }),
      fc.record({
        name: text,
        unit: text,
        histogram: fc.record({ dataPoints: fc.array(histogram, { maxLength: 3 }), aggregationTemporality: fc.constantFrom(1, 2) }),
      }),
    )
    fc.assert(
      fc.property(fc.record({ resourceMetrics: scoped('scopeMetrics', 'metrics', metric) }), (json) => {
        const request = encode(ORACLE.metrics, json)
        assert.deepEqual(decode(ORACLE.metrics, otlpFromJson('metrics', json)), decode(ORACLE.metrics, request))
        const { points } = readMetrics(new ProtobufReader(request), request.length)
        const expected = (json.resourceMetrics as unknown as { scopeMetrics: { metrics: Tree[] }[] }[]).flatMap(({ scopeMetrics }) =>
          scopeMetrics.flatMap(({ metrics }) => metrics.flatMap(expectedPoints)),
        )
        const read = points.map(({ maker: _, attributes: __, atMs: ___, startMs: ____, ...rest }) => rest)
        assert.deepEqual(same(read), same(expected))
      }),
      RUNS,
    )
  })

  it('say what was rejected so that protobufjs understands it', () => {
    const answer = decode(ORACLE.response, exportAnswer('traces', 'protobuf', 300, 'too late'))
    assert.deepEqual(answer, { partialSuccess: { rejected: '300', errorMessage: 'too late' } })
    assert.equal(exportAnswer('traces', 'protobuf', 0, null).length, 0)
  })
})

function expectedPoints({ name, unit, gauge, sum, histogram }: Tree): Tree[] {
  const data = (gauge ?? sum ?? histogram) as { dataPoints: Tree[]; aggregationTemporality?: number; isMonotonic?: boolean }
  const cumulative = data.aggregationTemporality === 2
  return data.dataPoints.map((point) => {
    if (histogram)
      return {
        name,
        unit,
        kind: 'histogram',
        cumulative,
        count: Number(point['count']),
        sum: point['sum'],
        min: point['min'],
        max: point['max'],
        bounds: point['explicitBounds'],
        counts: (point['bucketCounts'] as string[]).map(Number),
      }
    const value = 'asInt' in point ? Number(point['asInt']) : point['asDouble']
    return sum ? { name, unit, kind: 'sum', value, cumulative, monotonic: data.isMonotonic } : { name, unit, kind: 'gauge', value }
  })
}
