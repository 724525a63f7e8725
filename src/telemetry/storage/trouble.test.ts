import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { Database } from '../../store/database.ts'
import { migrate } from '../../store/migrate.ts'
import { startTestPostgres, type TestPostgres } from '../../store/testing.ts'
import { NameTable } from '../window/name-table.ts'
import { EPOCH_MS, requestOf, spanId, type TestSpan, testWindow, traceId } from '../window/testing.ts'
import { CopyRows } from './copy-rows.ts'
import { KeyTable } from './key-table.ts'
import type { LogEntry } from './logs/log-record.ts'
import { ROLLUP_COLUMNS, Rollups } from './rollups.ts'
import { STORAGE_POLICY, TelemetryStore } from './store.ts'
import { testStorage, until } from './testing.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await startTestPostgres()
})
after(() => postgres.stop())

const KB = 1024
const SMALL = { ...STORAGE_POLICY, waiting: { traces: 64 * KB, rollups: 64 * KB, logs: 16 * KB, samples: 16 * KB } }
const span = (n: number, more: Partial<TestSpan> = {}): TestSpan => ({
  trace: traceId(n),
  id: spanId(n),
  kind: 'server',
  service: 'web',
  operation: 'GET /',
  ...more,
})
const line = (text: string, more: Partial<LogEntry> = {}): LogEntry => ({
  atMs: EPOCH_MS,
  service: 'web',
  release: 'v1',
  instance: 'e12-web-v1-1',
  severity: 9,
  trace: '',
  span: '',
  text,
  attributes: null,
  ...more,
})

