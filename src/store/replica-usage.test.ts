import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { collect } from './collect.ts'
import { Hints } from './hints.ts'
import { PostgresJournal } from './journal.ts'
import { handClock } from './journal-contract.ts'
import { PostgresQueries } from './postgres-queries.ts'
import { PostgresReplicaUsage, type UsagePart } from './replica-usage.ts'
import { startTestPostgres, writerFor } from './testing.ts'

const DAY = 86_400_000
const postgres = await startTestPostgres()
after(() => postgres.stop())
const { database } = await postgres.freshStore()
const shop = { tenant: 'acme', app: 'shop', environment: 'production' }
let environment = ''
await writerFor(database)(async (writer) => {
  await writer.createTenant('acme')
  environment = (await writer.ensureEnvironment(shop)).id
})
const epoch = (await new PostgresJournal(database, new Hints({ url: '' }), handClock()).acquire('a', false)) ?? 0
const usage = new PostgresReplicaUsage(database)
const queries = new PostgresQueries(database)
const part = (replica: number, over: Partial<UsagePart> = {}): UsagePart => ({
  environment,
  service: 'web',
  release: 3,
  replica: `${environment}-web-v3-${replica}`,
  minuteMs: Math.floor(Date.now() / 60_000) * 60_000,
  samples: 4,
  seconds: 20,
  cpuSeconds: 5,
  memoryBytes: 400,
  memoryPeakBytes: 120,
  ...over,
})

test('parts of a minute add up, and are read as means of a replica, by service or release', async () => {
  await usage.commit(epoch, [part(1), part(2, { cpuSeconds: 15, release: 4, memoryPeakBytes: 300 }), part(3, { environment: 'e999' })])
  await usage.commit(epoch, [part(1)])
  assert.deepEqual(await queries.usage(shop, { windowMs: 300_000, by: 'service' }), [
    { service: 'web', release: null, replicas: 2, cpu: 25 / 60, memoryBytes: 100, memoryPeakBytes: 300 },
  ])
  assert.deepEqual(
    (await queries.usage(shop, { windowMs: 300_000, by: 'release' })).map(({ release, cpu, replicas }) => [release, cpu, replicas]),
    [
      [3, 0.25, 1],
      [4, 0.75, 1],
    ],
  )
  await assert.rejects(usage.commit(epoch - 1, [part(1)]), { code: 'E_STALE_EPOCH' })
  assert.deepEqual(await queries.usage({ ...shop, tenant: 'rival' }, { windowMs: 300_000, by: 'service' }), [])
})

test('minutes of past days become hours that say the same, and hours go when they are too old', async () => {
  await database.rows('delete from replica_usage')
  const hour = Math.floor((Date.now() - 2 * DAY) / 3_600_000) * 3_600_000
  await usage.commit(epoch, [part(1, { minuteMs: hour }), part(1, { minuteMs: hour + 60_000, memoryPeakBytes: 500 }), part(1)])
  const policy = { releases: 20, eventsMs: 90 * DAY, countersMs: 7 * DAY, evidence: 100 }
  const rows = () => database.rows('select width_s, samples, seconds, cpu_seconds, memory_bytes, memory_peak_bytes from replica_usage order by at')
  for (let twice = 0; twice < 2; twice++) {
    await collect(database, epoch, policy)
    assert.deepEqual(await rows(), [
      { width_s: 3600, samples: 8, seconds: 40, cpu_seconds: 10, memory_bytes: 800, memory_peak_bytes: 500 },
      { width_s: 60, samples: 4, seconds: 20, cpu_seconds: 5, memory_bytes: 400, memory_peak_bytes: 120 },
    ])
  }
  await collect(database, epoch, { ...policy, eventsMs: DAY })
  assert.equal((await rows()).length, 1)
})
