/** Who asks, and what they may do. Types only: made by `authenticate.ts`, judged by `authorize.ts`. */

/** What can be done inside a tenant. */
export const TENANT_VERBS = [
  'app:read',
  'logs:read',
  'app:deploy',
  'app:operate',
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
export type Verb = TenantVerb | InstallationVerb

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
