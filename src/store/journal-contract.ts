import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type EnvironmentChanges, type Journal, LEASE_MS, type NewEvent, type ReleaseKey } from '../controllers/journal.ts'
import type { AppGraph, Service } from '../core/model/app-graph.ts'
import type { SourceRef } from '../core/model/release.ts'
import type { CounterBlock, CounterRow } from '../core/model/routing.ts'
import type { Clock } from '../core/model/world.ts'
import { type Command, type EnvironmentState, INITIAL_STATE } from '../core/rollout/state.ts'
import { isWeirError } from '../errors.ts'
import type { EnvironmentRef } from './queries.ts'

/** One store, for one test; several journals on it are several servers. */
export interface JournalFixture {
  journal(clock: Clock): Journal
  ensureEnvironment(ref: EnvironmentRef): Promise<string>
  createRelease(ref: EnvironmentRef, source: SourceRef, whenBusy: 'wait' | 'supersede'): Promise<ReleaseKey>
  addCommand(ref: EnvironmentRef, command: Exclude<Command, { kind: 'deploy' }>): Promise<number>
  follow(ref: EnvironmentRef, branch: { readonly url: string; readonly ref: string; readonly path: string }): Promise<void>
  outcome(ref: EnvironmentRef, command: number): Promise<{ readonly outcome: string; readonly code: string | null; readonly rollout: string | null } | null>
  /** Kinds of the tenant's events, in order. */
  events(tenant: string): Promise<readonly string[]>
  /** Requests counted for an environment. */
  requests(ref: EnvironmentRef): Promise<number>
}

/**
 * What every Journal does. `open` gives a fresh store.
 *
 * @example journalContract('simulated', async () => simulatedFixture())
 */
