import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ORACLE } from '../telemetry/wire/testing-otlp.ts'
import { SpanBatch } from './span-batch.ts'
import type { EndedSpan } from './spans.ts'

const SPAN: EndedSpan = {
  environment: 'e1',
  service: 'gateway',
  origin: 0,
  replica: null,
  trace: '4bf92f3577b34da6a3ce929d0e0e4736',
  id: '00f067aa0ba902b7',
  parent: '',
  tracestate: null,
  kind: 'client',
  name: 'web GET /cart/:id',
  startMs: 1_700_000_000_000.125,
  endMs: 1_700_000_000_005.5,
  method: 'GET',
  route: '/cart/:id',
  status: 200,
  failed: false,
  peer: 'web',
  client: '0123456789abcdef',
}
const read = (body: Buffer) =>
  (ORACLE.traces.toObject(ORACLE.traces.decode(body), { longs: String }) as { resourceSpans: { resource: Attributes; scopeSpans: { spans: Span[] }[] }[] })
    .resourceSpans
interface Attributes {
  readonly attributes: { readonly key: string; readonly value: { readonly stringValue?: string; readonly intValue?: string } }[]
}
interface Span extends Attributes {
  readonly traceId: Buffer
  readonly spanId: Buffer
  readonly parentSpanId?: Buffer
}
const attributesOf = ({ attributes }: Attributes) => Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]))

test('a batch has one resource for each maker, with its environment', () => {
  const batch = new SpanBatch()
  const callee: EndedSpan = {
    ...SPAN,
    service: 'web',
    origin: 2,
    replica: 'e1-web-v2-9',
    kind: 'server',
    peer: null,
    client: null,
    id: '00f067aa0ba902b8',
    parent: SPAN.id,
  }
  for (const span of [SPAN, { ...callee, failed: true, status: 503 }, { ...callee, tracestate: 'ot=th:c', name: 'GET /größe', kind: 'internal' as const }])
    batch.add(span)
  const { spans, body } = batch.take()
  assert.equal(spans, 3)
  const [entry, web, ...more] = read(body)
  assert.deepEqual(more, [])
  assert.ok(entry && web)
  assert.deepEqual(attributesOf(entry.resource), { 'weir.environment': 'e1', 'service.name': 'gateway' })
  assert.deepEqual(attributesOf(web.resource), {
    'weir.environment': 'e1',
    'service.name': 'web',
    'service.version': 'v2',
    'service.instance.id': 'e1-web-v2-9',
  })
  const [called] = entry.scopeSpans[0]?.spans ?? []
  assert.ok(called)
  const { traceId, spanId, attributes, ...rest } = called
  assert.deepEqual([Buffer.from(traceId).toString('hex'), Buffer.from(spanId).toString('hex')], [SPAN.trace, SPAN.id])
  assert.deepEqual(attributesOf({ attributes }), {
    'http.request.method': 'GET',
    'http.route': '/cart/:id',
    'http.response.status_code': 200,
    'peer.service': 'web',
    'weir.client': '0123456789abcdef',
  })
  assert.deepEqual(rest, { name: 'web GET /cart/:id', kind: 3, startTimeUnixNano: '1700000000000125000', endTimeUnixNano: '1700000000005500000' })
  const [failed, inner, ...others] = (web.scopeSpans[0]?.spans ?? []).map((it) => ({ ...it, parentSpanId: Buffer.from(it.parentSpanId ?? []).toString('hex') }))
  assert.deepEqual(others, [])
  assert.ok(failed && inner)
  assert.deepEqual([failed.parentSpanId, { ...failed }.attributes.length], [SPAN.id, 3])
  assert.deepEqual([(failed as object as { status: unknown }).status, attributesOf(failed)['http.response.status_code']], [{ code: 2 }, 503])
  const { name, kind, traceState } = inner as object as Record<string, unknown>
  assert.deepEqual([name, kind, traceState], ['GET /größe', 1, 'ot=th:c'])
})

test('a long batch is whole, and the next one begins empty', () => {
  const batch = new SpanBatch()
  for (let n = 0; n < 1000; n++) batch.add({ ...SPAN, id: (n + 1).toString(16).padStart(16, '0'), route: `/${'x'.repeat(n)}` })
  const { spans, body } = batch.take()
  const sent = read(body)[0]?.scopeSpans[0]?.spans ?? []
  assert.equal(spans, 1000)
  assert.deepEqual(
    sent.map((it) => [Number.parseInt(Buffer.from(it.spanId).toString('hex'), 16), String(attributesOf(it)['http.route']).length]),
    Array.from({ length: 1000 }, (_, n) => [n + 1, n + 1]),
  )
  assert.deepEqual(batch.take(), { spans: 0, body: Buffer.alloc(0) })
})

test('spans that nobody takes are dropped and counted', () => {
  const batch = new SpanBatch()
  for (let n = 0; n < 10_000; n++) batch.add(SPAN)
  assert.equal(batch.take().spans + batch.dropped, 10_000)
  assert.ok(batch.dropped > 0)
})
