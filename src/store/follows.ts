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
 * Whoever deploys a branch by hand and follows it from then on has that commit's release already.
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
    const first = commit === null ? null : await askedFor(query, branch)
    if (first?.status === 'queued') return null // which commit it means is not known yet; the next look tells
    const updated = await query.rows('update follows set last_commit = coalesce($2, last_commit), problem = $3, checked_at = now() where id = $1 returning 1', [
      branch.id,
      commit,
      problem,
    ])
    if (commit === null || updated.length === 0) return null // somebody stopped following it meanwhile
    if (first !== null && first.commit === commit) return null
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

/** At the first look at a branch: the newest release of it that somebody asked for. */
async function askedFor(query: Query, { id, environment, url, ref, path }: FollowedBranch): Promise<{ status: string; commit: string | null } | null> {
  const [release] = await query.rows<{ status: string; commit: string | null }>(
    `select r.status, r.commit->>'commit' as commit from releases r join follows f on f.id = $1 and f.last_commit is null
     where r.environment = $2 and r.followed_commit is null
       and r.source->>'url' = $3 and r.source->>'ref' = $4 and r.source->>'path' = $5 and r.source->>'commit' is null
     order by r.number desc limit 1`,
    [id, environment, url, ref, path],
  )
  return release ?? null
}
