import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { fastify } from 'fastify'
import { apiApp } from './app.ts'
import { contextOf } from './context.ts'
import { HANDLERS } from './handlers.ts'
import type { ApiOptions } from './options.ts'
import { registerRoutes } from './register.ts'
import { FakeWorld, testOptions, VERBS_OF } from './testing.ts'

const SHOP = { tenant: 'acme', app: 'shop', environment: 'production' }
const BASE = '/api/v1/apps/shop/environments/production'

async function start(limits: Partial<ApiOptions['limits']> = {}) {
  const world = new FakeWorld()
  world.addEnvironment(SHOP, { current: 1 })
  const token = world.addToken({ tenants: { acme: VERBS_OF.admin } })
  const context = contextOf(world.ports(), testOptions(limits))
  const app = await apiApp(context)
  after(() => {
    context.closing.abort()
    return app.close()
  })
  const send = async (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, body?: unknown, headers: Record<string, string> = {}) => {
    const json = body === undefined ? {} : { payload: body as string }
    const response = await app.inject({
      method,
      url,
      headers: { authorization: `Bearer ${token}`, ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}), ...headers },
      ...json,
    })
    return { status: response.statusCode, headers: response.headers, body: response.json() as Record<string, unknown> }
  }
  return { world, app, send, token }
}

const { world, send } = await start()

function assertProblem(answer: { status: number; headers: Record<string, unknown>; body: Record<string, unknown> }, status: number, code: string): void {
  assert.equal(answer.status, status, JSON.stringify(answer.body))
  assert.equal(answer.body['code'], code)
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
  for (const part of ['message', 'cause', 'evidence', 'state', 'next', 'docs', 'requestId']) {
    assert.ok(typeof answer.body[part] === 'string' && answer.body[part] !== '', `${code} lacks ${part}`)
  }
}

for (const [name, method, url, body, status, code] of [
  ['malformed JSON', 'POST', `${BASE}/releases`, '{"source":', 400, 'E_USAGE'],
  ['no JSON at all', 'POST', `${BASE}/releases`, undefined, 400, 'E_USAGE'],
  ['an array for an object', 'POST', `${BASE}/releases`, '[]', 400, 'E_USAGE'],
  ['a text for an object', 'POST', `${BASE}/releases`, '"x"', 400, 'E_USAGE'],
  ['a key that poisons prototypes', 'POST', `${BASE}/releases`, '{"__proto__": {"admin": true}}', 400, 'E_USAGE'],
  ['an unknown key (mass assignment)', 'POST', '/api/v1/tenants', '{"name": "a", "admin": true}', 403, 'E_FORBIDDEN'],
  ['an unknown key', 'PUT', `${BASE}/services/web/scale`, '{"replicas": 1, "min": 0}', 400, 'E_USAGE'],
  ['a body of 1 MiB and a bit', 'POST', `${BASE}/releases`, JSON.stringify({ pad: 'x'.repeat(1024 * 1024) }), 413, 'E_TOO_LARGE'],
  ['an unknown route', 'GET', '/api/v1/nothing', undefined, 404, 'E_NOT_FOUND'],
  ['a method that the route does not know', 'DELETE', '/api/v1/whoami', undefined, 405, 'E_METHOD'],
  ['a negative limit', 'GET', '/api/v1/apps?limit=-1', undefined, 400, 'E_USAGE'],
  ['a huge limit', 'GET', '/api/v1/apps?limit=1e9', undefined, 400, 'E_USAGE'],
  ['an empty limit', 'GET', '/api/v1/apps?limit=', undefined, 400, 'E_USAGE'],
  ['a limit that is no number', 'GET', '/api/v1/apps?limit=many', undefined, 400, 'E_USAGE'],
  ['a limit given twice', 'GET', '/api/v1/apps?limit=1&limit=2', undefined, 400, 'E_USAGE'],
  ['an unknown query key', 'GET', '/api/v1/apps?page=2', undefined, 400, 'E_USAGE'],
  ['a query where none is taken', 'GET', '/api/v1/whoami?x=1', undefined, 400, 'E_USAGE'],
  ['a path that climbs', 'GET', '/api/v1/apps/%2e%2e%2f', undefined, 404, 'E_NOT_FOUND'],
  ['a path with a double slash', 'GET', '/api/v1//apps', undefined, 404, 'E_NOT_FOUND'],
  ['a path that is not well encoded', 'GET', '/api/v1/apps/%zz', undefined, 404, 'E_NOT_FOUND'],
  ['a name for a shell', 'PUT', '/api/v1/apps/a%3Brm%20-rf', '{}', 422, 'E_NAME'],
  ['a name that is an option', 'PUT', '/api/v1/apps/-h', '{}', 422, 'E_NAME'],
  ['a name of 64 characters', 'PUT', `/api/v1/apps/${'a'.repeat(64)}`, '{}', 422, 'E_NAME'],
  ['an emoji for a name', 'PUT', `/api/v1/apps/${encodeURIComponent('🚀')}`, '{}', 422, 'E_NAME'],
  ['a body that is no JSON', 'POST', `${BASE}/stop`, undefined, 202, ''],
  ['replicas below zero', 'PUT', `${BASE}/services/web/scale`, '{"replicas": -1}', 400, 'E_USAGE'],
  ['half a replica', 'PUT', `${BASE}/services/web/scale`, '{"replicas": 1.5}', 400, 'E_USAGE'],
  ['a removal without its name', 'DELETE', `${BASE}?confirm=staging`, undefined, 400, 'E_USAGE'],
  ['a release number that is none', 'GET', `${BASE}/releases/abc`, undefined, 404, 'E_NOT_FOUND'],
  ['a cursor of something else', 'GET', '/api/v1/events?cursor=zzz', undefined, 400, 'E_USAGE'],
] as const) {
  test(`${name} is answered with ${status}`, async () => {
    const answer = await send(method, url, body)
    if (code === '') assert.equal(answer.status, status)
    else assertProblem(answer, status, code)
  })
}

