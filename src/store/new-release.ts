import type { ReleaseKey } from '../controllers/journal.ts'
import type { SourceRef } from '../core/model/release.ts'
import { WeirError } from '../errors.ts'
import type { Query } from './database.ts'
import { storable } from './json.ts'
import { appendEvents, releaseHint } from './releases.ts'

export interface ReleaseToInsert {
  readonly source: SourceRef
  readonly manifest: { readonly file: string; readonly text: string } | null
  readonly by: string
  readonly whenBusy: 'wait' | 'supersede'
  readonly again?: boolean
  readonly forward?: boolean
  /** The branch and commit that made it; null: somebody asked for it. */
  readonly followed: { readonly url: string; readonly ref: string; readonly path: string; readonly commit: string } | null
}

/**
 * The next release of the environment, acknowledged but not begun. Its number is taken under the environment's row lock, and with it the
 * staged variables and the newest versions of the secrets. null: this followed commit has its release already.
 */
export async function insertRelease(query: Query, environment: string, release: ReleaseToInsert): Promise<ReleaseKey | null> {
  const [row] = await query.rows<{ next_release: number }>('select next_release from environments where id = $1 and removed_at is null for no key update', [
    environment,
  ])
  if (!row) throw new WeirError('E_NOT_FOUND', { message: `no environment ${environment}` })
  const number = row.next_release
  const { followed } = release
  const inserted = await query.rows(
    `insert into releases (environment, number, status, source, manifest, configuration, by, when_busy, followed_url, followed_ref, followed_path, followed_commit, again, forward)
     select id, $2, 'queued', $3::json, $4::json, json_build_object('environment', variables, 'secrets', ${NEWEST_SECRETS}), $5, $6, $7, $8, $9, $10, $11, $12
     from environments e where id = $1
     on conflict (environment, followed_url, followed_ref, followed_path, followed_commit) where followed_commit is not null do nothing returning 1`,
    [
      environment,
      number,
      storable(release.source),
      release.manifest === null ? null : storable(release.manifest),
      release.by,
      release.whenBusy,
      followed?.url ?? null,
      followed?.ref ?? null,
      followed?.path ?? null,
      followed?.commit ?? null,
      release.again ?? false,
      release.forward ?? false,
    ],
  )
  if (inserted.length === 0) return null
  await query.rows('update environments set next_release = next_release + 1, updated_at = now() where id = $1', [environment])
  const key = { environment, number }
  await query.rows('select pg_notify($1, $2)', ['weir', releaseHint(key)])
  await appendEvents(query, environment, [
    { kind: 'release.created', text: `v${number} by ${release.by}`, service: null, release: number, data: { source: release.source } },
  ])
  return key
}

/** Name → newest version, of the secrets that were not removed. */
const NEWEST_SECRETS = `(select coalesce(json_object_agg(s.name, s.version order by s.name), '{}') from (
    select distinct on (name) name, version, removed_at from secrets where environment = e.id order by name, version desc
  ) s where s.removed_at is null)`
