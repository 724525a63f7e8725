import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { apiApp } from './app.ts'
import { contextOf } from './context.ts'
import { AT, FakeWorld, testOptions, VERBS_OF } from './testing.ts'

const SHOP = { tenant: 'acme', app: 'shop', environment: 'production' }
const BASE = '/api/v1/apps/shop/environments/production'
const GIT = { source: { kind: 'git', url: 'https://git.example.com/shop.git' } }

async function start() {
  const world = new FakeWorld()
  world.addEnvironment(SHOP, { current: 1 })
  const token = world.addToken({ tenants: { acme: VERBS_OF.admin } })
  const context = contextOf(world.ports(), testOptions())
  const app = await apiApp(context)
  after(() => app.close())
  const send = async (
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: object,
    headers: Record<string, string> = {},
    secret = token,
  ) => {
    const response = await app.inject({ method, url, headers: { authorization: `Bearer ${secret}`, ...headers }, ...(body ? { payload: body } : {}) })
    return { status: response.statusCode, headers: response.headers, body: response.json() as Record<string, never> }
  }
  return { world, send, app }
}

test('the same key gives the same answer and does nothing twice', async () => {
  const { world, send } = await start()
  const headers = { 'idempotency-key': 'k1' }
  const first = await send('POST', `${BASE}/releases`, GIT, headers)
  const second = await send('POST', `${BASE}/releases`, GIT, headers)
  assert.equal(first.status, 202)
  assert.deepEqual(second.body, first.body)
  assert.equal(second.headers['idempotency-replayed'], 'true')
  assert.equal(world.releases.get('acme/shop/production')?.length, 1)
})

test('fifty at once with one key make one release', async () => {
  const { world, send } = await start()
  const answers = await Promise.all(Array.from({ length: 50 }, () => send('POST', `${BASE}/releases`, GIT, { 'idempotency-key': 'k' })))
  assert.deepEqual(new Set(answers.map((it) => JSON.stringify(it.body))).size, 1)
  assert.equal(world.releases.get('acme/shop/production')?.length, 1)
})

test('the same key with another body, path, tenant or If-Match is a conflict', async () => {
  const { send } = await start()
  const headers = { 'idempotency-key': 'k1' }
  await send('POST', `${BASE}/stop`, { service: 'web' }, headers)
  for (const answer of [
    await send('POST', `${BASE}/stop`, {}, headers),
    await send('POST', `${BASE}/start`, { service: 'web' }, headers),
    await send('POST', `${BASE}/stop`, { service: 'web' }, { ...headers, 'if-match': '"x"' }),
  ]) {
    assert.equal(answer.status, 409)
    assert.equal(answer.body['code'], 'E_IDEMPOTENCY')
  }
})

test('keys of different tokens have nothing to do with each other', async () => {
  const { world, send } = await start()
  const other = world.addToken({ tenants: { acme: VERBS_OF.admin } })
  await send('POST', `${BASE}/releases`, GIT, { 'idempotency-key': 'k' })
  const theirs = await send('POST', `${BASE}/releases`, GIT, { 'idempotency-key': 'k' }, other)
  assert.equal(theirs.body['number'], 2)
})

test('a key that cannot be one is refused', async () => {
  const { send } = await start()
  assert.equal((await send('POST', `${BASE}/stop`, {}, { 'idempotency-key': 'x'.repeat(300) })).status, 400)
})

test('an attempt that failed may be repeated with its key', async () => {
  const { world, send } = await start()
  const headers = { 'idempotency-key': 'k' }
  assert.equal((await send('POST', '/api/v1/apps/shop/environments/staging/stop', {}, headers)).status, 404)
  world.addEnvironment({ ...SHOP, environment: 'staging' })
  assert.equal((await send('POST', '/api/v1/apps/shop/environments/staging/stop', {}, headers)).status, 202)
})

