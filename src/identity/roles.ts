import { type Principal, type Role, TENANT_VERBS, type TenantVerb, type TokenRecord } from './principal.ts'

const VIEWER: readonly TenantVerb[] = ['app:read', 'logs:read']
const DEVELOPER: readonly TenantVerb[] = [...VIEWER, 'app:deploy', 'app:operate', 'app:scale', 'app:exec', 'config:write', 'secret:write', 'token:manage']

/**
 * | role      | may                                                                                    |
 * |-----------|----------------------------------------------------------------------------------------|
 * | viewer    | look: apps, history, logs                                                              |
 * | developer | also deploy, operate, run and exec, configure, set secrets, make tokens of their own    |
 * | admin     | also remove apps, keep the tenant's credentials and members, read its audit             |
 */
export function verbsOf(role: Role): readonly TenantVerb[] {
  return { viewer: VIEWER, developer: DEVELOPER, admin: TENANT_VERBS }[role]
}

/**
 * What a token lets its bearer do at this moment: never more than its account may do now, however old the token.
 *
 * | account      | token's tenant | tenants                                  | admin of the installation |
 * |--------------|----------------|------------------------------------------|---------------------------|
 * | none         | T              | T: the token's verbs                     | no                        |
 * | plain        | T              | T, if a member: role's ∩ token's verbs   | no                        |
 * | plain        | all            | each of its own: role's ∩ token's verbs  | no                        |
 * | admin        | T              | T: all ∩ token's verbs                   | no                        |
 * | admin        | all            | each of its own: all ∩ token's verbs     | if the token has all verbs |
 */
export function principalOf(token: TokenRecord): Principal {
  const { account, tenant, verbs } = token
  const within = (own: readonly TenantVerb[]) => (verbs === null ? own : own.filter((verb) => verbs.includes(verb)))
  const roles: Readonly<Record<string, Role>> = account?.roles ?? {}
  const may = (name: string): readonly TenantVerb[] | null => {
    if (account === null) return verbs ?? []
    if (account.admin) return within(TENANT_VERBS)
    const role = Object.hasOwn(roles, name) ? roles[name] : undefined
    return role ? within(verbsOf(role)) : null
  }
  const names = tenant === null ? Object.keys(roles) : [tenant]
  const tenants = Object.fromEntries(
    names.flatMap((name) => {
      const own = may(name)
      return own ? [[name, own]] : []
    }),
  )
  return {
    id: `token:${token.id}`,
    name: account?.name ?? token.label,
    account: account?.name ?? null,
    admin: account?.admin === true && tenant === null && verbs === null,
    tenants,
    environment: token.environment,
  }
}
