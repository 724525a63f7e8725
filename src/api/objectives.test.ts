import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { KIND } from '../core/tracegraph/spans.ts'
import { apiApp } from './app.ts'
import { contextOf } from './context.ts'
import { objectivesOf } from './objectives.ts'
import { FakeWorld, testOptions, VERBS_OF } from './testing.ts'

const world = new FakeWorld()
const SHOP = { tenant: 'acme', app: 'shop', environment: 'production' }
world.addEnvironment(SHOP, { current: 1 })
const token = world.addToken({ tenants: { acme: VERBS_OF.developer } })
const app = await apiApp(contextOf(world.ports(), testOptions()))
after(() => app.close())

async function ask<T>(path: string, body?: object): Promise<{ status: number; body: T }> {
  const answer = await app.inject({
    method: body ? 'PATCH' : 'GET',
    url: `/api/v1/apps/shop/environments/production${path}`,
    headers: { authorization: `Bearer ${token}` },
    ...(body ? { payload: body } : {}),
  })
  return { status: answer.statusCode, body: answer.json() as T }
}
interface Status {
  items: { service: string; objective: string; target: number; setBy: string; actual: number | null; met: boolean | null; alarm: string | null }[]
}

test('without objectives nothing is counted; set by hand, they are in force at once', async () => {
  assert.deepEqual((await ask('/objectives')).body, { items: [] })
  const set = await ask('/services/web/objectives', { latencyP95: 5, availability: 0.95 })
  assert.deepEqual(set.body, { service: 'web', objectives: { latencyP95: 5, availability: 0.95 } })
  const { items } = (await ask<Status>('/objectives')).body
  assert.deepEqual(
    items.map(({ service, objective, setBy, met }) => [service, objective, setBy, met]),
    [
      ['web', 'latencyP95', 'hand', false],
      ['web', 'availability', 'hand', true],
    ],
  )
  assert.equal(items[1]?.actual, 0.99)
  assert.deepEqual((await ask('/services/web/objectives', { latencyP95: null })).body, { service: 'web', objectives: { availability: 0.95 } })
})

test('what no objective can be is refused, and so is a service that is not there', async () => {
  assert.equal((await ask('/services/web/objectives', { availability: 99.9 })).status, 400)
  assert.equal((await ask('/services/web/objectives', { latency: 5 })).status, 400)
  assert.equal((await ask('/services/nope/objectives', { latencyP95: 5 })).status, 404)
})

test('indicators by service, and what replicas take', async () => {
  const { body } = await ask<{ minutes: number; items: Record<string, unknown>[] }>('/indicators?minutes=10')
  assert.equal(body.items[0]?.['throughput'], 100 / 600)
  assert.deepEqual([body.items[0]?.['errorShare'], body.items[0]?.['rejected4xxShare'], body.items[0]?.['source']], [0.01, 0.02, 'gateway'])
  assert.deepEqual([body.items[0]?.['cpu'], body.items[0]?.['memoryBytes'], body.items[0]?.['memoryPeakBytes']], [0.25, 2 ** 26, 2 ** 27])
  world.kept.away = true
  const { body: without } = await ask<{ items: unknown[]; missing: string }>('/indicators')
  assert.deepEqual([without.items.length, without.missing], [1, 'traces'])
  world.kept.away = false
  assert.equal((await ask('/indicators?by=colour')).status, 400)
  world.usage.push({ id: 'e1-web-v3-7', cpuMs: 1500, memoryBytes: 100, limits: { cpu: 0.5, memoryBytes: 1000 } })
  assert.deepEqual((await ask('/usage')).body, {
    items: [{ replica: 'e1-web-v3-7', service: 'web', release: 3, cpuSeconds: 1.5, memoryBytes: 100, cpuLimit: 0.5, memoryLimitBytes: 1000 }],
  })
})