test('variables are staged, shown with an ETag, and not overwritten from an old page', async () => {
  const { send } = await start()
  const before = await send('GET', `${BASE}/variables`)
  const etag = String(before.headers['etag'])
  const changed = await send('PATCH', `${BASE}/variables`, { service: 'web', set: { A: '1', B: '2' } }, { 'if-match': etag })
  assert.equal(changed.status, 200)
  const late = await send('PATCH', `${BASE}/variables`, { set: { A: '3' } }, { 'if-match': etag })
  assert.equal(late.status, 409)
  assert.equal(late.body['code'], 'E_CONFLICT')
  const after = await send('GET', `${BASE}/variables`)
  assert.deepEqual(after.body['staged'], { web: { A: '1', B: '2' } })
  assert.equal(after.headers['etag'], changed.body['etag'])
  const unset = await send('PATCH', `${BASE}/variables`, { service: 'web', unset: ['A'] }, { 'if-match': String(changed.body['etag']) })
  assert.deepEqual(unset.body['staged'], { web: { B: '2' } })
})

test('a secret goes in and never comes out', async () => {
  const { world, send } = await start()
  const set = await send('PUT', `${BASE}/secrets/session-key`, { value: 'hunter2' })
  assert.deepEqual(set.body, { name: 'session-key', version: 1 })
  assert.equal(world.secrets.get('acme/shop/production')?.get('session-key')?.value, 'hunter2')
  const listed = await send('GET', `${BASE}/secrets`)
  assert.deepEqual(listed.body['items'], [{ name: 'session-key', version: 1, by: 'ann', at: AT }])
  assert.ok(!JSON.stringify(listed.body).includes('hunter2'))
})

test('a command is accepted and can be followed, in its own environment only', async () => {
  const { world, send } = await start()
  world.addEnvironment({ ...SHOP, environment: 'staging' })
  const accepted = await send('PUT', `${BASE}/services/web/scale`, { replicas: 3 })
  assert.deepEqual([accepted.status, accepted.body], [202, { command: 1 }])
  assert.deepEqual(world.commands[0]?.command, { kind: 'scale', service: 'web', replicas: 3 })
  assert.equal((await send('GET', `${BASE}/commands/1`)).body['outcome'], 'pending')
  assert.equal((await send('GET', '/api/v1/apps/shop/environments/staging/commands/1')).status, 404)
})

test('a job run now carries the command of the manifest, and is found while it waits', async () => {
  const { world, send } = await start()
  const { body } = await send('POST', `${BASE}/jobs/nightly/run`)
  assert.deepEqual(world.commands[0]?.command, {
    kind: 'run',
    task: body['task'],
    service: 'web',
    argv: ['node', 'report.js'],
    timeoutMs: 1000,
    job: 'nightly',
  })
  assert.equal((await send('GET', `${BASE}/tasks/${body['task']}`)).body['phase'], 'waiting')
  assert.equal((await send('GET', `${BASE}/tasks/e1-run-zzzzzzzz-000000000000`)).status, 404)
})

test('promotion takes the artifacts of the release that serves elsewhere', async () => {
  const { world, send } = await start()
  world.addEnvironment({ ...SHOP, environment: 'staging' }, { current: 7 })
  const { status, body } = await send('POST', `${BASE}/promote`, { from: 'staging' })
  assert.equal(status, 202)
  assert.equal(body['source']?.['label'], 'v7 of staging')
  assert.deepEqual(world.releases.get('acme/shop/production')?.[0]?.source, { kind: 'release', number: 7, environment: 'staging' })
})

test('a token cannot hand out more than it has', async () => {
  const { world, send } = await start()
  const narrow = world.addToken({ tenants: { acme: ['app:read', 'token:manage'] } })
  const refused = await send('POST', '/api/v1/tokens', { label: 'x', verbs: ['app:exec'] }, {}, narrow)
  assert.equal(refused.status, 403)
  assert.match(String(refused.body['cause']), /app:exec/)
  assert.equal((await send('POST', '/api/v1/tokens', { label: 'x', verbs: ['app:read'] }, {}, narrow)).status, 201)
  assert.equal((await send('POST', '/api/v1/tokens', { label: 'x', days: 91 })).status, 400)
})

