import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isWeirError, WeirError } from '../errors.ts'
import { Database } from './database.ts'
import { handClock } from './journal-contract.ts'
import { openStore, type StoreOptions } from './open-store.ts'
import { startTestPostgres, TEST_SEALER, type TestPostgres } from './testing.ts'

let postgres: TestPostgres
const folder = mkdtempSync('/tmp/weir-open-')
const passwordFile = join(folder, 'password')
before(async () => {
  writeFileSync(passwordFile, 'not asked for over a trusted socket\n')
  postgres = await startTestPostgres()
})
after(async () => {
  rmSync(folder, { recursive: true })
  await postgres.stop()
})

/** Of the newest migration. */
const SCHEMA = Math.max(...readdirSync(join(import.meta.dirname, 'migrations')).map((file) => Number.parseInt(file, 10)))

const OPTIONS: StoreOptions = { url: null, embedded: () => Promise.reject(new Error('not asked')), sealer: TEST_SEALER, clock: handClock() }

test('the embedded instance is waited for while it comes up, and has the schema then', async () => {
  const address = await postgres.freshDatabase()
  let asked = 0
  const store = await openStore({
    ...OPTIONS,
    embedded: async () => {
      if (++asked < 3) throw new WeirError('E_UNAVAILABLE', { message: 'not yet' })
      return { ...address, passwordFile }
    },
  })
  assert.equal(asked, 3)
  assert.deepEqual(await store.queries.health(), { schema: SCHEMA, epoch: 0, holder: null })
  const told = new Promise<void>((resolve) => store.onEvents(resolve))
  assert.equal(await store.journal.acquire('a', false), 1)
  await told
  await store.close()
})

test('DATABASE_URL comes first', async () => {
  const { socketDir, user, database } = await postgres.freshDatabase()
  const store = await openStore({ ...OPTIONS, url: `postgres://${user}@localhost/${database}?host=${encodeURIComponent(socketDir)}` })
  assert.equal((await store.queries.health()).schema, SCHEMA)
  await store.close()
})

test('a database that does not answer is E_UNAVAILABLE after the patience, an address that is none E_STATE at once; neither shows the password', async () => {
  const hidden = (code: 'E_UNAVAILABLE' | 'E_STATE') => (error: unknown) => isWeirError(error, code) && !JSON.stringify(error.explanation).includes('hunter2')
  const unreachable = `postgres://u:hunter2@localhost/x?host=${encodeURIComponent(folder)}`
  await assert.rejects(openStore({ ...OPTIONS, url: unreachable, patienceMs: 250 }), hidden('E_UNAVAILABLE'))
  for (const url of ['mysql://u:hunter2@localhost/x', 'hunter2', '']) await assert.rejects(openStore({ ...OPTIONS, url }), hidden('E_STATE'))
})

test('a schema of the future is refused at once', async () => {
  const address = await postgres.freshDatabase()
  const embedded = async () => ({ ...address, passwordFile })
  await (await openStore({ ...OPTIONS, embedded })).close()
  const database = new Database(address)
  await database.rows('update schema_version set version = $1', [SCHEMA + 1])
  await database.close()
  await assert.rejects(openStore({ ...OPTIONS, embedded }), (error: unknown) => isWeirError(error, 'E_STATE'))
})
