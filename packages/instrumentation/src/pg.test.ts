import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestPostgres, type TestPostgres } from '../../../src/store/testing.ts'
import { describeStatement } from './sql.ts'
import { type App, built, nodes, startApp } from './testing/app.ts'
import { type Receiver, startReceiver } from './testing/receiver.ts'

let register: Awaited<ReturnType<typeof built>>
let receiver: Receiver
let postgres: TestPostgres
before(async () => {
  register = await built()
  receiver = await startReceiver()
  postgres = await startTestPostgres()
})
after(async () => {
  await postgres.stop()
  await receiver.stop()
  register.remove()
})

for (const { path: node, version } of nodes()) {
  test(`statements of a real PostgreSQL are client spans of their request, without the values in them, on Node ${version}`, async (t) => {
    const { socketDir, database } = await postgres.freshDatabase()
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'songs', DATABASE_URL: `postgres://weir@/${database}?host=${socketDir}` }
    const app: App = await startApp('database.cjs', { register: register.file, node, env })
    t.after(() => app.stop())
    const ask = async (path: string) => {
      await receiver.clear()
      const rows = (await (await fetch(app.url + path)).json()) as Record<string, unknown>[]
      const spans = await receiver.until((all) => all.some(({ name }) => name === `GET ${path}`))
      return {
        rows,
        spans: spans.filter(({ attributes }) => attributes['db.system.name'] !== undefined),
        server: spans.find(({ name }) => name === `GET ${path}`),
        all: spans,
      }
    }

    const plain = await ask('/promise')
    assert.deepEqual(plain.rows, [{ n: 7 }])
    const [span] = plain.spans
    assert.deepEqual([span?.kind, span?.name, span?.parentId, span?.traceId], ['client', 'SELECT', plain.server?.spanId, plain.server?.traceId])
    assert.deepEqual(span?.attributes, {
      'db.system.name': 'postgresql',
      'db.query.text': 'select $1::int as n',
      'db.operation.name': 'SELECT',
      'db.namespace': database,
      'server.address': socketDir,
      'server.port': 5432,
    })

    const literal = await ask('/literal')
    assert.deepEqual(literal.rows, [{ password: 'secret', n: 42 }])
    assert.equal(literal.spans[0]?.attributes['db.query.text'], 'select ? as password, ? as n')

    const called = await ask('/callback')
    assert.deepEqual(called.rows, [{ n: 1 }])
    assert.equal(called.spans.length, 1)
    assert.deepEqual(new Set(called.all.map(({ traceId }) => traceId)).size, 1, 'what the callback does is in the trace too')

    assert.deepEqual((await ask('/config')).rows, [{ n: 'a' }])
    assert.deepEqual((await ask('/client')).spans.map(({ name }) => name).sort(), ['BEGIN', 'COMMIT'])

    const failed = await ask('/fails')
    assert.deepEqual(failed.rows, [{ code: '42P01' }])
    assert.deepEqual([failed.spans[0]?.status, failed.spans[0]?.attributes['error.type'], failed.spans[0]?.name], [2, '42P01', 'SELECT nowhere'])
  })

  test(`requests that wait for the same connection each get their own statement, on Node ${version}`, async (t) => {
    const { socketDir, database } = await postgres.freshDatabase()
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, DATABASE_URL: `postgres://weir@/${database}?host=${socketDir}` }
    const app = await startApp('database.cjs', { register: register.file, node, env })
    t.after(() => app.stop())
    await receiver.clear()
    await Promise.all(Array.from({ length: 20 }, async () => (await fetch(`${app.url}/callback`)).text()))
    const spans = await receiver.until((all) => all.length === 80)
    const kindsOf = Map.groupBy(spans, ({ traceId }) => traceId)
    assert.equal(kindsOf.size, 20)
    for (const its of kindsOf.values()) assert.deepEqual(its.map(({ name }) => name).sort(), ['GET', 'GET /callback', 'GET /echo', 'SELECT'])
  })
}

test('a statement is told by what it does, never by the values in it', () => {
  const cases: [string, string, string][] = [
    ["select * from users where mail = 'a@b.c' and id = $1", 'select * from users where mail = ? and id = $1', 'SELECT users'],
    ["insert into plays (song_id, note) values (42, 'it''s')", 'insert into plays (song_id, note) values (?, ?)', 'INSERT plays'],
    ["update songs set title = E'\\'x' where id in (1, 2.5, 0xff)", 'update songs set title = ? where id in (?, ?, ?)', 'UPDATE songs'],
    ['select $tag$ secret $tag$, $$another$$', 'select ?, ?', 'SELECT'],
    ['/* token=abc */ select 1 -- pin 1234\n from "Order Items"', 'select ? from "Order Items"', 'SELECT Order Items'],
    ["select 'never closed", 'select ?', 'SELECT'],
    ['with taken as (delete from plays returning id) select * from taken', 'with taken as (delete from plays returning id) select * from taken', 'WITH plays'],
    ['select a1, t2.c3 from t2', 'select a1, t2.c3 from t2', 'SELECT t2'],
    ['', '', ''],
  ]
  for (const [sql, text, summary] of cases) assert.deepEqual([describeStatement(sql).text, describeStatement(sql).summary], [text, summary], sql)
})
