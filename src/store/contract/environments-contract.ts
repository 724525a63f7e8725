import assert from 'node:assert/strict'
import { type EnvironmentState, INITIAL_STATE } from '../../core/rollout/state.ts'
import { isWeirError } from '../../errors.ts'
import { BRANCH, block, type Contract, changes, event, graphOf, leader, must, ROLLOUT, ready, SHOP, UPLOAD, until } from './testing.ts'

/** What is remembered of an environment, and what comes with it. */
export function environmentsContract(contract: Contract): void {
  contract('a saved state comes back as it was, whatever a process printed', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const because = { code: 'E_START_FAILED', text: 'exited with 1: "ünï\\codé" 🎈 \\u0000', lines: ['\u001b[31mred', '{"a":1}', "'; drop table lease; --"] }
    const state: EnvironmentState = {
      ...INITIAL_STATE,
      wishes: { zeta: 3, a: 1, 'b-10': 2 },
      stopped: ['web'],
      setbacks: { 'web@3': { count: 2, retryAt: 17 } },
      rollout: {
        ...ROLLOUT,
        phase: { name: 'restoring', because, since: 12, outcome: 'failed' },
      },
    }
    await journal.commitEnvironment(epoch, id, { ...changes({}), state })
    const record = must(await journal.loadEnvironment(id))
    assert.deepEqual(record.state, state)
    assert.deepEqual(Object.keys(record.state.wishes), ['zeta', 'a', 'b-10'], 'in its order')
    const { tenant, app, environment } = record
    assert.deepEqual({ tenant, app, environment }, SHOP)
    assert.ok(record.appNumber >= 1 && record.port >= 1024)

    const withNul = { ...state, stopped: ['a\u0000b\ud800'] }
    await journal.commitEnvironment(epoch, id, { ...changes({}), state: withNul })
    assert.deepEqual(must(await journal.loadEnvironment(id)).state.stopped, ['a\ufffdb\ufffd'], 'what no text can hold is replaced, not refused')
  })

  contract('environments have numbers, ports and ids of their own', async (fixture) => {
    const { journal } = await leader(fixture)
    const refs = [SHOP, { ...SHOP, environment: 'staging' }, { ...SHOP, app: 'blog' }, { ...SHOP, tenant: 'globex' }]
    const ids: string[] = []
    for (const ref of refs) ids.push(await fixture.ensureEnvironment(ref))
    assert.equal(await fixture.ensureEnvironment(SHOP), ids[0], 'the same one again')
    assert.deepEqual(await journal.environments(), ids)
    const records = await Promise.all(ids.map(async (id) => must(await journal.loadEnvironment(id))))
    for (const unique of ['id', 'appNumber', 'port'] as const) assert.equal(new Set(records.map((record) => record[unique])).size, refs.length, unique)
    assert.equal(await journal.loadEnvironment('e999'), null)
  })

  contract('commands wait in their order until they are consumed, and then tell what became of them', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const ids = [
      await fixture.addCommand(SHOP, { kind: 'scale', service: 'web', replicas: 3 }),
      await fixture.addCommand(SHOP, { kind: 'promote' }),
      await fixture.addCommand(SHOP, { kind: 'abort' }),
    ]
    const before = must(await journal.loadEnvironment(id)).commands
    assert.deepEqual(
      before.map((stored) => stored.id),
      ids,
    )
    assert.deepEqual(before[0]?.command, { kind: 'scale', service: 'web', replicas: 3 })
    assert.equal((await fixture.outcome(SHOP, must(ids[0])))?.outcome, 'pending')
    const refused = { code: 'E_CONFLICT', text: 'no rollout is running', lines: [] }
    const consumed = [
      { id: must(ids[0]), refused: null, rollout: 'e1-r1' },
      { id: must(ids[1]), refused, rollout: null },
    ]
    await journal.commitEnvironment(epoch, id, changes({}, { consumed }))
    assert.deepEqual(
      must(await journal.loadEnvironment(id)).commands.map((stored) => stored.id),
      [ids[2]],
    )
    assert.deepEqual(await fixture.outcome(SHOP, must(ids[0])), { outcome: 'consumed', code: null, rollout: 'e1-r1' })
    assert.deepEqual(await fixture.outcome(SHOP, must(ids[1])), { outcome: 'refused', code: 'E_CONFLICT', rollout: null })
    assert.equal(await fixture.outcome({ ...SHOP, tenant: 'globex' }, must(ids[0])), null)
  })

  contract('what keeps an environment from getting on stands beside its state until it goes on, and only the leader writes it', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const trouble = { code: 'E_INTERNAL', text: 'no luck', lines: [], since: 7 }
    await journal.noteTrouble(epoch, id, trouble, [event('environment.stuck')])
    assert.deepEqual(must(await journal.loadEnvironment(id)).trouble, trouble)
    await assert.rejects(journal.noteTrouble(epoch - 1, id, null, []), (error: unknown) => isWeirError(error, 'E_STALE_EPOCH'))
    await journal.noteTrouble(epoch, id, null, [event('environment.goes-on')])
    assert.equal(must(await journal.loadEnvironment(id)).trouble, null)
    await journal.noteTrouble(epoch, 'e4711', trouble, [event('late')])
    assert.deepEqual(await fixture.events(SHOP.tenant), ['environment.stuck', 'environment.goes-on'])
  })

  contract('an environment brings the releases that its state and its commands name, with what their rollouts left', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    for (const _ of [1, 2, 3, 4, 5]) await ready(fixture, journal, epoch)
    const consumeAll = async () => must(await journal.loadEnvironment(id)).commands.map((stored) => ({ id: stored.id, refused: null, rollout: null }))
    const origins = [{ release: 2, origins: { web: 2, db: 1 } }]
    await journal.commitEnvironment(
      epoch,
      id,
      changes({ current: 4, warm: { release: 2, until: 5 } }, { consumed: await consumeAll(), origins, promoted: [1, 2, 4] }),
    )
    const named = must(await journal.loadEnvironment(id)).releases
    assert.deepEqual(Object.keys(named), ['2', '4'])
    assert.deepEqual([named[2]?.origins, named[2]?.promoted, named[4]?.origins], [{ web: 2, db: 1 }, true, null])

    await fixture.addCommand(SHOP, { kind: 'rollback', to: 3, acceptSchema: false })
    assert.deepEqual(Object.keys(must(await journal.loadEnvironment(id)).releases), ['2', '3', '4'])
    await journal.commitEnvironment(epoch, id, changes({ current: 4 }, { consumed: await consumeAll() }))
    await fixture.addCommand(SHOP, { kind: 'rollback', to: null, acceptSchema: false })
    assert.deepEqual(Object.keys(must(await journal.loadEnvironment(id)).releases), ['1', '2', '4'], 'the promoted ones, to choose from')
  })

  contract('what the entry answered is known where a rollout may begin: newest rows, without inner hops and clients that left', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const answers = async () => must(await journal.loadEnvironment(id)).answers
    await journal.commitCounters(epoch, [block('w1', 1, id, 900, { html: 0 })])
    const pages = Array.from({ length: 1_000 }, (_, at) => block('w1', 2 + at, id, 3, { aborted: 1, html: 2, route: `/${at}` }))
    await journal.commitCounters(epoch, pages)
    await journal.commitCounters(epoch, [block('w2', 1, id, 50, { hop: 'x1' }), block('w2', 2, 'e999', 50)])
    assert.equal(await answers(), null, 'nothing can begin')
    await ready(fixture, journal, epoch)
    assert.deepEqual(await answers(), { total: 2_000, html: 2_000 }, 'a deploy is pending')
    const consumed = must(await journal.loadEnvironment(id)).commands.map((stored) => ({ id: stored.id, refused: null, rollout: null }))
    await journal.commitEnvironment(epoch, id, changes({ waiting: [{ id: 'r1', kind: 'deploy', target: 1, by: 'ann' }] }, { consumed }))
    assert.deepEqual(await answers(), { total: 2_000, html: 2_000 }, 'a rollout waits')
    await journal.commitEnvironment(epoch, id, changes({}))
    assert.equal(await answers(), null)
  })

  contract('a removed environment is gone, and its name can be used again: with its id when the data stayed, as a new one when it did not', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    await ready(fixture, journal, epoch)
    await fixture.follow(SHOP, BRANCH)
    const table = { version: { epoch, n: 8 }, digest: 'd' }
    await journal.commitEnvironment(
      epoch,
      id,
      changes({ removing: { withData: false }, nextSerial: 40, nextRollout: 6, table }, { removed: true, events: [event('environment.removed')] }),
    )
    assert.equal(await journal.loadEnvironment(id), null)
    assert.deepEqual(await journal.environments(), [])
    assert.deepEqual(await journal.followedBranches(), [])
    assert.ok((await fixture.events(SHOP.tenant)).includes('environment.removed'))

    assert.equal(await fixture.ensureEnvironment(SHOP), id)
    const again = must(await journal.loadEnvironment(id))
    assert.deepEqual(again.state, { ...INITIAL_STATE, nextSerial: 40, nextRollout: 6, table: { version: { epoch, n: 8 }, digest: '' } })
    assert.deepEqual(again.commands, [])
    assert.equal((await fixture.createRelease(SHOP, UPLOAD, 'wait')).number, 2)

    await journal.commitEnvironment(epoch, id, changes({ removing: { withData: true } }, { removed: true }))
    await journal.commitEnvironment(epoch, id, changes({ removing: { withData: true } }, { removed: true }))
    const fresh = await fixture.ensureEnvironment(SHOP)
    assert.notEqual(fresh, id)
    assert.deepEqual(must(await journal.loadEnvironment(fresh)).state, INITIAL_STATE)
    await assert.rejects(journal.commitEnvironment(epoch, id, changes({})), (error: unknown) => isWeirError(error, 'E_NOT_FOUND'))
  })

  contract('whoever watches hears the keys of what others change', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const heard = new Set<string>()
    const stop = journal.watch((key) => heard.add(key))
    try {
      let probes = 0
      await until(async () => {
        await fixture.ensureEnvironment({ ...SHOP, app: `probe${++probes}` })
        return heard.size > 0
      })
      const id = await fixture.ensureEnvironment(SHOP)
      const key = await fixture.createRelease(SHOP, UPLOAD, 'wait')
      await fixture.follow(SHOP, BRANCH)
      await until(() => heard.has(`env:${id}`) && heard.has(`release:${id}/1`) && heard.has('follow'))
      heard.clear()
      await journal.commitRelease(epoch, key, { status: 'ready', graph: graphOf(), events: [] })
      await until(() => heard.has(`env:${id}`))
    } finally {
      stop()
    }
  })
}