test('probes are an indicator like the others', async () => {
  const { body } = await ask<{ items: Record<string, unknown>[] }>('/indicators?by=probe&service=web')
  assert.deepEqual(
    body.items.map((it) => [it['service'], it['probe'], it['source'], it['requests'], it['availability']]),
    [
      ['web', 'home', 'probes', 5, 0.8],
      ['web', 'gone', 'probes', 1, 1],
    ],
  )
  assert.deepEqual((await ask<{ items: unknown[] }>('/indicators?by=probe&service=api')).body.items, [])
  assert.equal((await ask<{ items: Record<string, unknown>[] }>('/indicators')).body.items[0]?.['probe'], null)
})

test('a worker that nothing reaches through the gateway is measured by what its spans say it took in', async () => {
  const now = Date.parse('2026-11-22T12:00:30Z')
  const point = (minutesAgo: number, count: number, errors: number) => ({
    atMs: now - 30_000 - minutesAgo * 60_000,
    count,
    errors,
    rejected4xx: 0,
    durationMs: 0,
    exclusiveMs: 0,
    latency: [],
  })
  const series = (spanKind: number, points: object[]) => ({ service: 'worker', operation: 'take', peer: '', release: 'v1', spanKind, points })
  const asked: object[] = []
  const ports = {
    now: () => now,
    queries: { indicators: async () => [] },
    kept: {
      rollups: async (_: string, query: object) => {
        asked.push(query)
        return { widthMs: 60_000, series: [series(KIND.consumer, [point(1, 90, 0), point(20, 10, 10)]), series(KIND.client, [point(1, 500, 500)])] }
      },
    },
  }
  const detail = { id: 'e1', graph: { services: { worker: { objectives: { availability: 0.99 } } } }, objectives: {} }
  const statusOf = (kept: object) => objectivesOf({ ...ports, kept } as never, SHOP, detail as never)
  const [status] = await statusOf(ports.kept)
  assert.deepEqual([status?.actual, status?.met, status?.burn.short], [0.9, false, 0])
  assert.equal(status?.burn.medium?.toFixed(6), '10.000000')
  assert.deepEqual(asked, [
    { kind: 'operation', service: 'worker', operation: null, peer: null, release: null, widthMs: 60_000, limit: 500, fromMs: now - 360 * 60_000, toMs: now },
  ])
  for (const kept of [{ rollups: async () => ({ widthMs: 60_000, series: [] }) }, { rollups: async () => Promise.reject(new Error('away')) }])
    assert.deepEqual([(await statusOf(kept))[0]?.actual, (await statusOf(kept))[0]?.met], [null, null])
})

test('availability is measured a second time by the probes that are declared', async () => {
  const probe = (name: string, requests: number, errors: number) => ({
    service: 'web',
    probe: name,
    counts: { requests, errors, rejected4xx: 0, latency: [] },
    last: { ok: true, durationMs: 1 },
  })
  const asked: number[] = []
  const ports = {
    now: () => 0,
    kept: { rollups: async () => ({ widthMs: 60_000, series: [] }) },
    queries: {
      indicators: async () => [
        { service: 'web', route: null, release: null, windows: Array.from({ length: 4 }, () => ({ requests: 1000, errors: 0, rejected4xx: 0, latency: [] })) },
      ],
      probes: async (_: unknown, windowMs: number) => (asked.push(windowMs / 60_000), [probe('home', windowMs / 60_000, 6), probe('gone', 1000, 1000)]),
    },
  }
  const service = (probes: object) => ({ objectives: { availability: 0.99, latencyP95: 250 }, ...probes })
  const detail = (probes: object) => ({ id: 'e1', graph: { services: { web: service(probes) } }, objectives: {} })
  const items = await objectivesOf(ports as never, SHOP, detail({ probes: { home: {} } }) as never)
  assert.deepEqual(
    items.map((it) => [it.objective, it.source, it.actual]),
    [
      ['availability', 'gateway', 1],
      ['latencyP95', 'gateway', null],
      ['availability', 'probes', 0.9],
    ],
  )
  assert.equal(items[2]?.alarm, null) // 10 times as fast as it may: not yet 14.4
  assert.deepEqual(asked, [5, 30, 60, 360])
  assert.equal((await objectivesOf(ports as never, SHOP, detail({}) as never)).length, 2)
})
