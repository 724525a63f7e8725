import assert from 'node:assert/strict'
import { test } from 'node:test'
import { environmentOf } from './claims.ts'

const known = [
  { id: 'e1', tenant: 'default', app: 'shop', environment: 'production' },
  { id: 'e2', tenant: 'default', app: 'shop', environment: 'staging' },
  { id: 'e3', tenant: 'default', app: 'blog', environment: 'live' },
  { id: 'e4', tenant: 'ann', app: 'tool', environment: 'production' },
  { id: 'e5', tenant: 'bob', app: 'tool', environment: 'production' },
]
const none = { environment: null, namespace: null, deployment: null, service: null, operation: null }

test('an app is found by its namespace: production unless they say another environment, or the only one', () => {
  assert.equal(environmentOf({ ...none, namespace: 'shop' }, known), 'e1')
  assert.equal(environmentOf({ ...none, namespace: 'shop', deployment: 'staging' }, known), 'e2')
  assert.equal(environmentOf({ ...none, namespace: 'shop', deployment: 'test' }, known), null)
  assert.equal(environmentOf({ ...none, namespace: 'blog' }, known), 'e3')
})

test("EMP's names find their app, as service or as operation", () => {
  assert.equal(environmentOf({ ...none, service: 'bob/tool' }, known), 'e5')
  assert.equal(environmentOf({ ...none, service: 'tool', operation: 'ann/tool' }, known), 'e4')
  assert.equal(environmentOf({ ...none, service: 'someone/shop' }, known), 'e1')
})

test('what nobody has, or several have, is nobody’s', () => {
  assert.equal(environmentOf(none, known), null)
  assert.equal(environmentOf({ ...none, namespace: 'tool' }, known), null)
  assert.equal(environmentOf({ ...none, service: 'someone/tool' }, known), null)
  assert.equal(environmentOf({ ...none, namespace: 'nope', service: 'web' }, known), null)
  assert.equal(environmentOf({ ...none, operation: 'GET /tool' }, known), null)
})
