import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type ErrorCode, isWeirError } from '../errors.ts'
import { firstAlteredAudit } from './audit.ts'
import type { Database } from './database.ts'
import { PostgresWrites } from './postgres-writes.ts'
import { startTestPostgres, TEST_SEALER, type TestPostgres, writerFor } from './testing.ts'
import type { NewRelease, NewToken, Writer } from './writes.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await startTestPostgres()
})
after(() => postgres.stop())

const SHOP = { tenant: 'acme', app: 'shop', environment: 'production' }
const RELEASE: NewRelease = { source: { kind: 'upload', digest: 'sha256:1', label: 'shop' }, manifest: null, whenBusy: 'wait' }
const DAY = 86_400_000
const TOKEN: NewToken = { hash: Buffer.alloc(32, 1), label: 'ci', tenant: 'acme', account: null, environment: null, verbs: ['app:read'], expiresInMs: DAY }
const code = (expected: ErrorCode) => (error: unknown) => isWeirError(error, expected)

async function shop(): Promise<{ database: Database; write: ReturnType<typeof writerFor> }> {
  const { database } = await postgres.freshStore()
  const write = writerFor(database)
  await write(async (writer) => {
    await writer.createTenant('acme')
    await writer.ensureEnvironment(SHOP)
  })
  return { database, write }
}

const count = async (database: Database, table: string) => (await database.rows<{ n: number }>(`select count(*) as n from ${table}`))[0]?.n

test('fifty requests with one key at once are one change and one answer', async () => {
  const { database } = await shop()
  const writes = new PostgresWrites(database, TEST_SEALER)
  const request = { by: 'ann', scope: 'token:1', idempotency: { key: 'k1', fingerprint: 'POST /releases 1' } }
  const work = async (write: Writer) => ({ status: 202, body: { release: (await write.createRelease(SHOP, RELEASE)).number } })
  const answers = await Promise.all(Array.from({ length: 50 }, () => writes.transaction(request, work)))
  assert.equal(answers.filter((answer) => !answer.replayed).length, 1)
  for (const { status, body } of answers) assert.deepEqual({ status, body }, { status: 202, body: { release: 1 } })
  assert.equal(await count(database, 'releases'), 1)
  assert.equal(await count(database, "audit where action = 'release.create'"), 1)

  await assert.rejects(writes.transaction({ ...request, idempotency: { key: 'k1', fingerprint: 'POST /releases 2' } }, work), code('E_IDEMPOTENCY'))
  const other = await writes.transaction({ ...request, scope: 'token:2' }, work)
  assert.deepEqual(other, { status: 202, body: { release: 2 }, replayed: false }, 'keys of another token are its own')
  await database.rows("update idempotency set created_at = now() - interval '25 hours'")
  assert.equal((await writes.transaction(request, work)).replayed, false, 'after a day the key is forgotten')
})

test('a request that fails leaves nothing, not even its key', async () => {
  const { database } = await shop()
  const writes = new PostgresWrites(database, TEST_SEALER)
  const request = { by: 'ann', scope: 'token:1', idempotency: { key: 'k1', fingerprint: 'f' } }
  const before = await count(database, 'audit')
  const failing = writes.transaction(request, async (write) => {
    await write.createRelease(SHOP, RELEASE)
    await write.setVariables(SHOP, '*', { A: '1' })
    throw new Error('the handler broke')
  })
  await assert.rejects(failing)
  assert.deepEqual([await count(database, 'releases'), await count(database, 'events'), await count(database, 'audit')], [0, 0, before])
  const again = await writes.transaction(request, async (write) => ({ status: 202, body: (await write.createRelease(SHOP, RELEASE)).number }))
  assert.deepEqual(again, { status: 202, body: 1, replayed: false })
})

test('a release takes the variables and secrets that are staged at its moment, and no later ones', async () => {
  const { database, write } = await shop()
  await write(async (writer) => {
    await writer.setVariables(SHOP, '*', { REGION: 'eu', GONE: 'x' })
    await writer.setVariables(SHOP, 'web', { REGION: 'us' })
    await writer.setSecret(SHOP, 'session-key', Buffer.from('one'))
    await writer.setSecret(SHOP, 'old', Buffer.from('two'))
  })
  await write(async (writer) => {
    await writer.setVariables(SHOP, '*', { GONE: null })
    assert.equal(await writer.setSecret(SHOP, 'session-key', Buffer.from('three')), 2)
    await writer.removeSecret(SHOP, 'old')
    await writer.createRelease(SHOP, RELEASE)
    await writer.setVariables(SHOP, 'web', { REGION: null })
    assert.equal(await writer.setSecret(SHOP, 'old', Buffer.from('back')), 2)
  })
  const [row] = await database.rows<{ configuration: unknown }>('select configuration from releases')
  assert.deepEqual(row?.configuration, { environment: { '*': { REGION: 'eu' }, web: { REGION: 'us' } }, secrets: { 'session-key': 2 } })
  await write((writer) => writer.createRelease(SHOP, RELEASE))
  const [later] = await database.rows<{ configuration: unknown }>('select configuration from releases where number = 2')
  assert.deepEqual(later?.configuration, { environment: { '*': { REGION: 'eu' } }, secrets: { old: 2, 'session-key': 2 } })
})

test('numbers of parallel releases are each taken once', async () => {
  const { write } = await shop()
  const keys = await Promise.all(Array.from({ length: 20 }, () => write((writer) => writer.createRelease(SHOP, RELEASE))))
  assert.deepEqual(
    keys.map((key) => key.number).sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, index) => index + 1),
  )
})

