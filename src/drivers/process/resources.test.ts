import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { isWeirError } from '../../errors.ts'
import type { StoreConnection } from '../daemons.ts'
import { replicaSpec, TestRunner, until } from './testing.ts'

/** Answers its whole environment. */
const TELLS = `require('node:http').createServer((_, answer) => answer.end(JSON.stringify(process.env))).listen(process.env.PORT, process.env.HOST)`
const database = (environment: string, app: number) => ({ environment, name: 'db', account: { app }, kind: 'postgres', version: 18 }) as const

let runner: TestRunner
let slug = ''
before(async () => {
  runner = await TestRunner.start()
  slug = runner.slug({ 'app.js': TELLS })
})
after(() => runner.close())

async function resourceReady(environment: string, name: string): Promise<void> {
  const seen = async () => (await runner.driver.observe(environment)).resources.find((it) => it.name === name)
  await until(
    async () => (await seen())?.phase === 'ready',
    async () => `${name} is ready: ${JSON.stringify(await seen())}`,
    30_000,
  )
}
async function environmentOf(id: string): Promise<Record<string, string>> {
  const { url } = await runner.ready(id)
  return (await (await fetch(url)).json()) as Record<string, string>
}
async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

test('a query of a database answers with one figure as the app itself, and changes nothing', async () => {
  await runner.driver.ensureResource({ ...database('r7', 7), name: 'figures' }, 1)
  await resourceReady('r7', 'figures')
  const figure = (query: string) => runner.driver.figure('r7', 'figures', query)
  assert.equal(await figure('select 40 + 2'), 42)
  assert.equal(await figure("select '1.5' -- a comment"), 1.5)
  await assert.rejects(figure('select generate_series(1, 1000000000)'), /several rows|timeout/)
  await assert.rejects(figure('select 1 where false'), /finds nothing/)
  await assert.rejects(figure("select 'many'"))
  await assert.rejects(figure('select 1; drop table x'))
  await assert.rejects(figure('select 1) AS figures(v); create table mine(); select (1'))
  await assert.rejects(figure('select pg_sleep(10)'), /timeout|type/)
  await assert.rejects(figure("select pg_read_file('/etc/passwd')"), /permission denied/)
  await assert.rejects(figure('with made as (create table mine() returning 1) select 1'))
  await assert.rejects(runner.driver.figure('r7', 'none', 'select 1'), /no database/)
})

test('a database is made, and its address injected under every name that was asked for', async () => {
  await runner.driver.ensureResource(database('r1', 1), 1)
  const template = { TEMPLATE: '${resources.db.host}:${resources.db.port}/${resources.db.database} as ${resources.db.user}' }
  // Started before the database is ready: it waits for it.
  await runner.driver.startReplica(
    replicaSpec('r1-web-v1-1', slug, {
      uses: ['db'],
      environmentVariables: template,
      healthcheck: { kind: 'http', path: '/', port: 'http', intervalMs: 100, timeoutMs: 1000, retries: 3, startPeriodMs: 20_000 },
    }),
    1,
  )
  await resourceReady('r1', 'db')
  const env = await environmentOf('r1-web-v1-1')
  assert.equal(env['DB_URL'], env['DATABASE_URL'])
  const { port, username, pathname } = new URL(env['DB_URL'] ?? '')
  assert.equal(env['TEMPLATE'], `127.0.0.1:${port}${pathname} as ${username}`)
  assert.deepEqual(await query(env['DB_URL'] ?? '', 'SELECT 1 AS one'), [{ one: 1 }])
})

test('its role owns its database and can enter no other, not even by name', async () => {
  await runner.driver.ensureResource(database('r2', 2), 1)
  await resourceReady('r2', 'db')
  await runner.driver.startReplica(replicaSpec('r2-web-v1-1', slug, { environment: 'r2', account: { app: 2 }, uses: ['db'] }), 1)
  const mine = (await environmentOf('r2-web-v1-1'))['DB_URL'] ?? ''
  const theirs = new URL((await environmentOf('r1-web-v1-1'))['DB_URL'] ?? '')
  await query(mine, 'CREATE TABLE things (id int)')
  for (const name of [theirs.pathname, '/postgres', '/template1']) {
    const trespass = new URL(mine)
    trespass.pathname = name
    await assert.rejects(query(trespass.href, 'SELECT 1'), /permission denied for database/, name)
  }
  await assert.rejects(query(mine, 'CREATE ROLE evil'), /permission denied/)
  await assert.rejects(query(mine, `COPY (SELECT 1) TO PROGRAM 'id'`), /permission denied/)
})

