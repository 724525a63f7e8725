import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { startTestPostgres, type TestPostgres } from '../../store/testing.ts'
import { Connection } from './connection.ts'
import { CopyRows } from './copy-rows.ts'

let postgres: TestPostgres
let client: pg.Client
let connection: Connection
before(async () => {
  postgres = await startTestPostgres()
  const { socketDir: host, port, user, database } = await postgres.freshDatabase()
  client = new pg.Client({ host, port, user, database })
  await client.connect()
  connection = new Connection(async () => ({ host, port, user, database }))
})
after(async () => {
  await connection.close()
  await client.end()
  await postgres.stop()
})

const SHAPE = {
  table: 'public.t',
  columns: { a: 'int2', b: 'int4', c: 'int8', d: 'float8', e: 'bool', f: 'text', g: 'bytea', h: 'timestamptz', i: 'text[]', j: 'int8[]' },
} as const

test('every type of column arrives as it was given, and NULL as NULL', async () => {
  await client.query('create table t (a int2, b int4, c int8, d float8, e bool, f text, g bytea, h timestamptz, i text[], j int8[])')
  const rows = new CopyRows(SHAPE)
  const big = Buffer.alloc(200_000, 7)
  rows.add([-3, 70_000, 2 ** 53 - 1, 0.1, true, 'größe 🎵', big, Date.parse('2026-11-22T10:00:00.123Z') * 1000 + 456, ['a', ''], [-1, 2 ** 40]])
  rows.add([null, null, -5, Number.POSITIVE_INFINITY, false, '', new Uint8Array(), -1, [], []])
  await connection.transaction((session) => session.copy(rows))
  const found = (await client.query("select *, to_char(h at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') as h from t order by a nulls last")).rows
  assert.deepEqual(found, [
    {
      a: -3,
      b: 70_000,
      c: '9007199254740991',
      d: 0.1,
      e: true,
      f: 'größe 🎵',
      g: big,
      h: '2026-11-22 10:00:00.123456',
      i: ['a', ''],
      j: ['-1', '1099511627776'],
    },
    { a: null, b: null, c: '-5', d: Number.POSITIVE_INFINITY, e: false, f: '', g: Buffer.alloc(0), h: '1969-12-31 23:59:59.999999', i: [], j: [] },
  ])
})

test('text that PostgreSQL cannot hold is made into text that it can', async () => {
  await client.query('create table words (f text)')
  const rows = new CopyRows({ table: 'public.words', columns: { f: 'text' } })
  rows.add(['a\u0000b'])
  rows.add(['half \ud83c'])
  await connection.transaction((session) => session.copy(rows))
  assert.deepEqual((await client.query('select f from words')).rows, [{ f: 'a\ufffdb' }, { f: 'half \ufffd' }])
})

test('a transaction that fails leaves nothing, and the next one works on the same rows', async () => {
  await client.query('create table n (x int4 check (x < 10))')
  const shape = { table: 'public.n', columns: { x: 'int4' } } as const
  const [good, bad] = [new CopyRows(shape), new CopyRows(shape)]
  good.add([1])
  bad.add([11])
  await assert.rejects(
    connection.transaction(async (session) => {
      await session.copy(good)
      await session.copy(bad)
    }),
    /check constraint/,
  )
  assert.equal((await client.query('select from n')).rowCount, 0)
  await connection.transaction((session) => session.copy(good))
  assert.equal((await client.query('select from n')).rowCount, 1)
})
