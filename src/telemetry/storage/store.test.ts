import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { quantile } from '../../core/model/latency-sketch.ts'
import { columnsOf, createAnalyser } from '../../core/tracegraph/index.ts'
import type { RollupQuery, TraceFilter } from '../../store/telemetry-queries.ts'
import { startTestPostgres, type TestPostgres } from '../../store/testing.ts'
import { EPOCH_MS, requestOf, spanId, type TestSpan, testWindow, traceId } from '../window/testing.ts'
import { testStorage } from './testing.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await startTestPostgres()
})
after(() => postgres.stop())

const PAGE = { limit: 50, cursor: null }
const ALL = { fromMs: EPOCH_MS - 3_600_000, toMs: EPOCH_MS + 3_600_000 }
const TRACES: TraceFilter = { ...ALL, service: null, operation: null, minDurationMs: null, maxDurationMs: null, failed: null }
const ROLLUPS: RollupQuery = { ...ALL, kind: 'operation', service: null, operation: null, peer: null, release: null, widthMs: 10_000, limit: 100 }

/** web → shop → the database. */
function request(n: number, { ms = 10, failed = false, startMs = 0, trace = traceId(n) } = {}): TestSpan[] {
  const id = (k: number) => spanId(10 * n + k)
  return [
    {
      trace,
      id: id(1),
      kind: 'server',
      service: 'web',
      operation: 'GET /',
      startMs,
      durationMs: ms,
      failed,
      attributes: { 'http.response.status_code': n % 2 ? 404 : 200 },
    },
    { trace, id: id(2), parent: id(1), kind: 'client', service: 'web', operation: 'GET', startMs: startMs + 1, durationMs: ms - 2, peer: 'shop' },
    { trace, id: id(3), parent: id(2), kind: 'server', service: 'shop', operation: 'GET /songs', startMs: startMs + 2, durationMs: ms - 4 },
    {
      trace,
      id: id(4),
      parent: id(3),
      kind: 'client',
      service: 'shop',
      operation: 'select',
      startMs: startMs + 3,
      durationMs: ms - 6,
      attributes: { 'db.system.name': 'postgresql' },
    },
  ]
}

test('a trace is found by its id and by what it is about, and comes back as it was sent', async () => {
  const { window, pass, store, queries } = await testStorage(postgres)
  window.accept(12, requestOf(request(2), { 'weir.release': 'v3' }))
  window.accept(12, requestOf(request(5, { ms: 800, failed: true, startMs: 100 })))
  pass(3000)
  await store.flush()

  const stored = await queries.trace('e12', traceId(2))
  const again = testWindow()
  again.window.accept(12, stored?.spans as Uint8Array)
  again.pass(3000)
  assert.deepEqual([...(again.told[0]?.operations ?? [])].sort(), ['GET', 'GET /', 'GET /songs', 'select'])

  const list = (filter: Partial<TraceFilter>) =>
    queries.traces('e12', { ...TRACES, ...filter }, PAGE).then(({ items }) => items.map((it) => Number.parseInt(it.trace, 16)))
  assert.deepEqual(await list({}), [5, 2])
  assert.deepEqual(await list({ failed: true }), [5])
  assert.deepEqual(await list({ failed: false }), [2])
  assert.deepEqual(await list({ service: 'shop', minDurationMs: 500 }), [5])
  assert.deepEqual(await list({ service: 'shop', maxDurationMs: 500 }), [2])
  assert.deepEqual(await list({ service: 'shop', failed: true }), [], 'the failed span is one of web')
  assert.deepEqual(await list({ operation: 'GET /songs' }), [5, 2])
  assert.deepEqual(await list({ service: 'web', operation: 'GET /songs' }), [])
  assert.deepEqual(await list({ toMs: EPOCH_MS + 50 }), [2])
  const [newest] = (await queries.traces('e12', TRACES, PAGE)).items
  assert.deepEqual(
    { ...newest, release: '' },
    {
      trace: traceId(5),
      atMs: EPOCH_MS + 100,
      service: 'web',
      operation: 'GET /',
      release: '',
      durationMs: 800,
      failed: true,
      spans: 4,
      kept: 'error',
      services: ['shop', 'web'],
    },
  )
  await store.close()
})

