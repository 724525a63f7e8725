import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { isWeirError } from '../errors.ts'
import { AesSealer } from './aes-sealer.ts'
import { readOrMakeKey } from './key-file.ts'
import { Secret } from './secret.ts'

const folder = mkdtempSync('/tmp/weir-key-')
after(() => rmSync(folder, { recursive: true }))
const sealer = new AesSealer(randomBytes(32))
const unusable = (error: unknown) => isWeirError(error, 'E_STATE')

test('what is sealed opens again under its context, and only there', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.string(), { maxLength: 4 }),
      fc.array(fc.string(), { maxLength: 4 }),
      (plain, context, other) => {
        const sealed = sealer.seal(plain, context)
        assert.deepEqual(new Uint8Array(sealer.open(sealed, context)), new Uint8Array(plain))
        if (JSON.stringify(other) !== JSON.stringify(context)) assert.throws(() => sealer.open(sealed, other), unusable)
      },
    ),
  )
})

test('moving a border between two parts of the context is another context', () => {
  assert.throws(() => sealer.open(sealer.seal(Buffer.from('x'), ['a', 'bc']), ['ab', 'c']), unusable)
})

test('a change of any single bit is noticed', () => {
  const sealed = sealer.seal(Buffer.from('value'), ['acme', 'e1', 'key', '1'])
  for (let at = 0; at < sealed.length; at++) {
    const altered = Buffer.from(sealed)
    altered[at] = (altered[at] ?? 0) ^ 1
    assert.throws(() => sealer.open(altered, ['acme', 'e1', 'key', '1']), unusable, `byte ${at}`)
    assert.throws(() => sealer.open(sealed.subarray(0, at), ['acme', 'e1', 'key', '1']), unusable, `cut at ${at}`)
  }
})

test('another key opens nothing, and equal values are sealed differently', () => {
  const sealed = sealer.seal(Buffer.from('value'), [])
  assert.throws(() => new AesSealer(randomBytes(32)).open(sealed, []), unusable)
  assert.notDeepEqual(sealer.seal(Buffer.from('value'), []), sealed)
})

test('a secret is hidden wherever something is printed', () => {
  const secret = new Secret('canary-value')
  const printed = [`${secret}`, String(secret), secret + '', JSON.stringify({ secret }), inspect({ secret }, { depth: 9, showHidden: true }), inspect(secret)]
  for (const text of printed) {
    assert.match(text, /«hidden»/)
    assert.doesNotMatch(text, /canary/)
  }
  assert.equal(secret.revealText(), 'canary-value')
})

test('the key file is made once, for its owner only, and read again', () => {
  const path = join(folder, 'key')
  const key = readOrMakeKey(path)
  assert.equal(key.length, 32)
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.deepEqual(readOrMakeKey(path), key)
  assert.deepEqual(readdirSync(folder), ['key'])
})

test('a key file that others may read, or that has lost bytes, is refused', () => {
  const path = join(folder, 'open-key')
  readOrMakeKey(path)
  chmodSync(path, 0o640)
  assert.throws(
    () => readOrMakeKey(path),
    (error: unknown) => isWeirError(error, 'E_STATE') && /0640/.test(error.explanation.cause ?? ''),
  )
  const short = join(folder, 'short-key')
  writeFileSync(short, 'abc', { mode: 0o600 })
  assert.throws(() => readOrMakeKey(short), unusable)
})
