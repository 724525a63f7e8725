import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedJson } from './otlp-json.ts'
import { ORACLE } from './testing-otlp.ts'
import { otlpFromZipkin } from './zipkin.ts'

type Pair = { key: string; value: unknown }
type Span = Record<'name' | 'startTimeUnixNano' | 'endTimeUnixNano', string> & {
  traceId: number[]
  parentSpanId: number[]
  kind: number
  status: { code: number }
  attributes: Pair[]
  events: unknown[]
}
type ResourceSpans = { resource: { attributes: Pair[] }; scopeSpans: [{ spans: [Span, ...Span[]] }] }

const decode = (list: unknown) =>
  ORACLE.traces.toObject(ORACLE.traces.decode(otlpFromZipkin(list)), { longs: String, bytes: Array }) as { resourceSpans: ResourceSpans[] }

test('a Zipkin span says in OTLP what it said before', () => {
  const { resourceSpans } = decode([
    {
      traceId: '463ac35c9f6413ad',
      parentId: 'a2fb4a1d1a96d312',
      id: '0020000000000001',
      kind: 'CLIENT',
      name: 'get',
      timestamp: 1472470996199000,
      duration: 207000,
      localEndpoint: { serviceName: 'frontend', ipv4: '192.168.99.1' },
      remoteEndpoint: { serviceName: 'backend', ipv4: '192.168.99.101', port: 9000 },
      annotations: [{ timestamp: 1472470996238000, value: 'ws' }],
      tags: { 'http.path': '/api', error: 'timeout' },
    },
  ])
  const { resource, scopeSpans } = resourceSpans[0] as ResourceSpans
  assert.deepEqual(resource.attributes, [{ key: 'service.name', value: { stringValue: 'frontend' } }])
  const [span] = scopeSpans[0].spans
  assert.equal(Buffer.from(span.traceId).toString('hex'), '0000000000000000463ac35c9f6413ad')
  assert.equal(Buffer.from(span.parentSpanId).toString('hex'), 'a2fb4a1d1a96d312')
  assert.deepEqual([span.startTimeUnixNano, span.endTimeUnixNano], ['1472470996199000000', '1472470996406000000'])
  assert.deepEqual([span.name, span.kind, span.status.code], ['get', 3, 2])
  assert.deepEqual(
    span.attributes.map(({ key }) => key),
    ['http.path', 'error', 'peer.service', 'server.address', 'server.port'],
  )
  assert.deepEqual(span.events, [{ timeUnixNano: '1472470996238000000', name: 'ws' }])
})

test('spans of one service share a resource, and a span without kind is internal', () => {
  const span = (id: string, serviceName: string) => ({ traceId: '1', id, localEndpoint: { serviceName } })
  const { resourceSpans } = decode([span('1', 'a'), span('2', 'b'), span('3', 'a')])
  assert.deepEqual(
    resourceSpans.map(({ scopeSpans }) => scopeSpans[0].spans.map(({ kind }) => kind)),
    [[1, 1], [1]],
  )
})

test('what is no list of spans is refused', () => {
  for (const json of [null, {}, 'x', [1], [[]], [null]]) assert.throws(() => otlpFromZipkin(json), MalformedJson)
})
