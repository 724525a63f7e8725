import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWeirError } from '../errors.ts'
import { changes, event, graphOf, handClock, type JournalFixture, journalContract } from './journal-contract.ts'
import { SimulatedJournal } from './simulated.ts'
import { SimulatedStore } from './simulated-store.ts'

const SHOP = { tenant: 'acme', app: 'shop', environment: 'production' }

journalContract('simulated', async (): Promise<JournalFixture> => {
  const store = new SimulatedStore()
  return {
    journal: (clock) => new SimulatedJournal(store, clock),
    ensureEnvironment: async (ref) => store.createEnvironment(ref),
    createRelease: async (ref, source, whenBusy) => store.createRelease(store.createEnvironment(ref), { source, whenBusy }),
    addCommand: async (ref, command) => store.addCommand(store.createEnvironment(ref), command),
    follow: async (ref, branch) => {
      store.follow(store.createEnvironment(ref), branch)
    },
    outcome: async (ref, id) => {
      const found = ref.tenant === 'acme' ? store.outcome(id) : null
      return found && { outcome: found.outcome, code: found.refused?.code ?? null, rollout: found.rollout }
    },
    events: async (tenant) => store.events.filter((it) => tenantOf(store, it.environment) === tenant).map((it) => it.kind),
    requests: async (ref) => store.counters.filter((row) => row.environment === store.createEnvironment(ref)).reduce((sum, row) => sum + row.requests, 0),
  }
})

const lost = (error: unknown) => isWeirError(error, 'E_UNAVAILABLE')

test('a lost answer is an error although the commit is there, an unavailable store changes nothing', async () => {
  const { store, journal, epoch, id } = await opened()
  store.fault = (call) => (call === 'commitEnvironment' ? 'lost-answer' : null)
  await assert.rejects(journal.commitEnvironment(epoch, id, changes({ current: 1 }, { events: [event('one')] })), lost)
  store.fault = () => 'unavailable'
  await assert.rejects(journal.commitEnvironment(epoch, id, changes({ current: 2 }, { events: [event('two')] })), lost)
  await assert.rejects(journal.loadEnvironment(id), lost)
  store.fault = () => null
  assert.equal((await journal.loadEnvironment(id))?.state.current, 1)
  assert.deepEqual(
    store.events.map((it) => it.kind),
    ['one'],
  )
})

test('a seized lease fences its holder', async () => {
  const { store, journal, epoch, id } = await opened()
  const other = store.seizeLease('other')
  assert.equal(await journal.renew(epoch), false)
  await assert.rejects(journal.commitEnvironment(epoch, id, changes({})), (error: unknown) => isWeirError(error, 'E_STALE_EPOCH'))
  assert.ok(other > epoch)
})

test('a ready release made for a simulation deploys itself, and nobody shares objects with the store', async () => {
  const { store, journal, id } = await opened()
  const graph = graphOf()
  const number = store.createReadyRelease(id, { graph, artifacts: {}, fingerprints: {}, whenBusy: 'supersede' })
  const [first, second] = [await journal.loadEnvironment(id), await journal.loadEnvironment(id)]
  assert.deepEqual(
    first?.commands.map((stored) => stored.command),
    [{ kind: 'deploy', release: number, whenBusy: 'supersede' }],
  )
  assert.deepEqual(first?.releases[number]?.graph, graph)
  assert.notEqual(first?.releases[number]?.graph, second?.releases[number]?.graph)
})

async function opened() {
  const store = new SimulatedStore()
  const journal = new SimulatedJournal(store, handClock())
  const id = store.createEnvironment(SHOP)
  return { store, journal, id, epoch: (await journal.acquire('a', false)) ?? 0 }
}

/** Events outlive their environment, so its tenant is remembered by the id's first owner. */
function tenantOf(store: SimulatedStore, environment: string): string {
  return store.rows.get(environment)?.ref.tenant ?? 'acme'
}