test('parallel environments get different ports, and when none is left that is said', async () => {
  const { database } = await shop()
  const writes = new PostgresWrites(database, TEST_SEALER, { first: 9_001, last: 9_004 })
  const make = (name: string) =>
    writes.transaction({ by: 'ann', scope: 'a', idempotency: null }, async (write) => ({
      status: 200,
      body: await write.ensureEnvironment({ ...SHOP, app: name }),
    }))
  await Promise.all(['a', 'b', 'c', 'd', 'a', 'b'].map(make))
  const ports = await database.rows<{ port: number }>("select port from environments where app <> 'shop' order by port")
  assert.deepEqual(
    ports.map((row) => row.port),
    [9_001, 9_002, 9_003, 9_004],
  )
  await assert.rejects(make('e'), code('E_CONFLICT'))
  assert.equal(await count(database, "apps where name = 'e'"), 0)
})

test('what cannot be is refused with the code that says so', async () => {
  const { database, write } = await shop()
  const refusals: readonly [ErrorCode, (writer: Writer) => Promise<unknown>][] = [
    ['E_CONFLICT', (writer) => writer.createTenant('acme')],
    ['E_NAME', (writer) => writer.createTenant('a;rm -rf')],
    ['E_NAME', (writer) => writer.createTenant('kube-system')],
    ['E_NAME', (writer) => writer.ensureEnvironment({ ...SHOP, app: '-h' })],
    ['E_NAME', (writer) => writer.ensureEnvironment({ ...SHOP, environment: '🎈' })],
    ['E_NAME', (writer) => writer.createAccount({ name: 'x'.repeat(64), passwordHash: null, admin: false })],
    ['E_NOT_FOUND', (writer) => writer.ensureEnvironment({ ...SHOP, tenant: 'nobody' })],
    ['E_NAME', (writer) => writer.setVariables(SHOP, '*', { 'A=B': 'x' })],
    ['E_USAGE', (writer) => writer.setVariables(SHOP, '*', { A: 'x\0y' })],
    ['E_NAME', (writer) => writer.setSecret(SHOP, '../key', Buffer.from('x'))],
    ['E_TOO_LARGE', (writer) => writer.setSecret(SHOP, 'key', Buffer.alloc(65_537))],
    ['E_NOT_FOUND', (writer) => writer.removeSecret(SHOP, 'none')],
    ['E_NOT_FOUND', (writer) => writer.unfollow(SHOP, 99)],
    ['E_NOT_FOUND', (writer) => writer.setRole('acme', 'nobody', 'admin')],
    ['E_NOT_FOUND', (writer) => writer.setCredential('acme', 'token', 'https://git.example.com', null)],
    ['E_SOURCE_URL', (writer) => writer.follow(SHOP, { url: 'https://user:token@git.example.com/x.git', ref: 'main', path: '' })],
    [
      'E_SOURCE_URL',
      (writer) =>
        writer.createRelease(SHOP, { ...RELEASE, source: { kind: 'git', url: 'https://token@git.example.com/x', ref: null, commit: null, path: '' } }),
    ],
    ['E_USAGE', (writer) => writer.createToken({ ...TOKEN, expiresInMs: 91 * DAY })],
    ['E_USAGE', (writer) => writer.createToken({ ...TOKEN, expiresInMs: 0 })],
    ['E_USAGE', (writer) => writer.createToken({ ...TOKEN, verbs: null })],
    ['E_NOT_FOUND', (writer) => writer.revokeToken({ tenant: 'acme' }, 99)],
  ]
  const before = await count(database, 'audit')
  for (const [expected, attempt] of refusals) await assert.rejects(write(attempt), code(expected), `${expected}: ${attempt}`)
  assert.equal(await count(database, 'audit'), before, 'a refused change leaves no record')
})

test('every change leaves its record, and an altered or missing one shows', async () => {
  const { database, write } = await shop()
  const before = (await count(database, 'audit')) ?? 0
  await Promise.all(Array.from({ length: 10 }, (_, index) => write((writer) => writer.setVariables(SHOP, '*', { [`V${index}`]: 'x' }))))
  await write(async (writer) => {
    await writer.setSecret(SHOP, 'key', Buffer.from('canary'))
    await writer.addCommand(SHOP, { kind: 'scale', service: 'web', replicas: 2 })
  })
  const rows = await database.rows<{ seq: number; action: string; detail: object }>('select seq, action, detail from audit order by seq offset $1', [before])
  assert.deepEqual(
    rows.map((row) => row.action),
    [...Array(10).fill('variables.set'), 'secret.set', 'command.scale'],
  )
  assert.equal(await firstAlteredAudit(database), null)
  const [, altered, missing] = rows
  await database.rows("update audit set by = 'eve' where seq = $1", [missing?.seq])
  assert.equal(await firstAlteredAudit(database), missing?.seq)
  await database.rows('delete from audit where seq = $1', [altered?.seq])
  assert.equal(await firstAlteredAudit(database), missing?.seq)
})

test('events become visible in the order of their numbers, however many append at once', async () => {
  const { database, write } = await shop()
  await write((writer) => writer.ensureEnvironment({ ...SHOP, environment: 'staging' }))
  let seen = 0
  let counted = 0
  let done = false
  const reader = (async () => {
    while (!done) {
      const rows = await database.rows<{ seq: number }>('select seq from events where seq > $1 order by seq', [seen])
      // had a lower number appeared after a higher one, there would now be more rows up to `seen` than were read
      const [total] = await database.rows<{ n: number }>('select count(*) as n from events where seq <= $1', [seen])
      assert.equal(total?.n, counted)
      counted += rows.length
      seen = rows.at(-1)?.seq ?? seen
    }
  })()
  await Promise.all(
    Array.from({ length: 60 }, (_, index) => write((writer) => writer.createRelease({ ...SHOP, environment: index % 2 ? 'staging' : 'production' }, RELEASE))),
  )
  done = true
  await reader
})
