import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import type { TraceView } from '../telemetry/telemetry.ts'
import { apiApp } from './app.ts'
import { contextOf } from './context.ts'
import { AT, FakeWorld, testOptions, VERBS_OF } from './testing.ts'

const NOW = Date.parse(AT)
const world = new FakeWorld()
const shop = world.addEnvironment({ tenant: 'acme', app: 'shop', environment: 'production' }, { current: 1 })
const spy = world.addEnvironment({ tenant: 'rivals', app: 'spy', environment: 'production' }, { current: 1 })
const token = world.addToken({ tenants: { acme: VERBS_OF.viewer } })
const context = contextOf(world.ports(), testOptions())
const app = await apiApp(context)
after(() => app.close())
beforeEach(() => {
  world.telemetry.silent = false
  world.kept.away = false
})

async function ask<T>(path: string): Promise<{ status: number; body: T }> {
  const answer = await app.inject({ url: `/api/v1/apps/shop/environments/production${path}`, headers: { authorization: `Bearer ${token}` } })
  return { status: answer.statusCode, body: answer.json() as T }
}

const id = (n: number) => n.toString(16).padStart(32, '0')
const aTrace = (n: number, over: Partial<TraceView> = {}): TraceView => ({
  id: id(n),
  at: NOW - 1000 * n,
  durationMs: 10,
  service: 'web',
  operation: 'GET /',
  failed: false,
  spans: 1,
  services: ['web'],
  orphans: 0,
  tree: [],
  ...over,
})
interface Listed {
  items: { id: string }[]
  cursor: string | null
  missing: string | null
}
const ids = ({ items }: Listed) => items.map((it) => Number.parseInt(it.id, 16))

for (const n of [4, 3, 2, 1]) world.telemetry.addTrace(shop.id, aTrace(n, n === 2 ? { durationMs: 900, failed: true } : {}))
for (const n of [8, 7, 6, 5, 4, 3]) world.kept.addTrace(shop.id, aTrace(n), n === 7 ? 'slow' : 'sampled')
world.telemetry.addTrace(spy.id, aTrace(90))
world.kept.addTrace(spy.id, aTrace(91))
world.telemetry.setGraph(shop.id, {
  at: NOW,
  windowMs: 300_000,
  services: [],
  edges: [],
  classes: [{ service: 'web', operation: 'GET /', count: 100, errors: 0, p50Ms: 9, p95Ms: 100 }],
})

test('recent and kept traces are one list, each once, page by page', async () => {
  const seen: number[] = []
  let cursor: string | null = null
  do {
    const { body }: { body: Listed } = await ask<Listed>(`/traces?limit=3${cursor === null ? '' : `&cursor=${cursor}`}`)
    seen.push(...ids(body))
    cursor = body.cursor
  } while (cursor !== null)
  assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8])
})

test('filters reach both: errors, length, since, and what is slow for its kind', async () => {
  assert.deepEqual(ids((await ask<Listed>('/traces?errors=true')).body), [2])
  assert.deepEqual(ids((await ask<Listed>('/traces?minMs=500')).body), [2])
  assert.deepEqual(ids((await ask<Listed>(`/traces?since=${new Date(NOW - 2500).toISOString()}`)).body), [1, 2])
  assert.deepEqual(ids((await ask<Listed>('/traces?slow=true')).body), [2, 7])
  assert.equal((await ask('/traces?slow=perhaps')).status, 400)
  assert.equal((await ask('/traces?limit=100000')).status, 400)
})

test('while one place does not answer, the other does, and the answer says so', async () => {
  world.telemetry.silent = true
  const kept = (await ask<Listed>('/traces')).body
  assert.deepEqual([ids(kept), kept.missing], [[3, 4, 5, 6, 7, 8], 'recent'])
  assert.equal((await ask(`/traces/${id(5)}`)).status, 200)
  assert.equal((await ask(`/traces/${id(99)}`)).status, 503, 'it may be where nobody answers')
  world.kept.away = true
  assert.equal((await ask('/traces')).status, 503)
  world.telemetry.silent = false
  const recent = (await ask<Listed>('/traces')).body
  assert.deepEqual([ids(recent), recent.missing], [[1, 2, 3, 4], 'kept'])
})

test('a trace is shown from either place; another tenant’s is not found', async () => {
  assert.equal((await ask(`/traces/${id(1)}`)).status, 200)
  assert.equal((await ask(`/traces/${id(8)}`)).status, 200)
  for (const n of [90, 91, 99]) assert.equal((await ask(`/traces/${id(n)}`)).status, 404, String(n))
})

test('log records are found by words, level and trace, and never another environment’s', async () => {
  const log = (text: string, severity: number, trace: string | null) => ({
    atMs: NOW - 1,
    service: 'web',
    release: 'v3',
    instance: 'e1-web-v3-1',
    severity,
    trace,
    span: null,
    text,
    attributes: null,
  })
  world.kept.addLog(shop.id, log('order 7 was refused', 18, id(1)))
  world.kept.addLog(shop.id, log('order 8 was taken', 9, null))
  world.kept.addLog(spy.id, log('order 9 of a rival', 17, id(1)))
  type Found = { items: { text: string; level: string; replica: string }[] }
  const texts = async (query: string) => (await ask<Found>(`/logs/search?${query}`)).body.items.map((it) => it.text)
  assert.deepEqual(await texts(''), ['order 8 was taken', 'order 7 was refused'])
  assert.deepEqual(await texts('words=REFUSED%20order'), ['order 7 was refused'])
  assert.deepEqual(await texts('level=warn'), ['order 7 was refused'])
  assert.deepEqual(await texts(`trace=${id(1)}`), ['order 7 was refused'])
  assert.deepEqual(await texts('release=2'), [])
  const [found] = (await ask<Found>('/logs/search?level=error')).body.items
  assert.deepEqual([found?.level, found?.replica], ['error', 'e1-web-v3-1'])
})

test('metrics that services send are listed, with their points, of this environment only', async () => {
  const point = {
    atMs: NOW - 1000,
    service: 'web',
    release: 'v1',
    instance: 'e1-web-v1-1',
    name: 'cart.items',
    unit: '',
    value: 3,
    count: null,
    attributes: { region: 'eu' },
  }
  world.kept.addSample(shop.id, point)
  world.kept.addSample(spy.id, { ...point, name: 'theirs' })
  const names = await ask<{ items: { name: string; lastAt: string }[] }>('/samples/names')
  assert.deepEqual(
    names.body.items.map((it) => [it.name, it.lastAt]),
    [['cart.items', new Date(NOW - 1000).toISOString()]],
  )
  const points = await ask<{ items: { value: number; attributes: unknown }[] }>('/samples?name=cart.items&service=web')
  assert.deepEqual(
    points.body.items.map((it) => [it.value, it.attributes]),
    [[3, { region: 'eu' }]],
  )
  assert.deepEqual((await ask<{ items: unknown[] }>('/samples?name=theirs')).body.items, [])
  assert.deepEqual((await ask<{ items: unknown[] }>('/samples/names?service=api')).body.items, [])
  assert.equal((await ask('/samples')).status, 400)
  assert.equal((await ask('/samples?name=cart.items&limit=100000')).status, 400)
})
