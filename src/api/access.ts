import type { RouteId, Verb } from '../../packages/client/src/routes.ts'
import { INSTALLATION_VERBS, type InstallationVerb, type Principal, type TenantVerb } from '../identity/principal.ts'

export interface Asked {
  readonly route: RouteId
  readonly verb: Verb
  readonly tenant: string
  /** Parameters of the path, where it has them. */
  readonly app: string | undefined
  readonly environment: string | undefined
}

export type Access = 'allowed' | 'unauthenticated' | 'forbidden' | 'hidden'

/** Routes above an environment that a token for one environment may use: they show or take only what belongs to it. */
const NARROWED: ReadonlySet<RouteId> = new Set<RouteId>([
  'apps.list',
  'apps.show',
  'environments.list',
  'events.list',
  'events.follow',
  'uploads.create',
  'sources.app',
  'metrics.show',
])

/**
 * May this be done? Asked before anything is looked up, so that an answer never tells whether the thing exists.
 *
 * | who                                   | asks for                          | answer          |
 * |---------------------------------------|-----------------------------------|-----------------|
 * | anyone                                | a public route                    | allowed         |
 * | nobody                                | anything else                     | unauthenticated |
 * | anyone with a token                   | something about themselves        | allowed         |
 * | not an admin of the installation      | something about the installation  | forbidden       |
 * | not in the tenant                     | anything of it                    | hidden (404)    |
 * | bound to one environment              | another one, or more than one     | forbidden       |
 * | in the tenant, without the verb       | anything that needs it            | forbidden       |
 */
export function access(principal: Principal | null, asked: Asked): Access {
  if (asked.verb === 'public') return 'allowed'
  if (principal === null) return 'unauthenticated'
  if (asked.verb === 'self') return 'allowed'
  if (isInstallationVerb(asked.verb)) return principal.admin && principal.environment === null ? 'allowed' : 'forbidden'
  const verbs = verbsIn(principal, asked.tenant)
  if (verbs === null) return 'hidden'
  if (principal.environment !== null && !isWithin(principal.environment, asked)) return 'forbidden'
  return verbs === 'all' || verbs.includes(asked.verb) ? 'allowed' : 'forbidden'
}

/** null: not a member. */
export function verbsIn(principal: Principal, tenant: string): readonly TenantVerb[] | 'all' | null {
  if (Object.hasOwn(principal.tenants, tenant)) return principal.tenants[tenant] ?? null
  return principal.admin ? 'all' : null
}

function isWithin(place: string, { route, app, environment }: Asked): boolean {
  if (environment !== undefined) return place === `${app}/${environment}`
  if (!NARROWED.has(route)) return false
  return app === undefined || place.startsWith(`${app}/`)
}

function isInstallationVerb(verb: Verb): verb is InstallationVerb {
  return (INSTALLATION_VERBS as readonly string[]).includes(verb)
}
