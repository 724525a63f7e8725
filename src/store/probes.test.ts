import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { collect } from './collect.ts'
import { Hints } from './hints.ts'
import { PostgresJournal } from './journal.ts'
import { handClock } from './journal-contract.ts'
import { PostgresQueries } from './postgres-queries.ts'
import { PostgresProbes } from './probes.ts'
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
const probes = new PostgresProbes(database)
const result = (ok: boolean, durationMs: number) => ({ environment, service: 'web', probe: 'home', ok, durationMs, cause: ok ? null : 'late' })
const event = { kind: 'probe.failing', text: 'probe home of web fails', service: 'web', release: null, data: {} }

test('results count by probe, the newest one apart, and events come with them or not at all', async () => {
  const queries = new PostgresQueries(database)
  await probes.commit(epoch, [result(true, 10)], new Map())
  await probes.commit(
    epoch,
    [result(false, 5000), { ...result(true, 1), environment: 'e999' }],
    new Map([
      [environment, [event]],
      ['e999', [event]],
    ]),
  )
  const [home, ...more] = await queries.probes(shop, 60_000)
  assert.deepEqual([home?.counts.requests, home?.counts.errors, home?.last, more.length], [2, 1, { ok: false, durationMs: 5000 }, 0])
  assert.deepEqual(await probes.last([environment]), [{ environment, service: 'web', probe: 'home', ok: false }])
  await assert.rejects(probes.commit(epoch - 1, [result(true, 1)], new Map([[environment, [event]]])), { code: 'E_STALE_EPOCH' })
  assert.equal((await queries.newestEvents(shop, { limit: 10, cursor: null })).items.length, 1)
  assert.equal((await queries.probes(shop, 60_000))[0]?.counts.requests, 2)
})

test('environments are read with what is declared, without those that declare nothing or were stopped', async () => {
  const graph = (declared: object) => JSON.stringify({ app: 'shop', entry: null, services: { web: { name: 'web', routes: [], ...declared } } })
  await database.rows(
    `insert into releases (environment, number, status, source, configuration, by, when_busy, graph) values ($1, 1, 'ready', '{}', '{}', 'ann', 'wait', $2)`,
    [environment, graph({})],
  )
  await database.rows(`update environments set current = 1, status = 'running' where id = $1`, [environment])
  assert.deepEqual(await probes.environments(), [])
  await database.rows('update releases set graph = $1', [graph({ probes: { home: { path: '/' } } })])
  assert.deepEqual(
    (await probes.environments()).map((it) => [it.id, typeof it.port, it.stopped, Object.keys(it.graph.services)]),
    [[environment, 'number', [], ['web']]],
  )
  await database.rows(`update environments set status = 'stopped'`)
  assert.deepEqual(await probes.environments(), [])
})

test('what is older than counters are kept is forgotten', async () => {
  await database.rows(`update probe_results set at = now() - interval '8 days' where ok`)
  await collect(database, epoch, { releases: 20, eventsMs: 90 * DAY, countersMs: 7 * DAY, evidence: 20 })
  assert.deepEqual(await database.rows('select ok from probe_results'), [{ ok: false }])
})