test('a list of traces goes on where the page before ended', async () => {
  const { window, pass, store, queries } = await testStorage(postgres)
  for (let n = 1; n <= 7; n++) {
    window.accept(12, requestOf(request(n, { failed: true, startMs: n % 3 })))
    pass(100)
  }
  pass(3000)
  await store.flush()
  const seen: string[] = []
  for (let cursor: string | null = null; ; ) {
    const page = await queries.traces('e12', TRACES, { limit: 2, cursor })
    seen.push(...page.items.map(({ trace }) => trace))
    if ((cursor = page.cursor) === null) break
  }
  assert.equal(new Set(seen).size, 7)
  assert.equal(seen.length, 7)
  await assert.rejects(queries.traces('e12', TRACES, { limit: 2, cursor: Buffer.from('"x"').toString('base64url') }), /cursor/)
  await store.close()
})

test('late spans are counted once, and found with their trace', async () => {
  const { window, pass, store, queries } = await testStorage(postgres)
  const spans = request(1)
  window.accept(12, requestOf(spans.slice(0, 2)))
  pass(3000)
  window.accept(12, requestOf(spans.slice(2)))
  pass(3000)
  await store.flush()
  const again = testWindow()
  again.window.accept(12, (await queries.trace('e12', traceId(1)))?.spans as Uint8Array)
  again.pass(3000)
  assert.equal(again.told[0]?.operations.length, 4)
  assert.equal((await queries.traces('e12', TRACES, PAGE)).items.length, 1)
  const { series } = await queries.rollups('e12', ROLLUPS)
  assert.deepEqual(
    series.map(({ service, operation, points }) => [service, operation, points.map((it) => it.count)]),
    [
      ['shop', 'GET /songs', [1]],
      ['web', 'GET /', [1]],
    ],
  )
  await store.close()
})

test('every span counts by operation, call and request, with its latency, failures and 4xx', async () => {
  const { window, pass, store, queries } = await testStorage(postgres, { window: { maxSpans: 8192 } })
  for (let n = 1; n <= 400; n++) window.accept(12, requestOf(request(n, { ms: 10 + n, failed: n <= 20 })))
  pass(3000)
  await store.flush()
  const [shop, web] = (await queries.rollups('e12', ROLLUPS)).series
  const point = web?.points[0]
  assert.deepEqual([web?.service, web?.operation, web?.spanKind], ['web', 'GET /', 2])
  assert.deepEqual([point?.count, point?.errors, point?.rejected4xx, point?.atMs], [400, 20, 200, EPOCH_MS])
  assert.ok(Math.abs((quantile(point?.latency ?? [], 0.5) ?? 0) - 210) < 4)
  // web waits 2 ms of its own and 2 ms in front of shop, which is charged to shop
  assert.ok(Math.abs((point?.exclusiveMs ?? 0) / 400 - 2) < 0.01, String(point?.exclusiveMs))
  assert.ok(Math.abs((shop?.points[0]?.exclusiveMs ?? 0) / 400 - 4) < 0.01, String(shop?.points[0]?.exclusiveMs))
  const calls = (await queries.rollups('e12', { ...ROLLUPS, kind: 'call' })).series
  assert.deepEqual(
    calls.map(({ service, peer, points }) => [service, peer, points[0]?.count]),
    [
      ['shop', 'postgresql', 400],
      ['web', 'shop', 400],
    ],
  )
  const requests = (await queries.rollups('e12', { ...ROLLUPS, kind: 'request', service: 'web' })).series
  assert.deepEqual(
    requests.map(({ operation, points }) => [operation, points[0]?.count, points[0]?.errors]),
    [['GET /', 400, 20]],
  )
  const [, edge] = await queries.edges('e12', ALL)
  assert.deepEqual(edge, { service: 'web', peer: 'shop', count: 400, errors: 0, firstSeenMs: EPOCH_MS, lastSeenMs: EPOCH_MS })
  await store.close()
})

