import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { spansGone } from './losses.ts'
import { EPOCH_MS, requestOf, spanId, type TestSpan, testWindow, traceId } from './testing.ts'
import { LONGEST_MS, QUIET_MS } from './trace-window.ts'

const T = traceId(0xabc)
const call: readonly TestSpan[] = [
  { trace: T, id: spanId(1), kind: 'server', service: 'web', operation: 'GET /', durationMs: 20 },
  { trace: T, id: spanId(2), parent: spanId(1), kind: 'client', service: 'web', operation: 'GET', startMs: 2, durationMs: 15 },
  { trace: T, id: spanId(3), parent: spanId(2), kind: 'server', service: 'api', operation: 'GET /users/17', startMs: 3, durationMs: 10 },
]

describe('TraceWindow', () => {
  it('closes a trace two seconds after its last span, with what each span said', () => {
    const { window, told, pass } = testWindow()
    assert.deepEqual(window.accept(7, requestOf(call)), { accepted: 3, rejected: 0, because: null, malformed: false })
    pass(QUIET_MS - 200)
    assert.equal(told.length, 0)
    pass(300)
    assert.deepEqual(
      told.map(({ raw: _, ...it }) => it),
      [{ scope: 7, trace: T, operations: ['GET /', 'GET', 'GET /users/:id'], counted: 0 }],
    )
  })

  it('waits for spans that keep coming, but for thirty seconds at most', () => {
    const { window, told, pass, clock } = testWindow()
    for (let n = 1; told.length === 0; n++) {
      window.accept(7, requestOf([{ trace: T, id: spanId(n), kind: 'internal' }]))
      pass(1000)
      assert.ok(n < 100)
    }
    assert.ok(clock.nowMs - EPOCH_MS >= LONGEST_MS && clock.nowMs - EPOCH_MS <= LONGEST_MS + 1000)
  })

  it('tells of a trace again when late spans come, and which of its spans are new', () => {
    const { window, told, pass } = testWindow()
    window.accept(7, requestOf(call.slice(0, 2)))
    pass(3000)
    window.accept(7, requestOf(call.slice(2)))
    pass(3000)
    assert.deepEqual(
      told.map(({ counted, operations }) => [counted, operations.length]),
      [
        [0, 2],
        [2, 3],
      ],
    )
  })

  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
  ])
    it(`tells of a call as soon as both ends are there, in the order ${order}`, () => {
      const { window, edges } = testWindow()
      for (const at of order) window.accept(7, requestOf([call[at] as TestSpan]))
      assert.deepEqual(edges, ['web → api'])
    })

  it('tells of a database at once: nobody else will', () => {
    const { window, edges } = testWindow()
    const attributes = { 'db.system.name': 'postgresql', 'server.address': 'db.internal', 'http.request.method': 'GET' }
    window.accept(7, requestOf([{ trace: T, id: spanId(1), kind: 'client', service: 'api', attributes }]))
    assert.deepEqual(edges, ['api → postgresql:db.internal'])
  })

  it('keeps the traces of two environments apart though their ids are equal', () => {
    const { window, told, edges, pass } = testWindow()
    window.accept(1, requestOf(call.slice(0, 2)))
    window.accept(2, requestOf(call.slice(2)))
    pass(3000)
    assert.deepEqual(edges, [])
    assert.deepEqual(told.map(({ scope, operations }) => [scope, operations.length]).sort(), [
      [1, 2],
      [2, 1],
    ])
  })

  it('counts a span that is delivered twice once', () => {
    const { window, told, pass } = testWindow()
    window.accept(7, requestOf(call))
    assert.equal(window.accept(7, requestOf(call)).accepted, 3, 'its sender is told that it arrived')
    pass(3000)
    assert.equal(told[0]?.operations.length, 3)
    assert.equal(window.losses.of(7, 'repeated'), 3)
  })

  it('takes nothing of a request that is cut off anywhere', () => {
    const { window, told, pass } = testWindow()
    const request = requestOf(call.map((span) => ({ ...span, service: 'web' })))
    let refused = 0
    for (let length = 1; length < request.length; length++) if (window.accept(7, request.subarray(0, length)).malformed) refused++
    assert.equal(refused, request.length - 1)
    assert.equal(window.losses.of(7, 'malformed'), refused)
    pass(3000)
    assert.deepEqual(told, [])
  })

  it('rejects spans with ids of wrong length or of zeros, and takes the others', () => {
    const { window } = testWindow()
    const odd = ['', '00'.repeat(16), 'ab', 'ab'.repeat(8), 'ab'.repeat(17)].map((trace, n) => ({ trace, id: spanId(n + 1), kind: 'server' as const }))
    const ids = ['', '00'.repeat(8), 'ab', 'ab'.repeat(16)].map((id) => ({ trace: T, id, kind: 'server' as const }))
    const answer = window.accept(7, requestOf([...odd, ...ids, { trace: T, id: spanId(1), parent: 'ab', kind: 'server' }, ...call]))
    assert.deepEqual([answer.accepted, answer.rejected], [3, 10])
    assert.match(answer.because ?? '', /10 with a trace or span id of wrong length/)
    assert.equal(window.losses.of(7, 'bad-id'), 10)
  })

  it('stays within its size and counts what was pushed out before anybody saw it', () => {
    const { window, told, pass } = testWindow({ maxSpans: 256 })
    for (let n = 1; n <= 1000; n++) window.accept(7, requestOf([{ trace: traceId((n + 1) >> 1), id: spanId(n), kind: 'server' }]))
    const { spans, pressure } = window.health()
    assert.equal(spans, 256)
    assert.ok(pressure > 0.9)
    assert.equal(window.losses.of(7, 'window-full'), 1000 - 256)
    assert.equal(spansGone({ 'window-full': 1000 - 256, 'refused-busy': 5 }), 1000 - 256)
    pass(3000)
    assert.equal(
      told.reduce((sum, { operations }) => sum + operations.length, 0),
      256,
    )
    assert.equal(window.health().pressure, 0)
  })

  it('refuses what one trace has too much of', () => {
    const { window, told, pass } = testWindow({ maxSpansPerTrace: 10 })
    const spans = Array.from({ length: 100 }, (_, n): TestSpan => ({ trace: T, id: spanId(n + 1), kind: 'internal' }))
    const answer = window.accept(7, requestOf(spans))
    assert.deepEqual([answer.accepted, answer.rejected], [10, 90])
    pass(3000)
    assert.equal(told[0]?.operations.length, 10)
  })

  it('gives the bytes of a span until they are written over', () => {
    const { window, told, pass } = testWindow({ rawBytes: 4096 })
    window.accept(7, requestOf(call))
    for (let n = 0; n < 100; n++) window.accept(7, requestOf([{ trace: traceId(n + 1), id: spanId(1), kind: 'server' }]))
    pass(3000)
    assert.deepEqual(told.find(({ trace }) => trace === T)?.raw, [null, null, null])
    const last = told.find(({ trace }) => trace === traceId(100))
    assert.ok((last?.raw[0]?.length ?? 0) > 40)
    const gone = told.reduce((sum, { raw }) => sum + raw.filter((it) => it === null).length, 0)
    assert.equal(window.losses.of(7, 'raw-gone'), gone)
    assert.equal(told.flatMap(({ raw }) => raw).length, window.health().accepted, 'each is in its trace')
    assert.equal(spansGone(Object.fromEntries(window.losses.list().map(({ cause, count }) => [cause, count]))), 0, 'so none is gone')
  })

  it('makes one name of paths that differ in an id, and `other` of names without end', () => {
    const { window, told, pass } = testWindow({ maxSpans: 4096 })
    const named = (names: string[]) => requestOf(names.map((operation, n): TestSpan => ({ trace: T, id: spanId(n + 1), kind: 'server', operation })))
    window.accept(1, named(Array.from({ length: 500 }, (_, n) => `GET /users/${n}/orders`)))
    pass(3000)
    assert.deepEqual(new Set(told[0]?.operations), new Set(['GET /users/:id/orders']))
    window.accept(2, named(Array.from({ length: 1500 }, (_, n) => `job ${'abcdefghij'[n % 10]}${n}`)))
    pass(3000)
    const names = new Set(told[1]?.operations)
    assert.equal(names.size, 1001)
    assert.ok(names.has('other'))
    assert.deepEqual(window.health().capped, [{ scope: 2, service: 'web', label: 'operation', count: 500 }])
  })

  it('puts impossible times right and says so', () => {
    const { window, told, pass } = testWindow()
    const from = window.columns
    window.accept(7, requestOf([{ trace: T, id: spanId(1), kind: 'server', startMs: -EPOCH_MS, durationMs: 5 }]))
    window.accept(7, requestOf([{ trace: T, id: spanId(2), kind: 'server', durationMs: -5 }]))
    window.accept(7, requestOf([{ trace: T, id: spanId(3), kind: 'server', durationMs: 1e10 }]))
    assert.deepEqual([...from.durationUs.subarray(0, 3)], [5000, 0, 24 * 3600e6])
    assert.equal(from.startUs[0], EPOCH_MS * 1000 - 5000)
    assert.equal(window.losses.of(7, 'odd-time'), 3)
    pass(3000)
    assert.equal(told.length, 1)
  })

  it('lets the resource say whose it is, of those it trusts, and believes nobody else about the environment', () => {
    const { window, told, pass } = testWindow({
      scopeOf: ({ environment, namespace, operation }, trusted) => {
        if (trusted) return environment === null ? null : Number(environment.slice(1))
        return namespace === 'shop' || operation === 'ann/shop' ? 5 : null
      },
    })
    const span = (n: number, operation = 'x'): TestSpan => ({ trace: traceId(n), id: spanId(n), kind: 'server', operation })
    assert.equal(window.accept('trusted', requestOf([span(1)], { 'weir.environment': 'e9' })).accepted, 1)
    assert.equal(window.accept('claimed', requestOf([span(2)], { 'weir.environment': 'e9' })).rejected, 1)
    assert.equal(window.accept('claimed', requestOf([span(3)], { 'service.namespace': 'shop' })).accepted, 1)
    assert.equal(window.accept('claimed', requestOf([span(4, 'ann/shop'), span(5)])).accepted, 1)
    pass(3000)
    assert.deepEqual(told.map(({ scope, trace }) => [scope, trace]).sort(), [
      [5, traceId(3)],
      [5, traceId(4)],
      [9, traceId(1)],
    ])
  })
})
