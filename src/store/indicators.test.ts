import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { bucketOf, quantile } from '../core/model/latency-sketch.ts'
import { PostgresQueries } from './postgres-queries.ts'
import { PostgresWrites } from './postgres-writes.ts'
import { startTestPostgres, TEST_SEALER } from './testing.ts'

const MINUTE = 60_000
const postgres = await startTestPostgres()
after(() => postgres.stop())

const { database } = await postgres.freshStore()
const writes = new PostgresWrites(database, TEST_SEALER)
const queries = new PostgresQueries(database)
const shop = { tenant: 'acme', app: 'shop', environment: 'production' }
const spy = { tenant: 'rivals', app: 'spy', environment: 'production' }
const ids = await Promise.all(
  [shop, spy].map(async (ref) => {
    const { body } = await writes.transaction({ by: 'ann', scope: 'ann', idempotency: null }, async (write) => {
      await write.createTenant(ref.tenant)
      return { status: 201, body: await write.ensureEnvironment(ref) }
    })
    return (body as { id: string }).id
  }),
)

interface Counted {
  readonly service: string
  readonly minutesAgo: number
  readonly route?: string
  readonly origin?: number
  readonly requests: number
  readonly errors?: number
  readonly latency: readonly number[]
}
async function count(environment: string, { service, minutesAgo, route = '/', origin = 1, requests, errors = 0, latency }: Counted): Promise<void> {
  await database.rows(
    `insert into counters (environment, stored_at, from_ms, to_ms, version_epoch, version_n, hop, track, service, origin, route, requests, errors, rejected4xx, aborted, html, latency)
     values ($1, now() - $2 * interval '1 minute', 0, 1, 1, 1, 'entry', 'stable', $3, $4, $5, $6, $7, 0, 0, 0, $8)`,
    [environment, minutesAgo, service, origin, route, requests, errors, latency],
  )
}
const [fast, slow] = [bucketOf(10), bucketOf(1000)]
await count(ids[0] as string, { service: 'web', minutesAgo: 1, requests: 90, latency: [fast, 90] })
await count(ids[0] as string, { service: 'web', minutesAgo: 2, requests: 10, errors: 2, latency: [slow, 10], route: '/cart', origin: 2 })
await count(ids[0] as string, { service: 'web', minutesAgo: 40, requests: 100, latency: [fast, 50, slow, 50] })
await count(ids[0] as string, { service: 'web', minutesAgo: 400, requests: 1000, errors: 1000, latency: [slow, 1000] })
await count(ids[0] as string, { service: 'api', minutesAgo: 1, requests: 1, latency: [] })
await count(ids[1] as string, { service: 'web', minutesAgo: 1, requests: 77, latency: [fast, 77] })

test('counts of several times come from one reading, each with what lies in it and nothing older', async () => {
  const windowsMs = [60 * MINUTE, 5 * MINUTE, 360 * MINUTE]
  const [web, api, ...more] = await queries.indicators(shop, { windowsMs, by: 'service', limit: 10 })
  assert.deepEqual([web?.service, api?.service, more.length], ['web', 'api', 0])
  assert.deepEqual(
    web?.windows.map(({ requests, errors, latency }) => ({ requests, errors, latency })),
    [
      { requests: 200, errors: 2, latency: [fast, 140, slow, 60] },
      { requests: 100, errors: 2, latency: [fast, 90, slow, 10] },
      { requests: 200, errors: 2, latency: [fast, 140, slow, 60] },
    ],
  )
  assert.deepEqual(api?.windows[1], { requests: 1, errors: 0, rejected4xx: 0, latency: [] })
  assert.equal(quantile(api?.windows[1]?.latency ?? [], 0.5), null)
})

test('routes and releases have rows of their own, and no more than asked for', async () => {
  const request = { windowsMs: [5 * MINUTE], limit: 10 } as const
  const of = async (by: 'route' | 'release') =>
    (await queries.indicators(shop, { ...request, by })).map((it) => [it.service, it.route, it.release, it.windows[0]?.requests])
  assert.deepEqual(await of('route'), [
    ['web', '/', null, 90],
    ['web', '/cart', null, 10],
    ['api', '/', null, 1],
  ])
  assert.deepEqual(await of('release'), [
    ['web', null, 1, 90],
    ['web', null, 2, 10],
    ['api', null, 1, 1],
  ])
  assert.equal((await queries.indicators(shop, { ...request, by: 'route', limit: 2 })).length, 2)
})

test('objectives set by hand are kept by service, taken back one by one, and audited', async () => {
  const set = (ref: typeof shop, service: string, objectives: Record<string, number | null>) =>
    writes.transaction({ by: 'ann', scope: 'ann', idempotency: null }, async (write) => {
      await write.setObjectives(ref, service, objectives)
      return { status: 200, body: null }
    })
  await set(shop, 'web', { latencyP95: 250, availability: 0.999 })
  await set(shop, 'api', { throughput: 10 })
  await set(shop, 'web', { availability: null })
  assert.deepEqual((await queries.environment(shop))?.objectives, { web: { latencyP95: 250 }, api: { throughput: 10 } })
  await set(shop, 'web', { latencyP95: null })
  assert.deepEqual((await queries.environment(shop))?.objectives, { api: { throughput: 10 } })
  assert.deepEqual((await queries.environment(spy))?.objectives, {})
  assert.equal((await queries.audit('acme', { limit: 1, cursor: null })).items[0]?.action, 'objectives.set')
  await assert.rejects(set({ ...shop, app: 'nope' }, 'web', {}), { code: 'E_NOT_FOUND' })
})
