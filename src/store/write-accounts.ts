import { WeirError } from '../errors.ts'
import type { Role } from '../identity/principal.ts'
import { type Change, checked, checkName, notFound } from './change.ts'
import type { NewToken } from './writes.ts'

const DAY_MS = 86_400_000
const LONGEST_TOKEN_MS = 90 * DAY_MS

export async function createTenant(change: Change, name: string): Promise<void> {
  checkName('tenant', name)
  await checked(change.query.rows('insert into tenants (name) values ($1)', [name]), { tenants_pkey: () => taken('tenant', name) })
  change.audit({ tenant: name, action: 'tenant.create', target: name, detail: {} })
}

export async function createAccount(
  change: Change,
  account: { readonly name: string; readonly passwordHash: string | null; readonly admin: boolean },
): Promise<void> {
  checkName('account', account.name)
  const insert = change.query.rows('insert into accounts (name, password_hash, admin) values ($1, $2, $3)', [account.name, account.passwordHash, account.admin])
  await checked(insert, { accounts_pkey: () => taken('account', account.name) })
  change.audit({ tenant: null, action: 'account.create', target: account.name, detail: { admin: account.admin } })
}

export async function setPassword(change: Change, account: string, passwordHash: string): Promise<void> {
  const rows = await change.query.rows('update accounts set password_hash = $2 where name = $1 returning 1', [account, passwordHash])
  if (rows.length === 0) throw notFound(`account "${account}"`)
  await change.query.rows('update tokens set revoked_at = now() where account = $1 and tenant is null and revoked_at is null', [account])
  change.audit({ tenant: null, action: 'account.password', target: account, detail: {} })
}

export async function setRole(change: Change, tenant: string, account: string, role: Role | null): Promise<void> {
  if (role === null) {
    const rows = await change.query.rows('delete from members where tenant = $1 and account = $2 returning 1', [tenant, account])
    if (rows.length === 0) throw notFound(`member "${account}"`)
  } else {
    const upsert = change.query.rows(
      'insert into members (tenant, account, role) values ($1, $2, $3) on conflict (tenant, account) do update set role = excluded.role',
      [tenant, account, role],
    )
    await checked(upsert, { members_tenant_fkey: () => notFound(`tenant "${tenant}"`), members_account_fkey: () => notFound(`account "${account}"`) })
  }
  change.audit({ tenant, action: 'member.set', target: account, detail: { role } })
}

export async function setRegistration(change: Change, open: boolean): Promise<void> {
  await change.query.rows('update settings set registration_open = $1', [open])
  change.audit({ tenant: null, action: 'registration.set', target: 'registration', detail: { open } })
}

export async function createToken(change: Change, token: NewToken): Promise<number> {
  if (!(token.expiresInMs > 0 && token.expiresInMs <= LONGEST_TOKEN_MS)) throw usage('a token lives at most 90 days')
  if (token.tenant === null && token.account === null) throw usage('a token belongs to a tenant or to an account')
  if (token.account === null && token.verbs === null) throw usage('a token without an account names what it may do')
  if (token.environment !== null && token.tenant === null) throw usage('a token for one environment names its tenant')
  const insert = change.query.rows<{ id: number }>(
    `insert into tokens (hash, label, tenant, account, environment, verbs, expires_at) values ($1, $2, $3, $4, $5, $6, now() + $7 * interval '1 ms') returning id`,
    [token.hash, token.label, token.tenant, token.account, token.environment, token.verbs === null ? null : [...token.verbs], token.expiresInMs],
  )
  const [row] = await checked(insert, {
    tokens_tenant_fkey: () => notFound(`tenant "${token.tenant}"`),
    tokens_account_fkey: () => notFound(`account "${token.account}"`),
  })
  const id = row?.id ?? 0
  const { environment, verbs, account, expiresInMs } = token
  change.audit({
    tenant: token.tenant,
    action: 'token.create',
    target: `token ${id}`,
    detail: { label: token.label, account, environment, verbs, expiresInMs },
  })
  return id
}

export async function revokeToken(change: Change, owner: { readonly tenant: string } | { readonly account: string }, id: number): Promise<void> {
  const tenant = 'tenant' in owner ? owner.tenant : null
  const account = 'account' in owner ? owner.account : null
  const rows = await change.query.rows(
    'update tokens set revoked_at = coalesce(revoked_at, now()) where id = $1 and ((tenant = $2) or (tenant is null and account = $3)) returning 1',
    [id, tenant, account],
  )
  if (rows.length === 0) throw notFound(`token ${id}`)
  change.audit({ tenant, action: 'token.revoke', target: `token ${id}`, detail: {} })
}

function taken(kind: string, name: string): WeirError {
  return new WeirError('E_CONFLICT', { message: `there is already a ${kind} "${name}"` })
}
function usage(message: string): WeirError {
  return new WeirError('E_USAGE', { message })
}
