import type { Epoch } from '../core/model/epoch.ts'
import { isWeirError } from '../errors.ts'
import type { Source } from '../source/source.ts'
import type { Journal, ReleaseKey } from './journal.ts'

export interface FollowPorts {
  readonly journal: Journal
  readonly source: Source
  readonly epoch: () => Epoch
  readonly released: (key: ReleaseKey) => void
}

/** A webhook is only a hint to look; without one, we look this often. */
const POLL_MS = 30_000

/** Looks at every followed branch; a commit not seen before becomes a release, once per (repository, ref, commit). */
export async function followBranches(ports: FollowPorts): Promise<number> {
  for (const branch of await ports.journal.followedBranches()) {
    const seen = await ports.source
      .resolve(branch.tenant, { kind: 'git', url: branch.url, ref: branch.ref, commit: null, path: branch.path })
      .then(({ commit }) => ({ commit }))
      .catch((error: unknown) => ({ problem: isWeirError(error) ? (error.explanation.cause ?? error.message) : String(error) }))
    if ('commit' in seen && seen.commit === branch.lastCommit) continue
    const key = await ports.journal.commitFollowed(ports.epoch(), branch, seen)
    if (key) ports.released(key)
  }
  return POLL_MS
}
