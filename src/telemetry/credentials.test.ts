import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CredentialsFile, withoutSecrets } from './credentials.ts'

const folder = mkdtempSync(join(tmpdir(), 'weir-credentials-'))
after(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function fileWith(text: string, mode = 0o600): { file: CredentialsFile; path: string } {
  const path = join(folder, `${files++}`)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return { file: new CredentialsFile(path), path }
}
const json = (value: unknown) => fileWith(JSON.stringify(value)).file

test('headers as they are written, user and password as HTTP wants them', () => {
  const file = json({ 'forward-otlp': { headers: { authorization: 'Bearer abc', 'x-tenant': 'shop' } }, 'log-export': { user: 'weir', password: 'swordfish' } })
  assert.deepEqual(file.headersOf('forward-otlp'), { authorization: 'Bearer abc', 'x-tenant': 'shop' })
  assert.deepEqual(file.headersOf('log-export'), { authorization: `Basic ${Buffer.from('weir:swordfish').toString('base64')}` })
  assert.deepEqual(file.headersOf('forward-zipkin'), {})
  assert.deepEqual(file.kafka(), { sasl: null, tls: null })
})

test('Kafka with a user, with TLS, with certificates of its own', () => {
  const kafka = { mechanism: 'SCRAM-SHA-512', user: 'weir', password: 'swordfish' }
  const sasl = { mechanism: 'SCRAM-SHA-512', username: 'weir', password: 'swordfish' }
  assert.deepEqual(json({ kafka }).kafka(), { sasl, tls: null })
  assert.deepEqual(json({ kafka: { ...kafka, tls: {} } }).kafka(), { sasl, tls: { ca: null } })
  const { path } = fileWith('-----BEGIN CERTIFICATE-----', 0o644)
  assert.deepEqual(json({ kafka: { tls: { ca: path } } }).kafka(), { sasl: null, tls: { ca: '-----BEGIN CERTIFICATE-----' } })
})

test('without the file there is nothing to show, and nothing is wrong', () => {
  assert.deepEqual(new CredentialsFile(join(folder, 'none')).headersOf('forward-otlp'), {})
})

test('a file that others may read is not used', () => {
  for (const mode of [0o640, 0o604, 0o620]) assert.throws(() => fileWith('{}', mode).file.headersOf('log-export'), /chmod 600/)
})

test('what is wrong is told, and nothing of what stands in the file', () => {
  const secret = 'swordfish-7731'
  const broken: unknown[] = [
    [secret],
    { [secret]: {} },
    { 'forward-otlp': secret },
    { 'forward-otlp': { headers: { [`${secret}\n`]: 'x' } } },
    { 'forward-otlp': { headers: { authorization: `${secret}\nx: y` } } },
    { 'forward-otlp': { headers: { authorization: [secret] } } },
    { 'log-export': { user: secret } },
    { 'log-export': { password: secret, [secret]: 1 } },
    { kafka: { user: 'weir', password: secret } },
    { kafka: { mechanism: secret, user: 'weir', password: secret } },
    { kafka: { mechanism: 'PLAIN', user: 'weir', password: { secret } } },
  ]
  for (const text of [...broken.map((it) => JSON.stringify(it)), `{"forward-otlp": ${secret}`, secret]) {
    const { file, path } = fileWith(text)
    assert.throws(
      () => file.headersOf('forward-otlp'),
      (error: Error) => error.message.startsWith(path) && !`${error.stack}`.includes(secret),
      text,
    )
  }
})

test('a file that was changed is read again', () => {
  const { file, path } = fileWith('{}')
  assert.deepEqual(file.headersOf('log-export'), {})
  writeFileSync(path, '{"log-export":{"headers":{"a":"b"}}}')
  utimesSync(path, 1, 1)
  assert.deepEqual(file.headersOf('log-export'), { a: 'b' })
})

test('an answer that repeats a secret is shown without it', () => {
  assert.equal(withoutSecrets('bad token abcdef for it', { authorization: 'Bearer abcdef' }), 'bad token … for it')
})
