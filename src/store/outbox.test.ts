import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { outgoingOf } from '../core/notify/match.ts'
import { testMessage } from '../core/notify/message.ts'
import { TOLD_KINDS } from '../core/notify/topics.ts'
import { isWeirError } from '../errors.ts'
import type { NewTarget } from '../notify/target.ts'
import { AesSealer } from '../secrets/aes-sealer.ts'
import { collect } from './collect.ts'
import { Hints } from './hints.ts'
import { PostgresJournal } from './journal.ts'
import { event, handClock } from './journal-contract.ts'
import { PostgresOutbox } from './outbox.ts'
import { PostgresQueries } from './postgres-queries.ts'
import { startTestPostgres, TEST_SEALER, writerFor } from './testing.ts'

const postgres = await startTestPostgres()
after(() => postgres.stop())

const PAGE = { limit: 50, cursor: null }
const shop = { tenant: 'acme', app: 'shop', environment: 'production' }
const slack = (more: Partial<NewTarget> = {}): NewTarget => ({
  app: null,
  environment: null,
  topics: ['started', 'promoted', 'rollback'],
  address: { kind: 'slack', url: 'https://hooks.example.com/T0/secret-part' },
  ...more,
})

async function world() {
  const { database } = await postgres.freshStore()
  const write = writerFor(database)
  const environment = await write(async (writer) => {
    await writer.createTenant('acme')
    return (await writer.ensureEnvironment(shop)).id
  })
  const journal = new PostgresJournal(database, new Hints({ url: '' }), handClock())
  const epoch = (await journal.acquire('a', false)) ?? 0
  const outbox = new PostgresOutbox(database, TEST_SEALER)
  const happen = (...kinds: string[]) => journal.noteTrouble(epoch, environment, null, kinds.map(event))
  const fill = async (by = epoch) => {
    for (let fresh = await outbox.fresh(TOLD_KINDS); fresh; fresh = await outbox.fresh(TOLD_KINDS))
      await outbox.fill(by, fresh, outgoingOf(fresh.events, fresh.listeners))
  }
  return { database, write, journal, epoch, outbox, happen, fill, queries: new PostgresQueries(database) }
}

test('an event becomes one delivery for each target that asked for it, and the cursor never hands it out again', async () => {
  const { write, outbox, happen, fill, queries } = await world()
  await happen('rollout.started')
  const one = await write((writer) => writer.addNotifyTarget('acme', slack({ app: 'shop' })))
  const two = await write((writer) => writer.addNotifyTarget('acme', slack({ topics: ['stuck'] })))
  await happen('rollout.promoted', 'replica.died', 'environment.stuck')
  await fill()
  const titles = async (id: number) => (await queries.deliveries('acme', id, PAGE)).items.map((it) => `${it.title}, ${it.outcome}`)
  assert.deepEqual(await titles(one), ['shop/production: the environment serves, waiting'])
  assert.deepEqual(await titles(two), ['shop/production: the environment is stuck, waiting'])
  assert.equal(await outbox.fresh(TOLD_KINDS), null)
  await fill()
  assert.equal((await titles(one)).length, 1)
})

test('a piece that is filled in twice, as after a crash before its answer came, is there once', async () => {
  const { write, epoch, outbox, happen, queries } = await world()
  const id = await write((writer) => writer.addNotifyTarget('acme', slack()))
  await happen('rollout.started', 'rollout.promoted')
  const fresh = await outbox.fresh(TOLD_KINDS)
  assert.ok(fresh)
  const outgoing = outgoingOf(fresh.events, fresh.listeners)
  await outbox.fill(epoch, fresh, outgoing)
  await outbox.fill(epoch, fresh, outgoing)
  assert.equal((await queries.deliveries('acme', id, PAGE)).items.length, 2)
})

test('each target has its oldest due, a failed one waits without holding up another, and its next follows when it was settled', async () => {
  const { write, epoch, outbox, happen, fill } = await world()
  const one = await write((writer) => writer.addNotifyTarget('acme', slack()))
  const two = await write((writer) => writer.addNotifyTarget('acme', slack()))
  await happen('rollout.started', 'rollout.promoted')
  await fill()
  const { deliveries, reach } = await outbox.due([])
  assert.equal(reach, 'internet')
  assert.deepEqual(
    deliveries.map((it) => [it.lane, it.message.topic, it.address?.kind === 'slack' && it.address.url]).sort(),
    [one, two].map((id) => [String(id), 'started', 'https://hooks.example.com/T0/secret-part']),
  )
  const [first] = deliveries.filter((it) => it.lane === String(one))
  await outbox.settle(epoch, first?.id ?? '', { outcome: 'waiting', cause: 'it answered 500', inMs: 60_000 })
  const later = await outbox.due([String(two)])
  assert.deepEqual(later.deliveries, [])
  assert.ok(later.nextInMs !== null && later.nextInMs > 50_000 && later.nextInMs <= 60_000)
  const [second] = (await outbox.due([])).deliveries
  assert.equal(second?.lane, String(two))
  await outbox.settle(epoch, second?.id ?? '', { outcome: 'delivered' })
  assert.deepEqual(
    (await outbox.due([])).deliveries.map((it) => [it.lane, it.message.topic]),
    [[String(two), 'promoted']],
  )
})