test('while PostgreSQL is away memory stays bounded, what is lost is counted exactly, and writing goes on by itself', async () => {
  const { store, window, database, pass } = await testStorage(postgres, { policy: SMALL })
  store.start()
  store.logs(12, [line('before')])
  await until(() => store.health().written.logs === 1)

  let away = true
  const crashed = postgres.crash(1500).then(() => (away = false))
  let taken = 1
  let offered = 1
  let spans = 0
  for (let n = 1; away && n < 2000; n++) {
    offered += 10
    taken += store.logs(
      12,
      Array.from({ length: 10 }, (_, at) => line(`line ${n} ${at}`)),
    )
    window.accept(12, requestOf([span(n, { failed: true })]))
    spans++
    pass(100)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await crashed
  const trouble = store.health()
  assert.equal(trouble.connected, false)
  assert.ok(trouble.shed.logs > 0)
  assert.ok(trouble.waiting.logs <= 17 * KB, `${trouble.waiting.logs} bytes wait`)
  assert.equal(trouble.shed.logs, offered - taken)

  pass(3000)
  await until(async () => store.health().waiting.rollups === 0 && store.health().written.logs === taken, 10_000)
  assert.deepEqual([store.health().problem, store.health().upkeep.problem], [null, null], 'which is told at once')
  await store.flush()
  const [rows] = await database.rows<{ logs: number; spans: number }>(
    'select (select count(*) from telemetry.logs) as logs, (select sum(count) from telemetry.rollups_fresh where kind = 1) as spans',
  )
  assert.deepEqual(rows, { logs: taken, spans })
  await store.close()
})

test('rows that PostgreSQL will not have are counted and do not hold up the others', async () => {
  const { store, database } = await testStorage(postgres)
  await store.flush()
  await database.rows("alter table telemetry.logs add constraint short check (text <> 'bad')")
  store.logs(12, [line('bad'), line('with it')])
  await store.flush()
  store.logs(12, [line('good')])
  await store.flush()
  assert.deepEqual(await database.rows('select text from telemetry.logs'), [{ text: 'good' }])
  const { refused, written, problem } = store.health()
  assert.deepEqual([refused.logs, written.logs, problem], [2, 1, null])
  await store.close()
})

test('names, times and ids that make no sense are stored as something that does', async () => {
  const { window, pass, store, queries, database } = await testStorage(postgres)
  window.accept(12, requestOf([span(1, { service: 'a\u0000b', operation: 'x'.repeat(5000), startMs: -1e9 })]))
  window.accept(12, requestOf([span(2, { operation: 'far future', startMs: 1e12 })]))
  store.logs(12, [line('a\u0000\ud83c', { atMs: Number.NaN, severity: 1e9 }), line('old', { atMs: -1e15 }), line('x', { attributes: { a: 'b\u0000' } })])
  store.samples(12, [
    { atMs: Number.POSITIVE_INFINITY, service: 's', release: '', instance: '', name: 'm', unit: '', value: Number.NaN, count: null, attributes: {} },
  ])
  pass(3000)
  await store.flush()
  const { refused, shed } = store.health()
  assert.deepEqual(
    [refused, shed],
    [
      { traces: 0, rollups: 0, logs: 0, samples: 0 },
      { traces: 0, rollups: 0, logs: 0, samples: 0 },
    ],
  )
  const range = { fromMs: EPOCH_MS - 60_000, toMs: EPOCH_MS + 60_000 }
  const filter = { ...range, words: [], service: null, release: null, instance: null, severity: null, trace: null }
  assert.equal((await queries.logs('e12', filter, { limit: 10, cursor: null })).items.length, 3)
  assert.equal((await queries.samples('e12', { ...range, name: 'm', service: null }, { limit: 10, cursor: null })).items.length, 1)
  const [rows] = await database.rows<{ traces: number; spans: number }>(
    'select (select count(*) from telemetry.traces) as traces, (select sum(count) from telemetry.rollups_fresh where kind = 1) as spans',
  )
  assert.deepEqual(rows, { traces: 2, spans: 2 })
  await store.close()
})

test('an environment with a new operation for every span ends as one that says "other", and takes no room from its neighbour', () => {
  const keys = new KeyTable(1)
  const found = new Set<number>()
  for (let n = 0; n < 50_000; n++) found.add(keys.find(12, 1, 2, 1000 + n, 0, 0))
  assert.ok(found.size <= 10_001, `${found.size} keys`)
  assert.equal(keys.replaced, 50_000 - 10_000)
  const theirs = keys.find(13, 1, 2, 5, 0, 0)
  assert.equal(keys.operation(theirs), 5)
})

test('an environment that has had ten thousand keys, a few more with each release, counts by its own names again within an hour', () => {
  const names = new NameTable()
  const seen = new Set<string>()
  const rollups = new Rollups({ names, other: NameTable.OTHER })
  const { window, pass, clock } = testWindow({ maxSpans: 2 ** 15, names, onClosed: (closed) => rollups.add(closed, clock.nowMs) })
  const said = (release: number, operations: number) => {
    const spans = Array.from({ length: operations }, (_, n) => span(release * 1000 + n + 1, { operation: `do ${n} of them` }))
    window.accept(12, requestOf(spans, { 'service.version': `v${release}` }))
    pass(3000)
    for (let key = 0; key < rollups.keys.size; key++) seen.add(names.text(rollups.keys.release(key)))
    rollups.drain(new CopyRows({ table: 'telemetry.rollups_fresh', columns: ROLLUP_COLUMNS }))
  }
  for (let release = 1; release <= 14; release++) said(release, 900)
  assert.ok(!seen.has('v14'), 'in one hour there are too many')
  clock.nowMs += 3_600_000
  said(15, 10)
  assert.ok(seen.has('v15'))
})

test('telemetry has a role of its own that reaches its tables, makes its partitions and sees nothing else', async () => {
  const address = await postgres.freshDatabase()
  const database = new Database(address)
  await database.rows('create role weir_telemetry login')
  try {
    await migrate(database)
    const connect = async () => ({ host: address.socketDir, port: address.port, user: 'weir_telemetry', database: address.database })
    const store = new TelemetryStore({ connect, names: new NameTable(), other: NameTable.OTHER, now: () => EPOCH_MS })
    store.logs(12, [line('mine')])
    await store.flush()
    assert.equal(store.health().written.logs, 1)
    const client = new pg.Client(await connect())
    await client.connect()
    for (const statement of [
      'select * from weir.secrets',
      'select * from weir.tokens',
      'create table telemetry.mine (x int)',
      'drop table telemetry.logs',
      'create table public.mine (x int)',
      "update telemetry.retention set keep = interval '1 second'",
    ])
      await assert.rejects(client.query(statement), /permission denied|must be owner/, statement)
    await client.end()
    await store.close()
  } finally {
    await database.rows('drop owned by weir_telemetry')
    await database.rows('drop role weir_telemetry')
    await database.close()
  }
})

test('partitions are made ahead and dropped when they are too old or too large', async () => {
  const { store, database, clock, make } = await testStorage(postgres, {
    policy: { ...STORAGE_POLICY, logs: { environmentBytes: 2 ** 30, totalBytes: 400 * KB } },
  })
  const partitions = async (name: string) => (await database.rows(`select from pg_inherits where inhparent = 'telemetry.${name}'::regclass`)).length
  await store.flush()
  assert.equal(await partitions('logs'), 3)
  for (let day = 0; day < 6; day++) {
    clock.nowMs = EPOCH_MS + day * 86_400_000
    const next = make()
    next.logs(
      12,
      Array.from({ length: 500 }, (_, n) => line(`${n} ${'x'.repeat(200)}`, { atMs: clock.nowMs })),
    )
    await next.flush()
    await next.close()
  }
  const another = make()
  await another.upkeep()
  const [{ oldest, bytes } = { oldest: 0, bytes: 0 }] = await database.rows<{ oldest: number; bytes: number }>(
    'select extract(epoch from min(at))::bigint * 1000 as oldest, sum(length(text)) as bytes from telemetry.logs',
  )
  assert.ok(oldest > EPOCH_MS + 2 * 86_400_000, 'the oldest went first')
  assert.ok(bytes > 90 * KB, 'the newest stayed')
  assert.ok((await partitions('traces')) <= 3 * 4 + 3, 'three days of quarters')
  await another.close()
  await store.close()
})