test('everyone may end the token that asks; others only their own, or a manager', async () => {
  const { world, send } = await start()
  const viewer = world.addToken({ tenants: { acme: VERBS_OF.viewer } }) // token 2
  const ann = world.addToken({ tenants: { acme: VERBS_OF.developer }, account: 'ann' }) // token 3
  world.addToken({ tenants: { acme: VERBS_OF.developer }, account: 'ann' }) // token 4
  assert.equal((await send('DELETE', '/api/v1/tokens/current', undefined, {}, viewer)).status, 200)
  assert.equal((await send('DELETE', '/api/v1/tokens/3', undefined, {}, viewer)).status, 403)
  assert.equal((await send('DELETE', '/api/v1/tokens/2', undefined, {}, ann)).status, 404)
  assert.equal((await send('DELETE', '/api/v1/tokens/4', undefined, {}, ann)).status, 200)
  const listed = (await send('GET', '/api/v1/tokens', undefined, {}, ann)).body['items'] as unknown as { id: number }[]
  assert.deepEqual(
    listed.map((it) => it.id),
    [3, 4],
  )
  assert.equal((await send('DELETE', '/api/v1/tokens/3')).status, 200)
})

test('who registers gets a tenant of their own and cannot choose another', async () => {
  const { world, app } = await start()
  const register = (body: object) => app.inject({ method: 'POST', url: '/api/v1/accounts', payload: { name: 'bob', password: 'long enough it is', ...body } })
  assert.equal((await register({})).statusCode, 403)
  world.registrationOpen = true
  assert.equal((await register({ tenant: 'acme' })).statusCode, 403)
  assert.equal((await register({ admin: true })).statusCode, 403)
  assert.deepEqual((await register({})).json(), { name: 'bob', tenant: 'bob', role: 'admin', admin: false })
})

test('counters of a service are summed over its hops, with latencies', async () => {
  const { send } = await start()
  const { body } = await send('GET', `${BASE}/counters?minutes=10`)
  const [web] = body['services'] as unknown as Record<string, number>[]
  assert.deepEqual([web?.['requests'], web?.['errors'], web?.['rejected4xx']], [100, 1, 2])
  assert.ok((web?.['p95Ms'] ?? 0) > (web?.['p50Ms'] ?? 0))
})

