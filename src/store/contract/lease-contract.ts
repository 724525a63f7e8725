import assert from 'node:assert/strict'
import { LEASE_MS } from '../../controllers/journal.ts'
import { isWeirError } from '../../errors.ts'
import { BRANCH, block, type Contract, changes, event, handClock, lead, must, SHOP, UPLOAD } from './testing.ts'

/** Who leads, and what a holder that no longer does may still write: nothing. */
export function leaseContract(contract: Contract): void {
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
    await assert.rejects(a.collect(old, { releases: 0, eventsMs: 0, countersMs: 0, evidence: 0 }), stale)

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
}
