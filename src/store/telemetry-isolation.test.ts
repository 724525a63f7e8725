import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testStorage } from '../telemetry/storage/testing.ts'
import { EPOCH_MS, requestOf, spanId, traceId } from '../telemetry/window/testing.ts'
import type { TelemetryQueries } from './telemetry-queries.ts'
import { startTestPostgres, type TestPostgres } from './testing.ts'

let postgres: TestPostgres
let storage: Awaited<ReturnType<typeof testStorage>>
const TRACE = traceId(7)
const RANGE = { fromMs: EPOCH_MS - 3_600_000, toMs: EPOCH_MS + 3_600_000 }
const PAGE = { limit: 50, cursor: null }

/** e12 has something of everything; e13 has sent the same names and the same trace id, and other text. */
before(async () => {
  postgres = await startTestPostgres()
  storage = await testStorage(postgres)
  const { window, store, pass } = storage
  for (const [scope, secret] of [
    [12, 'ours'],
    [13, 'theirs'],
  ] as const) {
    window.accept(
      scope,
      requestOf([
        { trace: TRACE, id: spanId(1), kind: 'server', service: 'web', operation: `GET /${secret}` },
        { trace: TRACE, id: spanId(2), parent: spanId(1), kind: 'client', service: 'web', operation: 'call', peer: secret },
      ]),
    )
    const from = { service: 'web', release: 'v1', instance: `e${scope}-web-v1-1`, atMs: EPOCH_MS }
    store.logs(scope, [{ ...from, severity: 9, trace: TRACE, span: '', text: `a line of ${secret}`, attributes: null }])
    store.samples(scope, [{ ...from, name: 'queue.length', unit: '1', value: scope, count: null, attributes: { of: secret } }])
  }
  pass(3000)
  await store.flush()
})
after(async () => {
  await storage.store.close()
  await postgres.stop()
})

/** One call of every query; a query without an entry does not compile. */
const QUERIES: { readonly [name in keyof TelemetryQueries]: (queries: TelemetryQueries, environment: string) => Promise<unknown> } = {
  traces: (queries, e) => queries.traces(e, { ...RANGE, service: null, operation: null, minDurationMs: null, maxDurationMs: null, failed: null }, PAGE),
  trace: async (queries, e) => Buffer.from((await queries.trace(e, TRACE))?.spans ?? []).toString('latin1'),
  rollups: (queries, e) =>
    queries.rollups(e, { ...RANGE, kind: 'operation', service: null, operation: null, peer: null, release: null, widthMs: 10_000, limit: 100 }),
  edges: (queries, e) => queries.edges(e, RANGE),
  logs: (queries, e) => queries.logs(e, { ...RANGE, words: [], service: null, release: null, instance: null, severity: null, trace: TRACE }, PAGE),
  metrics: (queries, e) => queries.metrics(e, { ...RANGE, service: null }, { limit: 100, cursor: null }),
  latestSamples: (queries, e) => queries.latestSamples(e, RANGE, 100),
  samples: (queries, e) => queries.samples(e, { ...RANGE, name: 'queue.length', service: null }, { limit: 100, cursor: null }),
}

test("every query finds its own environment's telemetry and nothing of another, though names and trace ids are the same", async () => {
  for (const [name, ask] of Object.entries(QUERIES)) {
    const own = JSON.stringify(await ask(storage.queries, 'e12'))
    const other = JSON.stringify(await ask(storage.queries, 'e13'))
    if (name === 'metrics') {
      assert.equal(own, other)
      continue
    }
    assert.match(own, /ours/, `${name} finds its own`)
    assert.doesNotMatch(own, /theirs/, name)
    assert.match(other, /theirs/, name)
    assert.doesNotMatch(other, /ours/, name)
  }
})

test('an environment that sent nothing, and what is no id of one, finds nothing', async () => {
  for (const environment of ['e14', 'e0', 'e1', '12', "e12' or true --", '', 'e12 '])
    for (const [name, ask] of Object.entries(QUERIES)) assert.doesNotMatch(JSON.stringify(await ask(storage.queries, environment)), /ours|theirs|queue/, name)
})
