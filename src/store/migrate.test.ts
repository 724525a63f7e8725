import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isWeirError } from '../errors.ts'
import { Database } from './database.ts'
import { knownMigrations, migrate } from './migrate.ts'
import { startTestPostgres, type TestPostgres } from './testing.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await startTestPostgres()
})
after(() => postgres.stop())

async function emptyDatabase(use: (database: Database) => Promise<void>): Promise<void> {
  const database = new Database(await postgres.freshDatabase())
  try {
    await use(database)
  } finally {
    await database.close()
  }
}

const version = async (database: Database) => (await database.rows<{ version: number }>('select version from schema_version'))[0]?.version

test('an empty database gets the whole schema, and a second start changes nothing', () =>
  emptyDatabase(async (database) => {
    assert.equal(await migrate(database), knownMigrations().length)
    assert.equal(await version(database), knownMigrations().length)
    await database.rows("insert into tenants (name) values ('acme')")
    await migrate(database)
    assert.deepEqual(await database.rows('select name from tenants'), [{ name: 'acme' }])
  }))

test('two servers that start at once migrate once', () =>
  emptyDatabase(async (database) => {
    await Promise.all([migrate(database), migrate(database), migrate(database)])
    assert.equal(await version(database), knownMigrations().length)
  }))

test('a newer schema is refused with text and left alone', () =>
  emptyDatabase(async (database) => {
    await migrate(database)
    await database.rows('update schema_version set version = 99')
    await assert.rejects(migrate(database), (error: unknown) => isWeirError(error, 'E_STATE') && /version is 99/.test(error.explanation.cause ?? ''))
    assert.equal(await version(database), 99)
  }))

test('a schema without a version is refused, never guessed', () =>
  emptyDatabase(async (database) => {
    await database.rows('create schema weir')
    await database.rows('create table weir.lease (whatever int)')
    await assert.rejects(migrate(database), (error: unknown) => isWeirError(error, 'E_STATE'))
    assert.deepEqual(await database.rows("select table_name from information_schema.tables where table_schema = 'weir'"), [{ table_name: 'lease' }])
  }))

test('a step that fails leaves the old schema whole', () =>
  emptyDatabase(async (database) => {
    await migrate(database)
    const next = knownMigrations().length + 1
    const broken = [...knownMigrations(), { version: next, sql: 'create table half (x int); select * from no_such_table' }]
    await assert.rejects(migrate(database, broken))
    assert.equal(await version(database), next - 1)
    assert.deepEqual(await database.rows("select 1 from information_schema.tables where table_name = 'half'"), [])
  }))