export function journalContract(name: string, open: () => Promise<JournalFixture>): void {
  const contract = (sentence: string, run: (fixture: JournalFixture) => Promise<void>) => void test(`${name}: ${sentence}`, async () => run(await open()))

  contract('the epoch grows with every holder, and a second holder waits for the first to let go', async (fixture) => {
    const clock = handClock()
    const [a, b] = [fixture.journal(clock), fixture.journal(clock)]
    const first = await lead(a, 'a')
    assert.equal(await b.acquire('b', false), null)
    await a.release(first)
    const second = await lead(b, 'b')
    assert.ok(second > first)
    assert.ok((await lead(b, 'b')) > second, 'its own lease is taken again at once')
    assert.ok((await lead(a, 'a', true)) > second, 'force takes it from anyone')
  })

  contract("a holder whose renewals stand still is gone after the lease time on the watcher's clock, and not before", async (fixture) => {
    const [ofA, ofB] = [handClock(), handClock()]
    const [a, b] = [fixture.journal(ofA), fixture.journal(ofB)]
    const epoch = await lead(a, 'a')
    assert.equal(await b.acquire('b', false), null)
    ofB.pass(LEASE_MS - 1)
    assert.equal(await b.acquire('b', false), null)
    assert.equal(await a.renew(epoch), true)
    ofB.pass(LEASE_MS - 1)
    assert.equal(await b.acquire('b', false), null, 'it renewed: the wait begins anew')
    ofB.jump(31 * 86_400_000)
    assert.equal(await b.acquire('b', false), null, 'the wall clock takes no part')
    ofB.pass(LEASE_MS)
    assert.ok((await lead(b, 'b')) > epoch)
    assert.equal(await a.renew(epoch), false)
  })

  contract('writes of an old epoch are refused and change nothing', async (fixture) => {
    const clock = handClock()
    const [a, b] = [fixture.journal(clock), fixture.journal(clock)]
    const id = await fixture.ensureEnvironment(SHOP)
    const key = await fixture.createRelease(SHOP, UPLOAD, 'wait')
    await fixture.follow(SHOP, BRANCH)
    const old = await lead(a, 'a')
    const epoch = await lead(b, 'b', true)
    const [branch] = await b.followedBranches()
    const stop = await fixture.addCommand(SHOP, { kind: 'stop', service: null })
    await b.commitEnvironment(epoch, id, changes({ current: 1 }))
    const events = await fixture.events(SHOP.tenant)

    const stale = (error: unknown) => isWeirError(error, 'E_STALE_EPOCH')
    const late = changes({ current: 9 }, { consumed: [{ id: stop, refused: null, rollout: null }], events: [event('late')], removed: true })
    await assert.rejects(a.commitEnvironment(old, id, late), stale)
    await assert.rejects(a.commitEnvironment(old, id, { ...late, removed: false }), stale)
    await assert.rejects(a.commitRelease(old, key, { status: 'failed', events: [event('late')] }), stale)
    await assert.rejects(a.commitFollowed(old, must(branch), { commit: 'c'.repeat(40) }), stale)
    await assert.rejects(a.commitCounters(old, [block('w', 1, id, 5)]), stale)
    await assert.rejects(a.collect(old, { releases: 0, eventsMs: 0, countersMs: 0 }), stale)

    const record = must(await b.loadEnvironment(id))
    assert.equal(record.state.current, 1)
    assert.equal(record.commands.length, 1)
    assert.equal((await b.loadRelease(key))?.status, 'queued')
    assert.deepEqual((await b.unfinishedReleases()).length, 1)
    assert.equal((await b.followedBranches())[0]?.lastCommit, null)
    assert.equal(await fixture.requests(SHOP), 0)
    assert.deepEqual(await fixture.events(SHOP.tenant), events)
  })

  contract('store time goes on from where the last holder saved it, and never back', async (fixture) => {
    const [ofA, ofB] = [handClock(5_000_000), handClock(7)]
    const [a, b] = [fixture.journal(ofA), fixture.journal(ofB)]
    const id = await fixture.ensureEnvironment(SHOP)
    const epoch = await lead(a, 'a')
    const start = a.now()
    ofA.pass(10_000)
    ofA.jump(-86_400_000)
    assert.equal(a.now(), start + 10_000)
    assert.equal(await a.renew(epoch), true)
    ofA.pass(500)
    await a.commitEnvironment(epoch, id, changes({}))
    await lead(b, 'b', true)
    assert.equal(b.now(), start + 10_500)
    ofB.pass(40)
    assert.equal(b.now(), start + 10_540)
  })

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

  contract('a release is queued, built, ready: then it is immutable and has its deploy command', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const first = await fixture.createRelease(SHOP, UPLOAD, 'supersede')
    const second = await fixture.createRelease(SHOP, { kind: 'release', number: 1 }, 'wait')
    assert.deepEqual(
      [first, second],
      [
        { environment: id, number: 1 },
        { environment: id, number: 2 },
      ],
    )
    assert.deepEqual(await journal.unfinishedReleases(), [first, second])
    assert.equal((await journal.loadRelease(second))?.previous, null, 'not ready yet')
    assert.deepEqual(must(await journal.loadRelease(first)).source, UPLOAD)

    await journal.commitRelease(epoch, first, { status: 'building', graph: graphOf(), notes: ['one'], events: [event('release.building')] })
    assert.equal(must(await journal.loadRelease(first)).status, 'building')
    await journal.commitRelease(epoch, first, {
      status: 'ready',
      artifacts: { web: ARTIFACT },
      fingerprints: { web: 'f1' },
      notes: ['two'],
      events: [event('release.ready')],
    })
    assert.deepEqual(await journal.unfinishedReleases(), [second])
    const ready = must(await journal.loadRelease(first))
    assert.deepEqual(
      { status: ready.status, graph: ready.graph, artifacts: ready.artifacts },
      { status: 'ready', graph: graphOf(), artifacts: { web: ARTIFACT } },
    )
    assert.deepEqual(must(await journal.loadRelease(second)).previous?.artifacts, { web: ARTIFACT })

    const record = must(await journal.loadEnvironment(id))
    assert.deepEqual(
      record.commands.map((stored) => stored.command),
      [{ kind: 'deploy', release: 1, whenBusy: 'supersede' }],
    )
    assert.deepEqual(record.releases[1]?.fingerprints, { web: 'f1' })
    assert.deepEqual([record.releases[1]?.origins, record.releases[1]?.promoted], [null, false])
    for (const status of ['failed', 'building', 'ready'] as const) {
      await assert.rejects(journal.commitRelease(epoch, first, { status, events: [event('late')] }), (error: unknown) => isWeirError(error, 'E_CONFLICT'))
    }
    assert.equal(must(await journal.loadEnvironment(id)).commands.length, 1)

    const trouble = { code: 'E_UNAVAILABLE', text: 'away', lines: [], since: 12 }
    await journal.commitRelease(epoch, second, { status: 'building', because: trouble, events: [] })
    assert.deepEqual(must(await journal.loadRelease(second)).trouble, trouble)
    await journal.commitRelease(epoch, second, { status: 'building', events: [] })
    assert.equal(must(await journal.loadRelease(second)).trouble, null)

    await journal.commitRelease(epoch, second, { status: 'failed', because: { code: 'E_BUILD_FAILED', text: 'exit 1', lines: ['x'] }, events: [] })
    assert.equal(must(await journal.loadRelease(second)).status, 'failed')
    assert.equal(must(await journal.loadEnvironment(id)).commands.length, 1, 'nothing is deployed')
    const told = (await fixture.events(SHOP.tenant)).filter((kind) => kind !== 'release.created')
    assert.deepEqual(told, ['release.building', 'release.ready'])
    await assert.rejects(journal.commitRelease(epoch, { environment: id, number: 77 }, { status: 'failed', events: [] }), (error: unknown) =>
      isWeirError(error, 'E_NOT_FOUND'),
    )
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

  contract('a route belongs to one environment, a host to one tenant, and a conflict names nobody', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const blog = { ...SHOP, app: 'blog' }
    const other = { ...SHOP, tenant: 'globex', app: 'secret-name' }
    for (const ref of [SHOP, blog, other]) await fixture.ensureEnvironment(ref)
    const claim = async (ref: EnvironmentRef, host: string | null, path: string) => {
      const key = await fixture.createRelease(ref, UPLOAD, 'wait')
      await journal.commitRelease(epoch, key, {
        status: 'ready',
        graph: graphOf([{ host, path, port: 'http' }]),
        artifacts: {},
        fingerprints: {},
        events: [event('claimed')],
      })
    }
    const conflict = (error: unknown) => isWeirError(error, 'E_CONFLICT') && !/globex|secret-name|acme|shop\//.test(JSON.stringify(error.explanation))
    await claim(SHOP, 'shop.example.com', '/')
    await claim(SHOP, 'shop.example.com', '/')
    await claim(blog, 'shop.example.com', '/blog')
    await claim(SHOP, '*.apps.example.com', '/')
    await claim(SHOP, null, '/anything')
    await assert.rejects(claim(blog, 'shop.example.com', '/'), conflict)
    await assert.rejects(claim(other, 'shop.example.com', '/'), conflict)
    await assert.rejects(claim(other, 'shop.example.com', '/mine'), conflict)
    await assert.rejects(claim(other, 'evil.apps.example.com', '/'), conflict)
    await assert.rejects(claim(other, '*.example.com', '/'), conflict)
    await assert.rejects(claim(other, null, '/anything'), conflict)
    await claim(other, 'a.b.apps.example.com', '/')
    await claim(other, null, '/')
    assert.equal((await fixture.events(other.tenant)).filter((kind) => kind === 'claimed').length, 2)
    const [refused] = await journal.unfinishedReleases()
    assert.equal((await journal.loadRelease(must(refused)))?.status, 'queued', 'a refused claim leaves the release as it was')
  })

  contract('a release made from one of another environment gets that one, and retention keeps it until then', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const staging = { ...SHOP, environment: 'staging' }
    for (const ref of [SHOP, staging]) await fixture.ensureEnvironment(ref)
    for (const _ of [1, 2, 3]) await ready(fixture, journal, epoch)
    await journal.commitEnvironment(epoch, await fixture.ensureEnvironment(SHOP), {
      ...changes({ current: 3 }),
      consumed: must(await journal.loadEnvironment(await fixture.ensureEnvironment(SHOP))).commands.map((stored) => ({
        id: stored.id,
        refused: null,
        rollout: null,
      })),
    })
    const key = await fixture.createRelease(staging, { kind: 'release', number: 1, environment: SHOP.environment }, 'wait')
    const nowhere = await fixture.createRelease(staging, { kind: 'release', number: 1 }, 'wait')
    await journal.collect(epoch, { releases: 1, eventsMs: 3_600_000, countersMs: 3_600_000 })
    assert.deepEqual(must(await journal.loadRelease(key)).previous?.artifacts, { web: ARTIFACT })
    assert.equal(must(await journal.loadRelease(nowhere)).previous, null)
    await journal.commitRelease(epoch, key, { status: 'failed', events: [] })
    const { slugs } = await journal.collect(epoch, { releases: 1, eventsMs: 3_600_000, countersMs: 3_600_000 })
    assert.equal(slugs.size, 1)
    assert.equal(await journal.loadRelease({ environment: await fixture.ensureEnvironment(SHOP), number: 1 }), null)
  })

  contract('a followed branch makes one release of a commit, however often it is seen', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    await fixture.follow(SHOP, BRANCH)
    await fixture.follow(SHOP, BRANCH)
    const branches = await journal.followedBranches()
    assert.equal(branches.length, 1)
    const branch = must(branches[0])
    assert.deepEqual({ ...branch, id: 0 }, { id: 0, environment: id, tenant: 'acme', ...BRANCH, lastCommit: null })
    assert.equal(await journal.commitFollowed(epoch, branch, { problem: 'unreachable' }), null)
    const commits = ['a', 'a', 'b', 'a'].map((letter) => letter.repeat(40))
    const keys: (ReleaseKey | null)[] = []
    for (const commit of commits) keys.push(await journal.commitFollowed(epoch, branch, { commit }))
    assert.deepEqual(keys, [{ environment: id, number: 1 }, null, { environment: id, number: 2 }, null])
    const parallel = await Promise.all([1, 2, 3].map(() => journal.commitFollowed(epoch, branch, { commit: 'd'.repeat(40) })))
    assert.equal(parallel.filter((key) => key !== null).length, 1)
    const release = must(await journal.loadRelease({ environment: id, number: 1 }))
    assert.deepEqual(release.source, { kind: 'git', ...BRANCH, commit: 'a'.repeat(40) })
    assert.equal((await journal.followedBranches())[0]?.lastCommit, 'd'.repeat(40))
    assert.equal((await fixture.createRelease(SHOP, { kind: 'git', ...BRANCH, commit: 'a'.repeat(40) }, 'wait')).number, 4, 'by hand always makes one')
  })

  contract('a branch that is followed from a deploy on has the release of that commit already', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    await fixture.ensureEnvironment(SHOP)
    const key = await fixture.createRelease(SHOP, { kind: 'git', ...BRANCH, commit: null }, 'wait')
    await fixture.follow(SHOP, BRANCH)
    const look = async (letter: string) => journal.commitFollowed(epoch, must((await journal.followedBranches())[0]), { commit: letter.repeat(40) })
    assert.equal(await look('a'), null, 'which commit was meant is not known yet')
    await journal.commitRelease(epoch, key, { status: 'building', commit: { commit: 'a'.repeat(40), ref: BRANCH.ref, subject: '', author: '' }, events: [] })
    assert.equal(await look('a'), null)
    assert.equal((await look('b'))?.number, 2)
    assert.equal((await look('a'))?.number, 3, 'a branch that went back is released again')
  })

  contract('a block of counters counts once', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const blocks = [block('w1', 1, id, 5), block('w1', 2, id, 7), block('w2', 1, id, 1)]
    await journal.commitCounters(epoch, blocks.slice(0, 2))
    await journal.commitCounters(epoch, blocks)
    await journal.commitCounters(epoch, [...blocks, ...blocks])
    await journal.commitCounters(epoch, [])
    assert.equal(await fixture.requests(SHOP), 13)
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

  contract('retention keeps what runs, waits or may be gone back to, and says which files are needed', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    for (let number = 1; number <= 9; number++) await ready(fixture, journal, epoch, `sha256:${number}`)
    const pending = must(await journal.loadEnvironment(id)).commands
    const consumed = pending.filter((stored) => stored.id !== pending[1]?.id).map((stored) => ({ id: stored.id, refused: null, rollout: null }))
    const replicas = { r: { service: 'web', origin: 3, since: 0, retired: null, stale: false } }
    await journal.commitEnvironment(epoch, id, changes({ current: 6, replicas }, { consumed, promoted: [5] }))
    await journal.commitEnvironment(epoch, id, changes({ current: 6, replicas }, { promoted: [6] }))
    await fixture.follow(SHOP, BRANCH)
    const kept = await journal.collect(epoch, { releases: 2, eventsMs: 3_600_000, countersMs: 3_600_000 })
    // 2 by its pending command, 3 by its replica, 5 and 6 promoted last, 8 and 9 newest
    assert.deepEqual(
      [...kept.slugs].sort(),
      [2, 3, 5, 6, 8, 9].map((number) => `sha256:${number}`),
    )
    assert.deepEqual([...kept.uploads], ['sha256:up'])
    assert.deepEqual(kept.mirrors, [{ tenant: 'acme', url: BRANCH.url }])
    assert.equal(await journal.loadRelease({ environment: id, number: 1 }), null)
    assert.equal((await fixture.createRelease(SHOP, UPLOAD, 'wait')).number, 10, 'numbers are never used again')
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

const SHOP: EnvironmentRef = { tenant: 'acme', app: 'shop', environment: 'production' }
const UPLOAD: SourceRef = { kind: 'upload', digest: 'sha256:up', label: 'shop' }
const BRANCH = { url: 'https://git.example.com/shop.git', ref: 'main', path: '' }
const ARTIFACT = { kind: 'slug', digest: 'sha256:1', key: 'k1', bytes: 10, command: ['node', 'server.js'], runtime: null } as const
const ROLLOUT = {
  id: 'e1-r1',
  kind: 'deploy',
  target: 2,
  base: 1,
  by: 'ann',
  startedAt: 3,
  strategy: 'rolling',
  stages: [[{ service: 'web', manner: 'beside' }]],
  removed: [],
  split: null,
  steps: [],
  keepMs: 300_000,
  paused: false,
} as const

export function changes(state: Partial<EnvironmentState>, also: Partial<EnvironmentChanges> = {}): EnvironmentChanges {
  return { state: { ...INITIAL_STATE, ...state }, consumed: [], origins: [], promoted: [], rollouts: [], operations: [], events: [], removed: false, ...also }
}

export function event(kind: string): NewEvent {
  return { kind, text: kind, service: null, release: null, data: {} }
}

export function graphOf(routes: Service['routes'] = []): AppGraph {
  const web: Service = {
    name: 'web',
    artifact: { kind: 'build', context: '.', command: null, output: null },
    command: null,
    ports: { http: { number: 8080, protocol: 'http' } },
    routes,
    dependsOn: {},
    calls: [],
    uses: [],
    healthcheck: { kind: 'tcp', port: 'http', intervalMs: 1000, timeoutMs: 1000, retries: 3, startPeriodMs: 10_000 },
    environment: {},
    secrets: [],
    limits: { cpu: 1, memoryBytes: 268_435_456 },
    stop: { signal: 'SIGTERM', graceMs: 10_000 },
    volumes: [],
    preStart: [],
    scale: { min: 1, max: 1 },
    scaler: 'manual',
    release: { strategy: 'rolling', steps: [], split: null, keepMs: 300_000 },
    objectives: {},
  }
  return { app: 'shop', format: 'weir', services: { web }, resources: {}, jobs: {}, entry: routes.length === 0 ? { service: 'web', port: 'http' } : null }
}

/** A clock moved by hand: `pass` lets time go by, `jump` is somebody setting the wall clock. */
export function handClock(start = 0): Clock & { pass(ms: number): void; jump(ms: number): void } {
  let monotonic = start
  let wall = 1_700_000_000_000
  return {
    monotonic: () => monotonic,
    wall: () => wall,
    after: () => () => {},
    pass: (ms) => {
      monotonic += ms
      wall += ms
    },
    jump: (ms) => {
      wall += ms
    },
  }
}

async function leader(fixture: JournalFixture): Promise<{ journal: Journal; epoch: number }> {
  const journal = fixture.journal(handClock())
  return { journal, epoch: await lead(journal, 'leader') }
}

async function lead(journal: Journal, holder: string, force = false): Promise<number> {
  return must(await journal.acquire(holder, force))
}

async function ready(fixture: JournalFixture, journal: Journal, epoch: number, digest = 'sha256:1'): Promise<ReleaseKey> {
  const key = await fixture.createRelease(SHOP, UPLOAD, 'wait')
  await journal.commitRelease(epoch, key, {
    status: 'ready',
    graph: graphOf(),
    artifacts: { web: { ...ARTIFACT, digest } },
    fingerprints: { web: digest },
    events: [],
  })
  return key
}

function block(incarnation: string, sequence: number, environment: string, requests: number, more: Partial<CounterRow> = {}): CounterBlock {
  const row = {
    environment,
    version: { epoch: 1, n: 1 },
    hop: 'entry',
    track: 'stable',
    service: 'web',
    origin: 1,
    route: '/',
    requests,
    errors: 0,
    rejected4xx: 0,
    aborted: 0,
    html: 0,
    latency: [10, requests],
    ...more,
  } as const
  return { incarnation, sequence, from: 0, to: 1000, rows: [row] }
}

function must<T>(value: T | null | undefined): T {
  assert.ok(value !== null && value !== undefined)
  return value
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000
  while (!(await holds())) {
    if (performance.now() > end) assert.fail('did not happen within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