test('all problems of a request are told at once, each with its place', async () => {
  const { body } = await send('POST', `${BASE}/rollback`, '{"to": -1, "acceptSchema": "yes", "force": true}')
  const places = (body['problems'] as { at: string }[]).map(({ at }) => at)
  assert.deepEqual(places.sort(), ['body', 'body.acceptSchema', 'body.to'])
})

test('405 says which methods there are', async () => {
  const { headers } = await send('DELETE', '/api/v1/whoami')
  assert.equal(headers['allow'], 'GET')
})

test('a change from another web page is refused', async () => {
  assertProblem(await send('POST', `${BASE}/stop`, '{}', { origin: 'https://evil.example.com', host: 'weir.example.com' }), 403, 'E_FORBIDDEN')
})

test('a wrong token is refused even where none is needed', async () => {
  assertProblem(await send('GET', '/livez', undefined, { authorization: 'Bearer nonsense' }), 401, 'E_UNAUTHENTICATED')
  assertProblem(await send('GET', '/livez', undefined, { authorization: 'Basic YTpi' }), 401, 'E_UNAUTHENTICATED')
})

test('while the store is away the answer is 503 with Retry-After, and livez stays green', async () => {
  const { world: away, app, token } = await start()
  away.away = true
  const headers = { authorization: `Bearer ${token}` }
  const refused = await app.inject({ url: '/api/v1/apps', headers })
  assert.equal(refused.statusCode, 503)
  assert.ok(Number(refused.headers['retry-after']) > 0)
  assert.equal((await app.inject({ url: '/readyz' })).statusCode, 503)
  assert.equal((await app.inject({ url: '/livez' })).statusCode, 200)
})

test('readyz names the parts that do not answer', async () => {
  const { world: halved, app } = await start()
  assert.equal((await app.inject({ url: '/readyz' })).statusCode, 200)
  halved.silent = [{ part: 'gateway', cause: 'nobody answers' }]
  const { statusCode, headers, body } = await app.inject({ url: '/readyz' })
  assertProblem({ status: statusCode, headers, body: JSON.parse(body) }, 503, 'E_UNAVAILABLE')
  assert.match(body, /gateway does not answer/)
  assert.equal((await app.inject({ url: '/livez' })).statusCode, 200)
})

test('a token that asks too often waits, others do not', async () => {
  const { world: busy, app, token } = await start({ rate: { perSecond: 1, burst: 3 } })
  const other = busy.addToken({ tenants: { acme: VERBS_OF.viewer } })
  const ask = (secret: string) => app.inject({ url: '/api/v1/apps', headers: { authorization: `Bearer ${secret}` } })
  const statuses = []
  for (let i = 0; i < 5; i++) statuses.push((await ask(token)).statusCode)
  assert.deepEqual(statuses, [200, 200, 200, 429, 429])
  const refused = await ask(token)
  assert.equal(refused.headers['retry-after'], '1')
  assertProblem({ status: refused.statusCode, headers: refused.headers, body: refused.json() }, 429, 'E_RATE')
  assert.equal((await ask(other)).statusCode, 200)
})

test('guessing passwords and tokens is slowed down by address', async () => {
  const { app } = await start({ attempts: { perSecond: 0.1, burst: 3 } })
  const login = () => app.inject({ method: 'POST', url: '/api/v1/login', payload: { name: 'ann', password: 'wrong' } })
  const logins = [await login(), await login(), await login(), await login()].map((it) => it.statusCode)
  assert.deepEqual(logins, [401, 401, 401, 429])
  const guess = () => app.inject({ url: '/api/v1/whoami', headers: { authorization: 'Bearer guess' } })
  const guesses = [await guess(), await guess(), await guess(), await guess()].map((it) => it.statusCode)
  assert.deepEqual(guesses, [401, 401, 401, 429])
})

test('what fails inside is logged and not told', async () => {
  const { world: broken, app, token } = await start()
  Object.defineProperty(broken.environments, 'values', {
    value: () => {
      throw new Error('password=hunter2 at /var/lib/weir')
    },
  })
  const answer = await app.inject({ url: '/api/v1/apps', headers: { authorization: `Bearer ${token}` } })
  assertProblem({ status: answer.statusCode, headers: answer.headers, body: answer.json() }, 500, 'E_INTERNAL')
  assert.ok(!answer.body.includes('hunter2') && !answer.body.includes('/var/lib'))
  assert.match(String(broken.failures[0]), /hunter2/)
})

test('a route that is not in the contract, and so has no policy, stops the start', async () => {
  const app = fastify()
  registerRoutes(app, contextOf(world.ports(), testOptions()), HANDLERS)
  assert.throws(() => app.get('/backdoor', async () => 'in'), /route without a policy: GET \/backdoor/)
  await app.close()
})
