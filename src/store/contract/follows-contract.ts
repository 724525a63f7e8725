import assert from 'node:assert/strict'
import type { ReleaseKey } from '../../controllers/journal.ts'
import { BRANCH, type Contract, leader, must, SHOP } from './testing.ts'

/** Branches that are followed. */
export function followsContract(contract: Contract): void {
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
}
