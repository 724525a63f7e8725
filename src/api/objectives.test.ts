import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { apiApp } from './app.ts'
import { contextOf } from './context.ts'
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