test('a test waits for nothing that waits at its target', async () => {
  const { write, epoch, outbox, happen, fill } = await world()
  const id = await write((writer) => writer.addNotifyTarget('acme', slack()))
  await happen('rollout.started')
  await fill()
  const [stuck] = (await outbox.due([])).deliveries
  await outbox.settle(epoch, stuck?.id ?? '', { outcome: 'waiting', cause: 'x', inMs: 60_000 })
  const place = { tenant: 'acme', app: null, environment: null }
  const tried = await write((writer) => writer.tryNotifyTarget('acme', id, testMessage(place, '2026-01-02T03:04:05Z')))
  assert.deepEqual(
    (await outbox.due([])).deliveries.map((it) => [it.id, it.lane]),
    [[tried, `${id} test`]],
  )
})

test('an older epoch fills, settles and moves nothing', async () => {
  const { write, journal, epoch, outbox, happen, fill } = await world()
  await write((writer) => writer.addNotifyTarget('acme', slack()))
  await happen('rollout.started')
  await fill()
  await happen('rollout.promoted')
  const newer = (await journal.acquire('b', true)) ?? 0
  const stale = (error: unknown) => isWeirError(error, 'E_STALE_EPOCH')
  await assert.rejects(fill(epoch), stale)
  const [due] = (await outbox.due([])).deliveries
  await assert.rejects(outbox.settle(epoch, due?.id ?? '', { outcome: 'delivered' }), stale)
  assert.equal((await outbox.due([])).deliveries[0]?.tries, 0)
  await fill(newer)
  assert.equal(await outbox.fresh(TOLD_KINDS), null)
})

test('a target that takes nothing has so many waiting and no more; the rest is given up and says so', async () => {
  const { write, happen, fill, queries } = await world()
  const id = await write((writer) => writer.addNotifyTarget('acme', slack()))
  for (let n = 0; n < 3; n++) await happen(...Array.from({ length: 600 }, () => 'rollout.started'))
  await fill()
  const target = await queries.notifyTarget('acme', id)
  assert.ok(target && target.waiting >= 1_000 && target.waiting < 1_500 && target.waiting + target.dead === 1_800, JSON.stringify(target))
  assert.match((await queries.deliveries('acme', id, PAGE)).items[0]?.cause ?? '', /too many/)
})

test('what is shown of a target has no secret in it, and an address that another key sealed is no reason to stop', async () => {
  const { database, write, outbox, happen, fill, queries } = await world()
  const id = await write((writer) => writer.addNotifyTarget('acme', slack()))
  const shown = JSON.stringify([await queries.notifyTargets('acme', PAGE), await queries.audit('acme', PAGE)])
  assert.match(shown, /hooks\.example\.com/)
  assert.doesNotMatch(shown, /secret-part/)
  await happen('rollout.started')
  await fill()
  const [due] = (await new PostgresOutbox(database, new AesSealer(Buffer.alloc(32, 9))).due([])).deliveries
  assert.deepEqual([due?.lane, due?.address], [String(id), null])
  assert.equal((await outbox.due([])).deliveries[0]?.address?.kind, 'slack')
})

test('what ended is forgotten after its time, what waits is not', async () => {
  const { database, write, epoch, outbox, happen, fill, queries } = await world()
  const id = await write((writer) => writer.addNotifyTarget('acme', slack()))
  await happen('rollout.started', 'rollout.promoted', 'rollout.failed')
  await fill()
  for (const outcome of ['delivered', 'dead']) {
    const [due] = (await outbox.due([])).deliveries
    await outbox.settle(epoch, due?.id ?? '', { outcome })
  }
  await database.rows("update notify_deliveries set ended_at = now() - interval '10 days', created_at = now() - interval '10 days'")
  const DAY_MS = 86_400_000
  await collect(database, epoch, { releases: 20, eventsMs: 90 * DAY_MS, countersMs: 7 * DAY_MS, evidence: 20 })
  assert.deepEqual(
    (await queries.deliveries('acme', id, PAGE)).items.map((it) => it.outcome),
    ['waiting', 'dead'],
  )
})

test('a target for an app that is not there, or in a tenant that is full, is refused', async () => {
  const { write } = await world()
  const add = (more: Partial<NewTarget>) => write((writer) => writer.addNotifyTarget('acme', slack(more)))
  await assert.rejects(add({ app: 'shopp' }), (error: unknown) => isWeirError(error, 'E_NOT_FOUND'))
  await assert.rejects(add({ app: 'shop', environment: 'staging' }), (error: unknown) => isWeirError(error, 'E_NOT_FOUND'))
  for (let n = 0; n < 100; n++) await add({})
  await assert.rejects(add({}), (error: unknown) => isWeirError(error, 'E_CONFLICT'))
})
