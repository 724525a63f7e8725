import type { Epoch } from '../core/model/epoch.ts'
import { isWeirError } from '../errors.ts'
import type { Source } from '../source/source.ts'
import type { FollowedBranch, Journal, ReleaseKey } from './journal.ts'

export interface FollowPorts {
  readonly journal: Journal
  readonly source: Source
  readonly epoch: () => Epoch
  readonly released: (key: ReleaseKey) => void
}

/** A webhook is only a hint to look; without one, we look this often. */
const POLL_MS = 30_000
const AT_ONCE = 8

/** Looks at every followed branch; a commit not seen before becomes a release, once per (repository, ref, commit). */
export async function followBranches(ports: FollowPorts): Promise<number> {
  const branches = [...(await ports.journal.followedBranches())]
  // A few at a time: a repository that does not answer keeps the others of its turn waiting, not all tenants.
  const takeTurns = async () => {
    for (let branch = branches.shift(); branch; branch = branches.shift()) await followBranch(ports, branch)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, takeTurns))
  return POLL_MS
}

async function followBranch(ports: FollowPorts, branch: FollowedBranch): Promise<void> {
  const seen = await ports.source
    .resolve(branch.tenant, { kind: 'git', url: branch.url, ref: branch.ref, commit: null, path: branch.path })
    .then(({ commit }) => ({ commit }))
    .catch((error: unknown) => ({ problem: isWeirError(error) ? (error.explanation.cause ?? error.message) : String(error) }))
  if ('commit' in seen && seen.commit === branch.lastCommit) return
  const key = await ports.journal.commitFollowed(ports.epoch(), branch, seen)
  if (key) ports.released(key)
}
