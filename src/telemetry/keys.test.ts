import assert from 'node:assert/strict'
import { test } from 'node:test'
import { environmentOfKey, intakeKey } from './keys.ts'

const secret = Buffer.alloc(32, 7)

test('a key names its environment, and only under the secret it was made with', () => {
  const key = intakeKey(secret, 'e12')
  assert.equal(environmentOfKey(secret, key), 'e12')
  assert.equal(environmentOfKey(Buffer.alloc(32, 8), key), null)
  assert.equal(intakeKey(secret, 'e12'), key)
})

test("one environment's key cannot be turned into another's", () => {
  const mac = intakeKey(secret, 'e12').split('.')[1]
  assert.equal(environmentOfKey(secret, `e13.${mac}`), null)
  assert.equal(environmentOfKey(secret, `e1.2${mac}`), null)
})

test('what is no key is no key', () => {
  for (const text of ['', 'e12', 'e12.', `e12.${'0'.repeat(63)}`, `e12.${'0'.repeat(64)}`, `e12.${'0'.repeat(65)}`, `../e12.${'0'.repeat(64)}`])
    assert.equal(environmentOfKey(secret, text), null, text)
})