test('counts are right to 1 % when one trace in a hundred is sent: 100,000 spans stand for ten million', async () => {
  const { store, queries, clock, names } = await testStorage(postgres)
  const offered = 10_200_000
  // every trace has its own chance, as a head sampler by trace id gives it: drawn from a fixed generator
  let state = 42
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const span = {
    trace: traceId(1),
    id: spanId(1),
    service: 'web',
    operation: 'GET /',
    kind: 'server',
    startUs: EPOCH_MS * 1000,
    durationUs: 5000,
    weight: 100,
  } as const
  const { columns } = columnsOf([span])
  const service = names.internText('web')
  const operation = names.internText('GET /')
  columns.service[0] = service
  columns.operation[0] = operation
  const rows = Int32Array.of(0)
  const analysis = createAnalyser().analyse(columns, rows, 1)
  const closed = { scope: 12, rows, count: 1, counted: 0, late: false, columns, analysis, rawOf: () => null, resourceOf: () => null }
  let sent = 0
  // from one that is sent to the next: as many as a coin of 1 % leaves out
  const gap = () => 1 + Math.floor(Math.log(1 - random()) / Math.log(0.99))
  for (let n = gap(); n <= offered; n += gap()) {
    sent++
    store.traceClosed(closed as never)
  }
  assert.ok(sent > 100_000, `${sent} spans`)
  clock.nowMs += 30_000
  await store.flush()
  const [series] = (await queries.rollups('e12', ROLLUPS)).series
  const count = series?.points[0]?.count ?? 0
  assert.ok(Math.abs(count / offered - 1) < 0.01, `${count} of ${offered}`)
  let sketched = 0
  for (let at = 1; at < (series?.points[0]?.latency.length ?? 0); at += 2) sketched += series?.points[0]?.latency[at] as number
  assert.equal(sketched, count)
  await store.close()
})

test('ten seconds become five minutes and hours, and no count changes', async () => {
  const { window, pass, clock, store, queries, database } = await testStorage(postgres)
  let sent = 0
  for (let second = 0; second < 7200; second += 120) {
    clock.nowMs = EPOCH_MS + second * 1000
    window.accept(12, requestOf(request(++sent, { startMs: second * 1000, ms: 10 + (sent % 7) })))
    pass(3000)
    if (second % 600 === 0) await store.upkeep()
  }
  clock.nowMs += 300_000
  await store.upkeep()
  const tables = await database.rows<{ count: number }>(
    'select sum(count) as count from telemetry.rollups_10s where kind = 3 union all select sum(count) from telemetry.rollups_1h where kind = 3',
  )
  assert.deepEqual(tables, [{ count: sent }, { count: sent }])
  const total = async (widthMs: number) => {
    const { series } = await queries.rollups('e12', { ...ROLLUPS, kind: 'request', widthMs, toMs: EPOCH_MS + 10_000_000 })
    const points = series.flatMap((it) => it.points)
    return [
      points.reduce((sum, { count }) => sum + count, 0),
      points.reduce((sum, { latency }) => sum + latency.filter((_, at) => at % 2).reduce((a, b) => a + b, 0), 0),
    ]
  }
  for (const widthMs of [10_000, 60_000, 300_000, 3_600_000]) assert.deepEqual(await total(widthMs), [sent, sent], `${widthMs} ms`)
  await store.close()
})

test('the graph of each environment is there after a restart', async () => {
  const { store, make } = await testStorage(postgres)
  store.saveGraph(12, { nodes: ['web'] })
  store.saveGraph(13, { nodes: [] })
  await store.flush()
  store.saveGraph(12, { nodes: ['web', 'shop'] })
  await store.flush()
  await store.close()
  const next = make()
  assert.deepEqual(
    await next.loadGraphs(),
    new Map<number, unknown>([
      [12, { nodes: ['web', 'shop'] }],
      [13, { nodes: [] }],
    ]),
  )
  await next.close()
})
