import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isWeirError } from '../errors.ts'
import { Database } from './database.ts'
import { Hints } from './hints.ts'
import { PostgresJournal } from './journal.ts'
import { changes, event, handClock } from './journal-contract.ts'
import { startTestPostgres, type TestPostgres, writerFor } from './testing.ts'

let postgres: TestPostgres
before(async () => {
  postgres = await startTestPostgres()
})
after(() => postgres.stop())

const SHOP = { tenant: 'acme', app: 'shop', environment: 'production' }

async function opened() {
  const { address, database } = await postgres.freshStore()
  const write = writerFor(database)
  const id = await write(async (writer) => {
    await writer.createTenant('acme')
    return (await writer.ensureEnvironment(SHOP)).id
  })
  const hints = new Hints(address)
  const journal = new PostgresJournal(database, hints, handClock())
  return { address, database, write, id, hints, journal, epoch: (await journal.acquire('a', false)) ?? 0 }
}

test('what was acknowledged while connections were being killed is stored exactly once', async () => {
  const { address, database, write, id, journal, epoch } = await opened()
  const until = performance.now() + 20_000
  const acknowledged: string[] = []
  const labels: number[] = []
  let kills = 0
  const goesOn = () => performance.now() < until && (kills < 8 || acknowledged.length < 10 || labels.length < 5)
  const killer = (async () => {
    const other = new Database({ ...address, database: 'postgres' })
    while (goesOn()) {
      kills++
      await other.rows('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [address.database])
      await delay(80)
    }
    await other.close()
  })()
  const commits = (async () => {
    for (let pass = 1; goesOn(); pass++) {
      try {
        await journal.commitEnvironment(epoch, id, changes({ nextSerial: pass }, { events: [event(`pass-${pass}`)] }))
        acknowledged.push(`pass-${pass}`)
      } catch (error) {
        assert.ok(isWeirError(error, 'E_UNAVAILABLE'), String(error))
      }
    }
  })()
  const releases = (async () => {
    while (goesOn()) {
      try {
        labels.push(
          (await write((writer) => writer.createRelease(SHOP, { source: { kind: 'upload', digest: 'd', label: 'x' }, manifest: null, whenBusy: 'wait' })))
            .number,
        )
      } catch (error) {
        assert.ok(isWeirError(error, 'E_UNAVAILABLE'), String(error))
      }
    }
  })()
  await Promise.all([killer, commits, releases])
  assert.ok(acknowledged.length >= 10 && labels.length >= 5, `${kills} kills, ${acknowledged.length} commits, ${labels.length} releases`)
  const stored = (await database.rows<{ kind: string }>("select kind from events where kind like 'pass-%' order by seq")).map((row) => row.kind)
  assert.equal(new Set(stored).size, stored.length, 'nothing twice')
  assert.deepEqual(
    acknowledged.filter((kind) => !stored.includes(kind)),
    [],
  )
  const numbers = (await database.rows<{ number: number }>('select number from releases')).map((row) => row.number)
  assert.deepEqual(
    labels.filter((number) => !numbers.includes(number)),
    [],
  )
  assert.equal(new Set(labels).size, labels.length)
})

test('after a kill -9 of PostgreSQL everything acknowledged is there, callers meanwhile hear E_UNAVAILABLE, and hints come again', async () => {
  const { database, write, id, hints, journal, epoch } = await opened()
  const heard: string[] = []
  const stop = hints.subscribe((key) => heard.push(key))
  const acknowledged: string[] = []
  let refused = 0
  let running = true
  // a commit in flight waits to learn its outcome; who only asks is told at once
  const reads = (async () => {
    while (running) {
      await database.rows('select 1').catch((error: unknown) => {
        assert.ok(isWeirError(error, 'E_UNAVAILABLE'), String(error))
        refused++
      })
      await delay(10)
    }
  })()
  const commits = (async () => {
    for (let pass = 1; running; pass++) {
      try {
        await journal.commitEnvironment(epoch, id, changes({ nextSerial: pass }, { events: [event(`pass-${pass}`)] }))
        acknowledged.push(`pass-${pass}`)
      } catch (error) {
        assert.ok(isWeirError(error, 'E_UNAVAILABLE'), String(error))
        await delay(20)
      }
    }
  })()
  await delay(200)
  await postgres.crash(100)
  const before = acknowledged.length
  const until = performance.now() + 5_000
  while (acknowledged.length < before + 10 && performance.now() < until) await delay(10)
  running = false
  await Promise.all([commits, reads])
  const stored = (await database.rows<{ kind: string }>("select kind from events where kind like 'pass-%' order by seq")).map((row) => row.kind)
  assert.deepEqual(
    acknowledged.filter((kind) => !stored.includes(kind)),
    [],
  )
  assert.equal(new Set(stored).size, stored.length)
  assert.ok(refused > 0, 'some were told that the store is away')
  assert.ok(acknowledged.length >= before + 10, 'it goes on by itself')
  heard.length = 0
  const end = performance.now() + 4_000
  while (!heard.includes(`env:${id}`) && performance.now() < end) {
    await write((writer) => writer.addCommand(SHOP, { kind: 'promote' }))
    await delay(50)
  }
  assert.ok(heard.includes(`env:${id}`))
  stop()
})
