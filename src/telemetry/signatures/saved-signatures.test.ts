import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startTestPostgres, type TestPostgres } from '../../store/testing.ts'
import { LogTail } from '../storage/logs/log-tail.ts'
import { TelemetryStore } from '../storage/store.ts'
import { testStorage } from '../storage/testing.ts'
import { NameTable } from '../window/name-table.ts'
import { EPOCH_MS } from '../window/testing.ts'
import { ErrorsSeen } from './errors-seen.ts'

let postgres: TestPostgres
let home = ''
before(async () => {
  home = mkdtempSync('/tmp/weir-signatures-')
  postgres = await startTestPostgres()
})
after(async () => {
  await postgres.stop()
  rmSync(home, { recursive: true })
})

const THROWN = ['TypeError: no id 17', '    at cart (/srv/app/cart.js:4:2)']
const HOUR = 3_600_000

/** The parts of a telemetry process that count errors, and those of one that comes after it. */
async function counting(name: string) {
  const { clock, connect, database } = await testStorage(postgres)
  const folder = join(home, name)
  mkdirSync(join(folder, 'e12'), { recursive: true })
  const start = async () => {
    const names = new NameTable()
    const errors = new ErrorsSeen({ sends: () => false, names, now: () => clock.nowMs })
    const store = new TelemetryStore({ connect, names, other: NameTable.OTHER, now: () => clock.nowMs, signatures: errors })
    errors.restore(await store.loadSignatures())
    return { errors, store, tail: new LogTail({ folder, sink: store, errors, now: () => clock.nowMs }) }
  }
  const print = (replica: string, lines: readonly string[], stream = 'err') =>
    appendFileSync(join(folder, `e12/${replica}.jsonl`), lines.map((text) => `${JSON.stringify({ time: clock.nowMs, stream, text })}\n`).join(''))
  return { clock, database, start, print }
}
const shown = (errors: ErrorsSeen, sinceMs: number) =>
  errors.view(12, sinceMs).signatures.map(({ service, release, signature, count, before: was }) => `${service} ${release} ${signature}: ${count} (${was})`)

test('stack traces that replicas print are counted by release, and the next process knows what was there in the day before', async () => {
  const { clock, database, start, print } = await counting('printed')
  const first = await start()
  print('e12-web-v3-7', [...THROWN, 'next'])
  print('e12-web-v3-7', ['GET / 200', ...THROWN], 'out')
  await first.tail.look()
  await first.store.flush()
  assert.deepEqual(shown(first.errors, EPOCH_MS - HOUR), ['web v3 TypeError at cart (cart.js): 1 (0)'])
  await first.store.close()

  clock.nowMs += HOUR
  const second = await start()
  print('e12-web-v4-9', [...THROWN, ...THROWN])
  await second.tail.look()
  clock.nowMs += 1000
  await second.tail.look()
  assert.deepEqual(shown(second.errors, EPOCH_MS + HOUR / 2), ['web v4 TypeError at cart (cart.js): 2 (0)', 'web v3 TypeError at cart (cart.js): 0 (1)'])
  await second.store.flush()
  await second.store.close()
  const [kept] = await database.rows<{ rows: number; count: number }>('select count(*)::int as rows, sum(count)::int as count from telemetry.signatures')
  assert.deepEqual(kept, { rows: 2, count: 3 })
})

test('occurrences of the same five minutes are one row, with its newest trace, whatever the texts are', async () => {
  const { clock, database, start } = await counting('rows')
  const { errors, store } = await start()
  const nasty = `nul \u0000 half \ud800 ${'long '.repeat(100)}`
  const entry = { atMs: clock.nowMs, service: 'web', release: 'v4', instance: 'e12-web-v4-1', severity: 17, span: '', text: nasty, attributes: null }
  for (const trace of ['', 'ab'.repeat(16), '']) {
    errors.logged(12, [{ ...entry, trace }])
    await store.flush()
  }
  const rows = await database.rows<{ count: number; trace: Buffer; environment: number }>('select count, trace, environment from telemetry.signatures')
  assert.deepEqual(
    rows.map((row) => [row.count, row.trace.toString('hex'), row.environment]),
    [[3, 'ab'.repeat(16), 12]],
  )
  const next = await start()
  assert.deepEqual(
    next.errors.view(12, clock.nowMs - HOUR).signatures.map((it) => [it.count, it.trace]),
    [[3, 'ab'.repeat(16)]],
  )
  await Promise.all([store.close(), next.store.close()])
})

test('days that are too old are dropped by policy', async () => {
  const { clock, database, start } = await counting('old')
  const { errors, store } = await start()
  errors.logged(12, [{ atMs: clock.nowMs, service: 'web', release: 'v4', instance: '', severity: 17, trace: '', span: '', text: 'lost', attributes: null }])
  await store.flush()
  for (let day = 1; day <= 16; day++) {
    clock.nowMs += 24 * HOUR
    await database.rows(`select telemetry.tend_partitions(to_timestamp($1::float8 / 1000), '{}')`, [clock.nowMs])
    const [kept] = await database.rows<{ rows: number }>('select count(*)::int as rows from telemetry.signatures')
    assert.equal(kept?.rows, day <= 14 ? 1 : 0, `after ${day} days`)
  }
  await store.close()
})
