import assert from 'node:assert/strict'
import { test } from 'node:test'
import { viewOfStored } from './stored-trace.ts'
import { EPOCH_MS, requestOf, spanId, type TestSpan, traceId, withBrokenAttribute } from './window/testing.ts'

const aSpan = (id: number, parent: number | null, over: Partial<TestSpan> = {}): TestSpan => ({
  trace: traceId(7),
  id: spanId(id),
  ...(parent === null ? {} : { parent: spanId(parent) }),
  kind: 'server',
  failed: false,
  durationMs: 10,
  ...over,
})

test('a kept trace is shown as one that has just come in, though it is a month old and came in two parts', () => {
  const spans = Buffer.concat([
    requestOf([aSpan(1, null, { service: 'web', operation: 'GET /', durationMs: 30 })], { 'service.version': 'v4' }),
    requestOf([aSpan(2, 1, { service: 'api', operation: 'GET /items', startMs: 5, durationMs: 20, attributes: { 'http.route': '/items' } })]),
  ])
  const view = viewOfStored({ trace: traceId(7), atMs: EPOCH_MS + 30 * 86_400_000, spans })
  assert.deepEqual(
    view?.tree.map(({ service, depth, startMs, durationMs, release }) => ({ service, depth, startMs, durationMs, release })),
    [
      { service: 'web', depth: 0, startMs: 0, durationMs: 30, release: 'v4' },
      { service: 'api', depth: 1, startMs: 5, durationMs: 20, release: null },
    ],
  )
  assert.equal(view?.at, EPOCH_MS)
  assert.equal(view?.durationMs, 30)
  assert.equal(view?.tree[1]?.attributes['http.route'], '/items')
})

test('thousands of small spans are all there', () => {
  const spans = [aSpan(1, null), ...Array.from({ length: 5_000 }, (_, at) => aSpan(at + 2, 1, { durationMs: 0.001 }))]
  const view = viewOfStored({ trace: traceId(7), atMs: EPOCH_MS, spans: requestOf(spans) })
  assert.equal(view?.spans, 5_001)
})

test('attributes are there however long the trace is, and those before one that cannot be read', () => {
  for (const length of [10, 1000, 5000, 100_000]) {
    const spans = requestOf([aSpan(1, null, { attributes: { text: 'x'.repeat(length) } })])
    const view = viewOfStored({ trace: traceId(7), atMs: EPOCH_MS, spans })
    assert.equal(String(view?.tree[0]?.attributes['text']).length, length)
  }
  const broken = viewOfStored({ trace: traceId(2), atMs: EPOCH_MS, spans: withBrokenAttribute() })
  assert.deepEqual({ ...broken?.tree[0]?.attributes }, { whole: 'yes' })
})

test('bytes of another trace, or of none, are no view', () => {
  assert.equal(viewOfStored({ trace: traceId(8), atMs: EPOCH_MS, spans: requestOf([aSpan(1, null)]) }), null)
  assert.equal(viewOfStored({ trace: traceId(7), atMs: EPOCH_MS, spans: new Uint8Array([255, 255, 255]) }), null)
})