test('lists go on where their cursor says', async () => {
  const { world, send } = await start()
  for (let i = 0; i < 5; i++) world.addRelease(SHOP)
  const numbers = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body }: { body: Record<string, unknown> } = await send('GET', `${BASE}/releases?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
    numbers.push(...(body['items'] as { number: number }[]).map((it) => it.number))
    cursor = body['cursor'] as string | null
  }
  assert.deepEqual(numbers, [5, 4, 3, 2, 1])
})

test('log pages lead back in time without a line lost or doubled', async () => {
  const { world, send } = await start()
  for (let i = 0; i < 10; i++) world.lines.push({ time: 1000 + Math.floor(i / 3), stream: 'out', text: `line ${i}`, source: 'e1-web-v1-1' })
  const texts: string[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body }: { body: Record<string, unknown> } = await send('GET', `${BASE}/logs?limit=4${cursor === '' ? '' : `&cursor=${cursor}`}`)
    texts.unshift(...(body['items'] as { text: string }[]).map((it) => it.text))
    cursor = body['cursor'] as string | null
  }
  assert.deepEqual(
    texts,
    Array.from({ length: 10 }, (_, i) => `line ${i}`),
  )
})

test('events are listed newest first, page by page, and no page is larger than the store gives', async () => {
  const { world, send } = await start()
  for (let n = 1; n <= 5; n++) world.addEvent(SHOP, `event ${n}`)
  const first = await send('GET', '/api/v1/events?limit=3')
  const texts = (body: Record<string, never>) => (body['items'] as unknown as { text: string }[]).map((it) => it.text)
  assert.deepEqual(texts(first.body), ['event 5', 'event 4', 'event 3'])
  const second = await send('GET', `/api/v1/events?limit=3&cursor=${String(first.body['cursor'])}`)
  assert.deepEqual([texts(second.body), second.body['cursor']], [['event 2', 'event 1'], null])
  assert.equal((await send('GET', '/api/v1/events?limit=200')).status, 200)
  assert.equal((await send('GET', '/api/v1/events?limit=201')).status, 400)
})

test('replicas beyond the bounds of the manifest are refused at once, for people and outside scalers alike', async () => {
  const { send, world } = await start()
  for (const replicas of [0, 6]) {
    const { status, body } = await send('PUT', `${BASE}/services/web/scale`, { replicas })
    assert.deepEqual([status, body['code']], [409, 'E_CONFLICT'])
    assert.match(String(body['message']), /`scale\.(min|max)` of the manifest/)
  }
  assert.deepEqual(world.commands, [])
  assert.equal((await send('PUT', `${BASE}/services/web/scale`, { replicas: null })).status, 202)
})

test('an address or branch that can never be fetched is refused at once and makes no release', async () => {
  const { send, world } = await start()
  for (const [change, expected] of [
    [{ url: '--upload-pack=touch' }, 422],
    [{ ref: '--upload-pack=x' }, 400],
  ] as const) {
    for (const path of ['releases', 'plan']) assert.equal((await send('POST', `${BASE}/${path}`, { source: { ...GIT.source, ...change } })).status, expected)
  }
  assert.equal((await send('POST', `${BASE}/follow`, { url: '-x', ref: 'main' })).status, 422)
  assert.deepEqual(world.releases.get('acme/shop/production') ?? [], [])
})

test('an outside scaler needs app:scale and nothing else', async () => {
  const { world, send } = await start()
  const scaler = world.addToken({ tenants: { acme: ['app:scale'] }, environment: 'shop/production' })
  assert.equal((await send('PUT', `${BASE}/services/web/scale`, { replicas: 3 }, {}, scaler)).status, 202)
  assert.deepEqual(world.commands.at(-1)?.command, { kind: 'scale', service: 'web', replicas: 3 })
  assert.equal((await send('POST', `${BASE}/stop`, {}, {}, scaler)).status, 403)
  const operator = world.addToken({ tenants: { acme: ['app:operate'] } })
  assert.equal((await send('PUT', `${BASE}/services/web/scale`, { replicas: 3 }, {}, operator)).status, 403)
})

test('a password is changed by whoever knows the present one, or by an admin of the installation', async () => {
  const { world, send } = await start()
  const ann = world.addToken({ tenants: { acme: VERBS_OF.viewer }, account: 'ann' })
  const admin = world.addToken({ tenants: {}, admin: true })
  const url = '/api/v1/accounts/ann/password'
  const wanted = { password: 'battery staple' }
  assert.equal((await send('PUT', url, wanted, {}, ann)).status, 400)
  assert.equal((await send('PUT', url, { ...wanted, current: 'wrong' }, {}, ann)).status, 403)
  assert.equal((await send('PUT', url, { ...wanted, current: 'correct horse' })).status, 404, 'an admin of a tenant is none of the installation')
  assert.equal((await send('PUT', url, { password: 'short', current: 'correct horse' }, {}, ann)).status, 400)
  assert.equal(world.passwords.size, 0)
  assert.equal((await send('PUT', url, { ...wanted, current: 'correct horse' }, {}, ann)).status, 200)
  assert.equal(world.passwords.get('ann'), 'hash of battery staple')
  assert.equal((await send('PUT', url, { password: 'given by an admin' }, {}, admin)).status, 200)
  assert.equal(world.passwords.get('ann'), 'hash of given by an admin')
})

test('a plan says what the first deploy would do, and makes neither app nor environment', async () => {
  const { world, send } = await start()
  const { status, body } = await send('POST', '/api/v1/apps/fresh/environments/production/plan', GIT)
  assert.deepEqual([status, body['app'], body['base']], [200, 'fresh', null])
  assert.equal(world.environments.has('acme/fresh/production'), false)
})
