import { createHash } from 'node:crypto'
import type { IdentityStore, Role, TenantVerb, TokenRecord } from '../identity/principal.ts'
import type { Query } from './database.ts'

const ATTEMPTS_A_MINUTE = 10

export class PostgresIdentity implements IdentityStore {
  readonly #query: Query

  constructor(query: Query) {
    this.#query = query
  }

  async token(hash: Uint8Array): Promise<TokenRecord | null> {
    const [row] = await this.#query.prepared<TokenRow>('token', TOKEN, [hash])
    if (!row) return null
    const { id, label, tenant, environment, verbs, account, admin, roles } = row
    return { id, label, tenant, environment, verbs, account: account === null ? null : { name: account, admin, roles: roles ?? {} } }
  }

  async passwordHash(account: string): Promise<string | null> {
    const [row] = await this.#query.rows<{ password_hash: string | null }>('select password_hash from accounts where name = $1', [account])
    return row?.password_hash ?? null
  }

  async attemptLogin(account: string): Promise<boolean> {
    // hashed: whatever somebody types as a name, a row stays small
    const subject = createHash('sha256').update(account).digest('base64url')
    const [row] = await this.#query.rows<{ attempts: number }>(
      `insert into login_attempts as l (subject, window_start, attempts) values ($1, now(), 1)
       on conflict (subject) do update set
         attempts = case when l.window_start < now() - interval '1 minute' then 1 else least(l.attempts + 1, 1000) end,
         window_start = case when l.window_start < now() - interval '1 minute' then now() else l.window_start end
       returning attempts`,
      [subject],
    )
    return (row?.attempts ?? 1) <= ATTEMPTS_A_MINUTE
  }
}

interface TokenRow {
  readonly id: number
  readonly label: string
  readonly tenant: string | null
  readonly environment: string | null
  readonly verbs: readonly TenantVerb[] | null
  readonly account: string | null
  readonly admin: boolean
  readonly roles: Readonly<Record<string, Role>> | null
}

const TOKEN = `
select t.id, t.label, t.tenant, t.environment, t.verbs, t.account, coalesce(a.admin, false) as admin,
  (select json_object_agg(m.tenant, m.role) from members m where m.account = t.account) as roles
from tokens t left join accounts a on a.name = t.account
where t.hash = $1 and t.revoked_at is null and t.expires_at > now()`
