/** Who asks, and what they may do. Made by `identity.ts`, judged by the API for each route. */

/** What can be done inside a tenant. */
export const TENANT_VERBS = [
  'app:read',
  'logs:read',
  'app:deploy',
  'app:operate',
  'app:scale',
  'app:exec',
  'app:remove',
  'config:write',
  'secret:write',
  'credential:write',
  'token:manage',
  'member:manage',
  'audit:read',
] as const
/** What can be done to the whole installation; only its admins may. */
export const INSTALLATION_VERBS = ['account:manage', 'tenant:manage', 'installation:read', 'installation:write'] as const

export type TenantVerb = (typeof TENANT_VERBS)[number]
export type InstallationVerb = (typeof INSTALLATION_VERBS)[number]

/** An account's part in one tenant. */
export type Role = 'admin' | 'developer' | 'viewer'

export interface Principal {
  /** `local` (the unix socket) or `token:17`: the scope of idempotency keys and rate limits. */
  readonly id: string
  /** As people read it in history and audit: an account's name, `local`. */
  readonly name: string
  readonly account: string | null
  /** Admin of the installation: every tenant, and the installation's verbs. */
  readonly admin: boolean
  /** tenant → what it may do there. An admin of the installation needs no entry. */
  readonly tenants: Readonly<Record<string, readonly TenantVerb[]>>
  /** `shop/production`: this token works there only; null: everywhere in its tenants. */
  readonly environment: string | null
}

/** A token that is neither revoked nor expired, with what its account is now. */
export interface TokenRecord {
  readonly id: number
  readonly label: string
  /** null: all tenants of its account. */
  readonly tenant: string | null
  readonly environment: string | null
  /** null: all that its account may do. */
  readonly verbs: readonly TenantVerb[] | null
  readonly account: { readonly name: string; readonly admin: boolean; readonly roles: Readonly<Record<string, Role>> } | null
}

/** What identity asks of the store. */
export interface IdentityStore {
  token(hash: Uint8Array): Promise<TokenRecord | null>
  /** null: no such account, or one without a password. */
  passwordHash(account: string): Promise<string | null>
  /** Counts an attempt to log in; false: this account has had too many within the minute. Shared by all servers. */
  attemptLogin(account: string): Promise<boolean>
}