test('the databases outlive the runner, and come back when their server is killed', async () => {
  const url = (await environmentOf('r2-web-v1-1'))['DB_URL'] ?? ''
  await runner.kill9()
  assert.deepEqual(await query(url, 'SELECT count(*)::int AS n FROM things'), [{ n: 0 }])
  await runner.up()
  const pid = (await runner.daemons.list()).find((it) => it.name === 'apps-postgres')?.pid
  assert.ok(pid)
  process.kill(pid, 'SIGKILL')
  await until(
    () =>
      query(url, 'SELECT 1').then(
        () => true,
        () => false,
      ),
    'it answers again',
  )
})

test('removed without its data a database can no longer be entered, and comes back as it was', async () => {
  const url = (await environmentOf('r2-web-v1-1'))['DB_URL'] ?? ''
  await query(url, 'INSERT INTO things VALUES (7)')
  await runner.driver.removeResource('r2', 'db', false, 1)
  await assert.rejects(query(url, 'SELECT 1'), /not permitted to log in/)
  await runner.driver.ensureResource(database('r2', 2), 1)
  await resourceReady('r2', 'db')
  assert.deepEqual(await query(url, 'SELECT id FROM things'), [{ id: 7 }])
})

test('removed with its data it is gone, and a new one is empty', async () => {
  const url = (await environmentOf('r2-web-v1-1'))['DB_URL'] ?? ''
  await runner.driver.removeResource('r2', 'db', true, 1)
  await assert.rejects(query(url, 'SELECT 1'))
  await runner.driver.ensureResource(database('r2', 2), 1)
  await resourceReady('r2', 'db')
  await assert.rejects(query(url, 'SELECT 1'), /password authentication failed/)
})

test('another major version is refused with the reason', async () => {
  await runner.driver.ensureResource({ ...database('r3', 3), version: 12 }, 1)
  await until(async () => (await runner.driver.observe('r3')).resources[0]?.phase === 'failed', 'it has failed')
  assert.match((await runner.driver.observe('r3')).resources[0]?.cause ?? '', /PostgreSQL 12 is not on this machine/)
})

test('a volume belongs to the app, keeps its data unless that is removed too, and is told by path', async () => {
  const volume = { environment: 'r1', name: 'data-files', account: { app: 1 }, kind: 'volume' } as const
  await runner.driver.ensureResource(volume, 1)
  await runner.driver.startReplica(replicaSpec('r1-web-v1-2', slug, { uses: ['data-files'], environmentVariables: { AT: '${resources.data-files.path}' } }), 1)
  const { DATA_FILES_PATH = '', AT } = await environmentOf('r1-web-v1-2')
  assert.equal(AT, DATA_FILES_PATH)
  if (runner.accounts) assert.equal(statSync(DATA_FILES_PATH).uid, runner.accounts.app(1))
  await runner.driver.removeResource('r1', 'data-files', false, 1)
  assert.ok(existsSync(DATA_FILES_PATH))
  await runner.driver.ensureResource(volume, 1)
  await runner.driver.removeResource('r1', 'data-files', true, 1)
  assert.ok(!existsSync(DATA_FILES_PATH))
})

test("Weir's own store listens on no port, and its password is the server's alone", async () => {
  const store: StoreConnection = await runner.daemons.ensureStore()
  assert.deepEqual(await runner.daemons.ensureStore(), store)
  const client = new pg.Client({
    host: store.socketDir,
    port: store.port,
    user: store.user,
    password: readFileSync(store.passwordFile, 'utf8'),
    database: store.database,
  })
  await client.connect()
  await client.query('CREATE TABLE t (id int)')
  assert.equal((await client.query('SHOW listen_addresses')).rows[0].listen_addresses, '')
  await client.end()
  const about = statSync(store.passwordFile)
  assert.equal(about.mode & 0o777, 0o400)
  if (runner.accounts) assert.equal(about.uid, runner.accounts.server)
  if (runner.accounts) assert.equal(statSync(store.socketDir).mode & 0o007, 0)
})

test('passwords are in no log, and in no record that another account could read', async () => {
  const { passwordFile } = await runner.daemons.ensureStore()
  const secrets = [readFileSync(passwordFile, 'utf8'), new URL((await environmentOf('r1-web-v1-1'))['DB_URL'] ?? '').password]
  for (const name of ['apps-postgres', 'store-postgres']) {
    const log = readFileSync(join(runner.paths.logs, `weir/${name}.jsonl`), 'utf8')
    assert.ok(secrets.every((it) => !log.includes(it)))
  }
  assert.equal(statSync(join(runner.paths.runner, 'databases')).mode & 0o077, 0)
  assert.equal(statSync(join(runner.paths.runner, 'apps-postgres.json')).mode & 0o077, 0)
})

test('a resource with a name that could leave its folder is refused', async () => {
  await assert.rejects(runner.driver.ensureResource({ ...database('r4', 4), name: '../x' }, 1), (error) => isWeirError(error, 'E_NAME'))
  await assert.rejects(runner.driver.ensureResource({ ...database('../r4', 4) }, 1), (error) => isWeirError(error, 'E_NAME'))
})
