import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { testStorage } from '../telemetry/storage/testing.ts'
import { EPOCH_MS } from '../telemetry/window/testing.ts'
import type { Page } from './queries.ts'
import { startTestPostgres, type TestPostgres } from './testing.ts'

let postgres: TestPostgres
let storage: Awaited<ReturnType<typeof testStorage>>
const RANGE = { fromMs: EPOCH_MS - 3_600_000, toMs: EPOCH_MS + 3_600_000 }

before(async () => {
  postgres = await startTestPostgres()
  storage = await testStorage(postgres)
  const { store } = storage
  const point = (service: string, name: string, atMs: number, value: number, attributes = {}) => ({
    atMs,
    service,
    release: 'v1',
    instance: `e12-${service}-v1-1`,
    name,
    unit: '',
    value,
    count: null,
    attributes,
  })
  // twelve series are flushed at once, as StatsD's are, three times
  for (const flush of [0, 1, 2]) {
    const points = Array.from({ length: 12 }, (_, n) => point(n < 6 ? 'web' : 'api', 'queue', EPOCH_MS + flush * 10_000, flush * 100 + n, { n }))
    store.samples(12, points)
  }
  store.samples(12, [point('web', 'a.first', EPOCH_MS, 1), point('api', 'z.last', EPOCH_MS - 7_200_000, 1)])
  storage.pass(60_000)
  await store.flush()
})
after(async () => {
  await storage.store.close()
  await postgres.stop()
})

async function everything<T>(page: (cursor: string | null) => Promise<Page<T>>): Promise<T[][]> {
  const pages: T[][] = []
  let cursor: string | null = null
  do {
    const answer: Page<T> = await page(cursor)
    pages.push([...answer.items])
    cursor = answer.cursor
  } while (cursor !== null)
  return pages
}

test('points of one moment are on several pages, each once, newest first', async () => {
  const pages = await everything((cursor) => storage.queries.samples('e12', { ...RANGE, name: 'queue', service: null }, { limit: 5, cursor }))
  assert.deepEqual(
    pages.map((it) => it.length),
    [5, 5, 5, 5, 5, 5, 5, 1],
  )
  const all = pages.flat()
  assert.equal(new Set(all.map((it) => it.value)).size, 36)
  assert.deepEqual(
    all.map((it) => it.atMs),
    all.map((it) => it.atMs).toSorted((a, b) => b - a),
  )
})

test('a service has its own points and metrics; what was not sent in that time is not listed', async () => {
  const { items } = await storage.queries.samples('e12', { ...RANGE, name: 'queue', service: 'api' }, { limit: 100, cursor: null })
  assert.equal(items.length, 18)
  const names = async (service: string | null) =>
    (await storage.queries.metrics('e12', { ...RANGE, service }, { limit: 100, cursor: null })).items.map((it) => [it.name, ...it.services])
  assert.deepEqual(await names(null), [
    ['a.first', 'web'],
    ['queue', 'api', 'web'],
  ])
  assert.deepEqual(await names('api'), [['queue', 'api']])
})

test('names come page by page', async () => {
  const pages = await everything((cursor) => storage.queries.metrics('e12', { ...RANGE, service: null }, { limit: 1, cursor }))
  assert.deepEqual(
    pages.map((page) => page.map((it) => it.name)),
    [['a.first'], ['queue']],
  )
})

test('of each series the newest point', async () => {
  const latest = await storage.queries.latestSamples('e12', RANGE, 100)
  assert.deepEqual(
    latest
      .filter((it) => it.name === 'queue')
      .map((it) => it.value)
      .toSorted((a, b) => a - b),
    Array.from({ length: 12 }, (_, n) => 200 + n),
  )
  assert.equal((await storage.queries.latestSamples('e12', RANGE, 4)).length, 4)
})
