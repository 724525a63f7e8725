import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Builder } from '../build/builder.ts'
import type { Clock } from '../core/model/world.ts'
import { isWeirError, WeirError } from '../errors.ts'
import type { Source } from '../source/source.ts'
import { SimulatedJournal } from '../store/simulated.ts'
import { SimulatedStore } from '../store/simulated-store.ts'
import type { EnvironmentPorts } from './environment.ts'
import type { ReleasePorts } from './release.ts'
import { reconcileToldEnvironment, reconcileToldRelease } from './stuck.ts'

const MINUTE = 60_000

/** A store, and everything else in trouble. */
function world() {
  let nowMs = 0
  const clock: Clock = { monotonic: () => nowMs, wall: () => 0, after: () => () => {} }
  const store = new SimulatedStore()
  const journal = new SimulatedJournal(store, clock)
  const environment = store.createEnvironment({ tenant: 'acme', app: 'shop', environment: 'production' })
  const { number } = store.createRelease(environment, { source: { kind: 'git', url: 'https://example.com/shop.git', ref: 'main', commit: null, path: '.' } })
  const it = { trouble: new TypeError('x is not a function\n  at stack') as Error | null }
  const source = { fetch: async () => Promise.reject(it.trouble) } as unknown as Source
  const driver = { observe: async () => Promise.reject(it.trouble) }
  const gateway = { observe: async () => ({}), environments: async () => [] }
  const epoch = () => store.lease.epoch
  const key = { environment, number }
  return {
    it,
    store,
    journal,
    pass: (minutes: number) => {
      nowMs = minutes * MINUTE
    },
    release: (failures: number) => reconcileToldRelease({ journal, source, builder: {} as Builder, epoch } satisfies ReleasePorts, key, failures),
    environment: (failures: number) =>
      reconcileToldEnvironment(
        { journal, driver, gateway, clock, epoch, edgeAddress: () => '127.0.0.2' } as unknown as EnvironmentPorts,
        environment,
        failures,
      ),
    record: async () => (await journal.loadRelease(key)) ?? assert.fail('no release'),
    kinds: () => store.events.map(({ kind }) => kind).filter((kind) => kind !== 'release.created'),
  }
}

test('a release that fails unexpectedly says nothing of a hiccup, then why it is tried again, once; after ten minutes it has failed', async () => {
  const { release, record, kinds, pass, store } = world()
  await assert.rejects(release(0), TypeError)
  assert.deepEqual([(await record()).trouble, kinds()], [null, []])
  await assert.rejects(release(3), TypeError)
  pass(1)
  await assert.rejects(release(4), TypeError)
  const { status, trouble } = await record()
  assert.deepEqual([status, trouble?.code, trouble?.text, trouble?.since], ['queued', 'E_INTERNAL', 'something inside Weir failed: x is not a function', 0])
  assert.deepEqual(kinds(), ['release.stuck'])
  pass(11)
  assert.equal(await release(30), null)
  assert.equal((await record()).status, 'failed')
  assert.deepEqual(kinds(), ['release.stuck', 'release.failed'])
  assert.match(JSON.stringify(store.events.at(-1)?.data), /E_INTERNAL.*x is not a function.*tried again for 11 min/)
})

test('a part that is away is told too, and waited for however long it takes: what was acknowledged is not given up', async () => {
  const { it, release, record, kinds, pass } = world()
  it.trouble = new WeirError('E_UNAVAILABLE', { message: 'a part of Weir does not answer', cause: 'nobody answers at runner.sock' })
  await assert.rejects(release(5), (error) => isWeirError(error, 'E_UNAVAILABLE'))
  pass(600)
  await assert.rejects(release(900), (error) => isWeirError(error, 'E_UNAVAILABLE'))
  assert.equal((await record()).status, 'queued')
  assert.equal((await record()).trouble?.text, 'a part of Weir does not answer: nobody answers at runner.sock')
  assert.deepEqual(kinds(), ['release.stuck'])
})

test('a server that no longer leads tells nobody of its troubles', async () => {
  const { it, release, environment, kinds } = world()
  it.trouble = new WeirError('E_STALE_EPOCH', { message: 'another server has taken over' })
  await assert.rejects(release(5))
  await assert.rejects(environment(5))
  assert.deepEqual(kinds(), [])
})

test('an environment whose passes fail says why it is stuck, once a reason', async () => {
  const { it, environment, journal, kinds, store } = world()
  const stuck = async () => (await journal.loadEnvironment('e1'))?.trouble?.text ?? null
  await assert.rejects(environment(2))
  assert.equal(await stuck(), null)
  await assert.rejects(environment(3))
  await assert.rejects(environment(4))
  assert.equal(await stuck(), 'something inside Weir failed: x is not a function')
  it.trouble = new WeirError('E_UNAVAILABLE', { message: 'away' })
  await assert.rejects(environment(5))
  assert.equal(await stuck(), 'away')
  assert.deepEqual(kinds(), ['environment.stuck', 'environment.stuck'])
  assert.equal(store.events.at(-1)?.text, 'stuck: away')
})
