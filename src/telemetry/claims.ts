import type { NamedEnvironment } from './telemetry.ts'
import type { Claims } from './window/resources.ts'

const USUAL = 'production'

/**
 * Whose spans are these, by what they say themselves? Only asked where whoever could send them may write into all that it could name: without
 * root there is one tenant; a broker is shared by those who were given its address.
 *
 * | what they say                                              | environment                                                     |
 * |------------------------------------------------------------|-----------------------------------------------------------------|
 * | `service.namespace`: an app that one tenant alone has       | `deployment.environment.name`, else production, else the only one |
 * | a service or operation `username/application_name` (EMP)    | the same, of the tenant's app; of the app where there is no such tenant |
 * | neither, or names that nobody has                           | null                                                             |
 */
export function environmentOf(claims: Claims, known: readonly NamedEnvironment[]): string | null {
  const candidates = claims.namespace === null ? named(claims.service ?? '', known) : known.filter((it) => it.app === claims.namespace)
  const all = candidates.length > 0 ? candidates : named(claims.operation ?? '', known)
  if (new Set(all.map((it) => it.tenant)).size !== 1) return null
  const wanted = claims.deployment ?? USUAL
  const exact = all.find((it) => it.environment === wanted)
  return exact?.id ?? (claims.deployment === null && all.length === 1 ? (all[0]?.id ?? null) : null)
}

function named(name: string, known: readonly NamedEnvironment[]): readonly NamedEnvironment[] {
  const match = /^([^/\s]+)\/([^/\s]+)$/.exec(name)
  if (!match) return []
  const ofApp = known.filter((it) => it.app === match[2])
  const ofTenant = ofApp.filter((it) => it.tenant === match[1])
  return ofTenant.length > 0 ? ofTenant : ofApp
}
