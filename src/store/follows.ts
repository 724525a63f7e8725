import type { FollowedBranch, ReleaseKey } from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import { recordAudit } from './audit.ts'
import type { Database, Query } from './database.ts'
import { cleanText } from './json.ts'
import { holdEpoch } from './lease-table.ts'
import { insertRelease } from './new-release.ts'

export function followedBranches(query: Query): Promise<FollowedBranch[]> {
  return query.rows<FollowedBranch>(
    `select f.id, f.environment, e.tenant, f.url, f.ref, f.path, f.last_commit as "lastCommit"
     from follows f join environments e on e.id = f.environment where e.removed_at is null order by f.id`,
  )
}

/**
 * At most one release per (repository, ref, folder, commit), however often and by how many servers it is seen: a unique index holds it.
 * So running it again after a lost answer is safe; the release then made is found by `unfinishedReleases`.
 */
export function commitFollowed(
  database: Database,
  epoch: Epoch,
  branch: FollowedBranch,
  seen: { readonly commit: string } | { readonly problem: string },
): Promise<ReleaseKey | null> {
  return database.transaction(async (query) => {
    await holdEpoch(query, epoch)
    const problem = 'problem' in seen ? cleanText(seen.problem) : null
    const commit = 'commit' in seen ? seen.commit : null
    const updated = await query.rows('update follows set last_commit = coalesce($2, last_commit), problem = $3, checked_at = now() where id = $1 returning 1', [
      branch.id,
      commit,
      problem,
    ])
    if (commit === null || updated.length === 0) return null // somebody stopped following it meanwhile
    const { url, ref, path } = branch
    const by = `follow ${ref}`
    const key = await insertRelease(query, branch.environment, {
      source: { kind: 'git', url, ref, commit, path },
      manifest: null,
      by,
      whenBusy: 'supersede',
      followed: { url, ref, path, commit },
    })
    if (key)
      await recordAudit(query, by, [
        { tenant: branch.tenant, action: 'release.create', target: `${key.environment} v${key.number}`, detail: { url, ref, commit } },
      ])
    return key
  }, null)
}
