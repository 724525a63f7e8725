import assert from 'node:assert/strict'
import { BRANCH, block, type Contract, changes, leader, must, ready, SHOP, UPLOAD } from './testing.ts'

/** What is forgotten, and what is not. */
export function retentionContract(contract: Contract): void {
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
    const kept = await journal.collect(epoch, { releases: 2, eventsMs: 3_600_000, countersMs: 3_600_000, evidence: 2 })
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

  contract('evidence of the newest rollouts is kept', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const other = await fixture.ensureEnvironment({ ...SHOP, app: 'blog' })
    const evidence = (environment: string, rollout: string) => ({ environment, rollout, stage: 1, fromMs: 0, toMs: 1, rows: [], replicas: [], clients: [] })
    for (const [at, rollout] of ['r1', 'r2', 'r1', 'r3', 'aa-1'].entries()) {
      await journal.commitCounters(epoch, [{ ...block('w1', at, id, 1), evidence: [evidence(id, rollout)] }])
    }
    await journal.commitCounters(epoch, [{ ...block('w1', 9, id, 1), evidence: [evidence(other, 'r1')] }])
    await journal.collect(epoch, { releases: 2, eventsMs: 3_600_000, countersMs: 3_600_000, evidence: 3 })
    const left = async (environment: string, rollout: string) => (await journal.loadEvidence(environment, rollout, 0)).length
    assert.deepEqual([await left(id, 'r1'), await left(id, 'r2'), await left(id, 'r3'), await left(id, 'aa-1')], [2, 0, 1, 1])
    assert.equal(await left(other, 'r1'), 1)
  })
}
