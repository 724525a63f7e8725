import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { SignatureCount } from '../telemetry/telemetry.ts'
import { apiApp } from './app.ts'
import { contextOf } from './context.ts'
import { AT, FakeWorld, testOptions, VERBS_OF } from './testing.ts'

const NOW = Date.parse(AT)
const world = new FakeWorld()
const shop = world.addEnvironment({ tenant: 'acme', app: 'shop', environment: 'production' }, { current: 1 })
const spy = world.addEnvironment({ tenant: 'rivals', app: 'spy', environment: 'production' }, { current: 1 })
const token = world.addToken({ tenants: { acme: VERBS_OF.viewer } })
const app = await apiApp(contextOf(world.ports(), testOptions()))
after(() => app.close())

const trace = 'ab'.repeat(16)
const line = (release: string, signature: string, count: number, over: Partial<SignatureCount> = {}): SignatureCount => ({
  service: 'web',
  release,
  signature,
  count,
  before: 0,
  clients: [],
  firstSeen: NOW - 5000,
  lastSeen: NOW - 1000,
  trace: null,
  ...over,
})
world.telemetry.setErrors(shop.id, [
  line('v3', 'Old', 2, { before: 40, firstSeen: NOW - 80_000_000 }),
  line('v4', 'Old', 1, { trace, lastSeen: NOW }),
  line('v4', 'New', 9),
  line('v3', 'Gone', 0, { before: 3 }),
  line('', 'Of api', 1, { service: 'api' }),
])
world.telemetry.setErrors(spy.id, [line('v1', 'Secret', 1)])

interface Answer {
  since: string
  items: { signature: string; releases: unknown[]; trace: string | null; count: number; before: number; firstSeen: string; lastSeen: string }[]
}
async function ask(query: string, name = 'shop'): Promise<{ status: number; body: Answer }> {
  const answer = await app.inject({ url: `/api/v1/apps/${name}/environments/production/errors${query}`, headers: { authorization: `Bearer ${token}` } })
  return { status: answer.statusCode, body: answer.json() as Answer }
}
const named = ({ items }: Answer) => items.map(({ signature, count }) => `${signature} ${count}`)

test('errors are listed by signature over all releases, with what each release met of them and whether they were there before', async () => {
  const { body } = await ask('')
  assert.deepEqual(named(body), ['New 9', 'Old 3', 'Of api 1'])
  const [, old] = body.items
  assert.deepEqual(old?.releases, [
    { release: 'v4', count: 1, before: 0 },
    { release: 'v3', count: 2, before: 40 },
  ])
  assert.deepEqual([old?.before, old?.trace, old?.lastSeen, old?.firstSeen], [40, trace, AT, new Date(NOW - 80_000_000).toISOString()])
  assert.equal(body.since, new Date(NOW - 3_600_000).toISOString())
})

test('they are chosen by service and release, and looked for a day back at most', async () => {
  assert.deepEqual(named((await ask('?service=api')).body), ['Of api 1'])
  assert.deepEqual(named((await ask('?release=3')).body), ['Old 3'])
  assert.deepEqual(named((await ask('?limit=1')).body), ['New 9'])
  assert.equal((await ask('?since=2020-01-01T00:00:00Z')).body.since, new Date(NOW - 86_400_000).toISOString())
  assert.equal((await ask('?since=yesterday')).status, 400)
})

test('another tenant’s are not found, and a telemetry process that does not answer is told of', async () => {
  assert.equal((await ask('', 'spy')).status, 404)
  world.telemetry.silent = true
  assert.equal((await ask('')).status, 503)
  world.telemetry.silent = false
})
