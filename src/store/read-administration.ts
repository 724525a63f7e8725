import type { Configuration } from '../core/model/release.ts'
import type { Query } from './database.ts'
import { afterName, askFor, beforeNumber, pageOf } from './page.ts'
import type {
  AccountDetail,
  CredentialDetail,
  EnvironmentRef,
  FollowDetail,
  MemberDetail,
  Page,
  PageRequest,
  StagedConfiguration,
  TenantDetail,
  TokenDetail,
} from './queries.ts'

export async function readConfiguration(query: Query, ref: EnvironmentRef): Promise<StagedConfiguration | null> {
  const [row] = await query.rows<{ environment: Configuration['environment']; secrets: StagedConfiguration['secrets'] | null; current: Configuration | null }>(
    `select e.variables as environment, r.configuration as current,
       (select json_agg(json_build_object('name', s.name, 'version', s.version, 'by', s.by, 'at', s.created_at) order by s.name) from (
         select distinct on (name) name, version, by, created_at, removed_at from secrets where environment = e.id order by name, version desc) s where s.removed_at is null) as secrets
     from environments e left join releases r on r.environment = e.id and r.number = e.current
     where e.tenant = $1 and e.app = $2 and e.name = $3 and e.removed_at is null`,
    [ref.tenant, ref.app, ref.environment],
  )
  return row ? { ...row, secrets: (row.secrets ?? []).map((secret) => ({ ...secret, at: new Date(secret.at).toISOString() })) } : null
}

export function readFollows(query: Query, ref: EnvironmentRef): Promise<FollowDetail[]> {
  return query.rows<FollowDetail>(
    `select f.id, f.url, f.ref, f.path, f.last_commit as "lastCommit", f.problem, f.checked_at as "checkedAt"
     from follows f join environments e on e.id = f.environment where e.tenant = $1 and e.app = $2 and e.name = $3 and e.removed_at is null order by f.id limit 200`,
    [ref.tenant, ref.app, ref.environment],
  )
}

export async function readCredentials(query: Query, tenant: string, page: PageRequest): Promise<Page<CredentialDetail>> {
  const rows = await query.rows<CredentialDetail>(
    `select kind, url_prefix as "urlPrefix", by, created_at as at from credentials where tenant = $1 and kind || ' ' || url_prefix > $2 order by kind || ' ' || url_prefix limit $3`,
    [tenant, afterName(page), askFor(page)],
  )
  return pageOf(rows, page, (row) => `${row.kind} ${row.urlPrefix}`)
}

export async function readTokens(query: Query, tenant: string, page: PageRequest): Promise<Page<TokenDetail>> {
  const rows = await query.rows<TokenDetail>(
    `select id, label, account, environment, verbs, created_at as "createdAt", expires_at as "expiresAt", revoked_at as "revokedAt"
     from tokens where tenant = $1 and id < $2 order by id desc limit $3`,
    [tenant, beforeNumber(page), askFor(page)],
  )
  return pageOf(rows, page, (row) => row.id)
}

export async function readMembers(query: Query, tenant: string, page: PageRequest): Promise<Page<MemberDetail>> {
  const rows = await query.rows<MemberDetail>('select account, role from members where tenant = $1 and account > $2 order by account limit $3', [
    tenant,
    afterName(page),
    askFor(page),
  ])
  return pageOf(rows, page, (row) => row.account)
}

export async function readAccounts(query: Query, page: PageRequest): Promise<Page<AccountDetail>> {
  const rows = await query.rows<AccountDetail>(
    `select a.name, a.admin, a.created_at as "createdAt",
       coalesce((select json_agg(json_build_object('tenant', m.tenant, 'role', m.role) order by m.tenant) from members m where m.account = a.name), '[]') as tenants
     from accounts a where a.name > $1 order by a.name limit $2`,
    [afterName(page), askFor(page)],
  )
  return pageOf(rows, page, (row) => row.name)
}

export async function readTenants(query: Query, page: PageRequest): Promise<Page<TenantDetail>> {
  const rows = await query.rows<TenantDetail>(
    `select t.name, t.created_at as "createdAt",
       (select count(distinct e.app) from environments e where e.tenant = t.name and e.removed_at is null) as apps
     from tenants t where t.name > $1 order by t.name limit $2`,
    [afterName(page), askFor(page)],
  )
  return pageOf(rows, page, (row) => row.name)
}
