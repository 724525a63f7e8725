import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { apiApp } from './app.ts'
import { contextOf } from './context.ts'
import { FakeWorld, testOptions, VERBS_OF } from './testing.ts'

const world = new FakeWorld()
const token = world.addToken({ tenants: { acme: VERBS_OF.developer } })
const admin = world.addToken({ admin: true, tenants: { acme: VERBS_OF.admin } })
const app = await apiApp(contextOf(world.ports(), testOptions()))
after(() => app.close())

let keys = 0
async function ask(method: 'GET' | 'POST' | 'PATCH', url: string, payload?: object, by = token) {
  const headers = { authorization: `Bearer ${by}`, 'idempotency-key': `key-${++keys}` }
  const { statusCode, body } = await app.inject({ method, url: `/api/v1${url}`, headers, ...(payload === undefined ? {} : { payload }) })
  return { status: statusCode, body: JSON.parse(body) as Record<string, unknown>, text: body }
}
const create = (address: object, more: object = {}) => ask('POST', '/notifications', { topics: ['verdict'], address, ...more })

test('what a target is sent by goes in and never comes out', async () => {
  const secret = 'a-secret-of-24-characters'
  const made = await create({ kind: 'webhook', url: 'https://ci.example.com/hooks/swordfish', secret }, { topics: ['verdict', 'stuck', 'verdict'] })
  assert.equal(made.status, 201, made.text)
  assert.deepEqual([made.body['place'], made.body['topics']], ['ci.example.com', ['verdict', 'stuck']])
  const login = { user: 'weir', password: 'swordfish' }
  const email = { kind: 'email', host: 'mail.example.com', port: 587, security: 'starttls', login, from: 'weir@example.com', to: ['ann@example.com'] }
  assert.equal((await create(email)).body['place'], 'ann@example.com by mail.example.com:587')
  const listed = await ask('GET', '/notifications')
  assert.equal((listed.body['items'] as unknown[]).length, 2)
  for (const { text } of [made, listed]) assert.ok(!text.includes(secret) && !text.includes('swordfish'), text)
})

test('addresses that cannot be are refused, and not repeated', async () => {
  const secret = 'a-secret-of-24-characters'
  const refused: [object, object?][] = [
    [{ kind: 'slack', url: 'ftp://hooks.example.com/swordfish' }],
    [{ kind: 'slack', url: 'swordfish' }],
    [{ kind: 'webhook', url: 'https://swordfish@ci.example.com/', secret }],
    [{ kind: 'webhook', url: 'https://ci.example.com/', secret: 'swordfish' }],
    [{ kind: 'email', host: 'a', port: 25, security: 'clear', login: null, from: 'a@b.example', to: ['a@b.example'] }],
    [{ kind: 'email', host: 'a', port: 25, security: 'tls', login: null, from: 'a@b.example\r\nBcc: swordfish@c.example', to: ['a@b.example'] }],
    [{ kind: 'slack', url: 'https://hooks.example.com/swordfish' }, { environment: 'production' }],
    [{ kind: 'slack', url: 'https://hooks.example.com/swordfish' }, { topics: ['everything'] }],
  ]
  const before = world.notified.length
  for (const [address, more] of refused) {
    const { status, text } = await create(address, more)
    assert.equal(status, 400, text)
    assert.ok(!text.includes('swordfish'), text)
  }
  assert.equal(world.notified.length, before)
})

test('a test answers with the delivery to look for; of a target that is not there nothing is said', async () => {
  assert.deepEqual((await ask('POST', '/notifications/1/test')).body, { delivery: 'd1' })
  assert.equal((await ask('POST', '/notifications/99/test')).status, 404)
  assert.equal((await ask('GET', '/notifications/99/deliveries')).status, 404)
})

test('only an admin of the installation says how far messages may go, and one setting leaves the other as it is', async () => {
  assert.equal((await ask('PATCH', '/settings', { notifyReach: 'machine' })).status, 403)
  assert.deepEqual((await ask('PATCH', '/settings', { notifyReach: 'network' }, admin)).body, { registration: 'closed', notifyReach: 'network' })
  assert.deepEqual((await ask('PATCH', '/settings', { registration: 'open' }, admin)).body, { registration: 'open', notifyReach: 'network' })
  assert.deepEqual((await ask('GET', '/settings', undefined, admin)).body, { registration: 'open', notifyReach: 'network' })
  assert.equal((await ask('PATCH', '/settings', { notifyReach: 'moon' }, admin)).status, 400)
})
