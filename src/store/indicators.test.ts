import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { bucketOf, quantile, sparse } from '../core/model/latency-sketch.ts'
import { commitCounters } from './counters.ts'
import { PostgresQueries } from './postgres-queries.ts'
import { PostgresWrites } from './postgres-writes.ts'
import { readIndicators } from './read-indicators.ts'
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

test('sums of minutes give what the counters give, to the millisecond at which each time begins', async () => {
  const ref = { tenant: 'acme', app: 'sums', environment: 'production' }
  const { body } = await writes.transaction({ by: 'ann', scope: 'ann', idempotency: null }, async (write) => ({
    status: 201,
    body: await write.ensureEnvironment(ref),
  }))
  const { id } = body as { id: string }
  await database.rows(
    `insert into counters (environment, stored_at, from_ms, to_ms, version_epoch, version_n, hop, track, service, origin, route, requests, errors, rejected4xx, aborted, html, latency)
     select $1, now() - n * interval '1777 ms', 0, 1, 1, 1, 'entry', 'stable', 'web', 1, '/' || n % 7, n % 5 + 1, n % 3 / 2, n % 11 / 10, 0, 0, array[n % 40, n % 5 + 1]
     from generate_series(0, 13000) n`,
    [id],
  )
  await database.transaction(async (query) => {
    const windowsMs = [5, 30, 60, 360].map((it) => it * MINUTE)
    const [byMinute] = await readIndicators(query, ref, { windowsMs, by: 'service', limit: 10 })
    const [sketches, counts] = [windowsMs.map(() => new Map<number, number>()), windowsMs.map(() => [0, 0, 0])]
    const rows = await query.rows<{ ago: number; requests: number; errors: number; rejected4xx: number; latency: [number, number] }>(
      `select (extract(epoch from now() - stored_at) * 1000)::float8 as ago, requests, errors, rejected4xx, latency from counters where environment = $1`,
      [id],
    )
    for (const { ago, requests, errors, rejected4xx, latency } of rows) {
      for (const [at, windowMs] of windowsMs.entries()) {
        if (ago >= windowMs) continue
        counts[at] = (counts[at] as number[]).map((sum, which) => sum + ([requests, errors, rejected4xx][which] as number))
        const sketch = sketches[at] as Map<number, number>
        sketch.set(latency[0], (sketch.get(latency[0]) ?? 0) + latency[1])
      }
    }
    assert.deepEqual(
      byMinute?.windows.map((it) => [it.requests, it.errors, it.rejected4xx]),
      counts,
    )
    assert.deepEqual(
      byMinute?.windows.map((it) => it.latency),
      sketches.map(sparse),
    )
  }, null)
})

test('a block that comes again is in the sums once', async () => {
  const ref = { tenant: 'acme', app: 'again', environment: 'production' }
  const { body } = await writes.transaction({ by: 'ann', scope: 'ann', idempotency: null }, async (write) => ({
    status: 201,
    body: await write.ensureEnvironment(ref),
  }))
  const { id } = body as { id: string }
  await database.rows('insert into lease (epoch) values (1) on conflict (only_one) do update set epoch = 1')
  const row = {
    environment: id,
    version: { epoch: 1, n: 1 },
    hop: 'entry',
    track: 'stable',
    service: 'web',
    origin: 1,
    route: '/',
    html: 0,
    aborted: 0,
  } as const
  const block = (sequence: number) => ({
    incarnation: 'w1',
    sequence,
    from: 0,
    to: 1,
    rows: [{ ...row, requests: 3, errors: 1, rejected4xx: 0, latency: [fast, 3] }],
    evidence: [],
  })
  for (const blocks of [[block(1)], [block(1), block(2), block(2)], [block(2), block(1)]]) await commitCounters(database, 1, blocks)
  const [web] = await queries.indicators(ref, { windowsMs: [360 * MINUTE], by: 'service', limit: 10 })
  assert.deepEqual(web?.windows, [{ requests: 6, errors: 2, rejected4xx: 0, latency: [fast, 6] }])
})

test('six hours of fifty routes are added up from little: many times faster than from the counters', async () => {
  const ref = { tenant: 'acme', app: 'busy', environment: 'production' }
  const { body } = await writes.transaction({ by: 'ann', scope: 'ann', idempotency: null }, async (write) => ({
    status: 201,
    body: await write.ensureEnvironment(ref),
  }))
  const { id } = body as { id: string }
  const sketch = (buckets: number) => `(select array_agg(v order by b, w) from generate_series(1, ${buckets}) b, lateral (values (0, b), (1, 3)) u(w, v))`
  // as the trigger would leave them, without its work
  await database.rows(
    `insert into counter_sums select $1, width, date_bin(width, now(), 'epoch') - n * width, 's' || s, 6000, 0, 0, k
     from ${sketch(60)} x(k), (values (interval '1 minute'), (interval '10 minutes')) w(width), generate_series(0, 360) n, generate_series(1, 5) s`,
    [id],
  )
  await database.rows('alter table counters disable trigger counters_are_summed')
  for (let hour = 0; hour < 6; hour++)
    await database.rows(
      `insert into counters (environment, stored_at, from_ms, to_ms, version_epoch, version_n, hop, track, service, origin, route, requests, errors, rejected4xx, aborted, html, latency)
       select $1, now() - $2 * interval '1 hour' - n * interval '10 s', 0, 1, 1, 1, 'entry', 'stable', 's' || r % 5 + 1, 1, '/' || r, 100, 0, 0, 0, 0, k
       from ${sketch(25)} x(k), generate_series(0, 359) n, generate_series(1, 50) r`,
      [id, hour],
    )
  await database.rows('alter table counters enable trigger counters_are_summed')
  await database.rows('analyze counters, counter_sums')
  const took = async (by: 'service' | 'release') => {
    const from = performance.now()
    const rows = await queries.indicators(ref, { windowsMs: [5, 30, 60, 360].map((it) => it * MINUTE), by, limit: 1000 })
    assert.equal(rows.length, 5)
    return performance.now() - from
  }
  const sumsMs = Math.min(await took('service'), await took('service'), await took('service'))
  const countersMs = await took('release')
  assert.ok(countersMs > 10 * sumsMs, `${sumsMs} ms, ${countersMs} ms`)
})
