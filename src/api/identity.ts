import { nameProblem } from '../core/model/names.ts'
import { isWeirError, WeirError } from '../errors.ts'
import { type Principal, TENANT_VERBS, type TenantVerb } from '../identity/principal.ts'
import type { Page, TokenDetail } from '../store/queries.ts'
import type { Writer } from '../store/writes.ts'
import { verbsIn } from './access.ts'
import { found, pageOf, pageRequest } from './found.ts'
import type { Call, Handlers } from './route.ts'

type Ids =
  | 'identity.whoami'
  | 'identity.login'
  | 'accounts.create'
  | 'accounts.list'
  | 'accounts.password'
  | 'tokens.create'
  | 'tokens.list'
  | 'tokens.revoke'
  | 'tenants.list'
  | 'tenants.create'
  | 'members.list'
  | 'members.set'

const DAY_MS = 24 * 60 * 60 * 1000
const LOGIN_DAYS = 30

export const identity: Handlers<Ids> = {
  'identity.whoami': async ({ principal, tenant }) => {
    const who = found(principal, 'principal')
    return {
      name: who.name,
      account: who.account,
      admin: who.admin,
      tenant,
      tenants: Object.entries(who.tenants).map(([name, verbs]) => ({ tenant: name, verbs: [...verbs] })),
      environment: who.environment,
    }
  },

  'identity.login': async ({ body, ports, write }) => {
    const known = await ports.identity.verifyPassword(body.name, body.password)
    if (!known) throw new WeirError('E_UNAUTHENTICATED', { message: 'name or password is wrong', next: 'weir login' })
    const { secret, hash } = ports.identity.mintToken()
    return write(async (writer) => {
      const id = await writer.createToken({
        hash,
        label: body.label,
        tenant: null,
        account: body.name,
        environment: null,
        verbs: null,
        expiresInMs: LOGIN_DAYS * DAY_MS,
      })
      return { id, secret, expiresInDays: LOGIN_DAYS }
    })
  },

  'accounts.create': async ({ principal, body, ports, write }) => {
    const isAdmin = principal?.admin === true && principal.environment === null
    if (!isAdmin && !(await ports.queries.registrationOpen())) {
      throw new WeirError('E_FORBIDDEN', {
        message: 'registration is closed',
        cause: 'only an admin of this installation makes accounts',
        next: 'ask an admin: weir account create NAME',
      })
    }
    if (!isAdmin && (body.admin || body.tenant !== undefined || body.role !== undefined)) {
      throw new WeirError('E_FORBIDDEN', { message: 'who registers gets a tenant of their own', cause: '`tenant`, `role` and `admin` are for admins to give' })
    }
    const problem = nameProblem(body.name)
    if (problem !== null) throw new WeirError('E_NAME', { message: `"${body.name}" cannot be the name of an account`, cause: `it ${problem}` })
    const passwordHash = await ports.identity.hashPassword(body.password)
    return write(async (writer) => {
      const tenant = body.tenant ?? body.name
      const role = body.tenant === undefined ? 'admin' : (body.role ?? 'developer')
      await writer.createAccount({ name: body.name, passwordHash, admin: body.admin })
      if (body.tenant === undefined) await writer.createTenant(tenant)
      await writer.setRole(tenant, body.name, role)
      return { name: body.name, tenant, role, admin: body.admin }
    })
  },
  'accounts.list': async ({ query, ports }) => {
    const { items, cursor } = await ports.queries.accounts(pageRequest(query))
    return { items: items.map((it) => ({ ...it, tenants: [...it.tenants] })), cursor }
  },
  'accounts.password': async ({ principal, params, body, ports, write }) => {
    const who = found(principal, 'principal')
    const isOwn = who.account === params.account
    const isAdmin = who.admin && who.environment === null
    if (!isOwn && !isAdmin) throw new WeirError('E_NOT_FOUND', { message: `no account ${params.account}`, next: 'weir whoami' })
    if (isOwn) {
      if (body.current === undefined) throw new WeirError('E_USAGE', { message: 'the present password is needed', cause: '`current` is missing' })
      if (!(await ports.identity.verifyPassword(params.account, body.current)))
        throw new WeirError('E_FORBIDDEN', { message: 'the present password is another', state: 'the password stays as it was' })
    }
    const passwordHash = await ports.identity.hashPassword(body.password)
    return write(async (writer) => {
      await writer.setPassword(params.account, passwordHash)
      return { ok: true }
    })
  },

  'tokens.create': async ({ principal, tenant, body, ports, write }) => {
    const who = found(principal, 'principal')
    const verbs = grantable(who, tenant, body.verbs)
    const { secret, hash } = ports.identity.mintToken()
    return write(async (writer) => {
      const expiresInMs = body.days * DAY_MS
      const id = await writer.createToken({ hash, label: body.label, tenant, account: who.account, environment: body.environment, verbs, expiresInMs })
      return { id, secret, expiresInDays: body.days }
    })
  },
  'tokens.list': async ({ principal, tenant, query, ports }) => {
    const { items, cursor } = await ports.queries.tokens(tenant, pageRequest(query))
    const shown = items.filter((it) => mayManage(found(principal, 'principal'), tenant, it.account))
    return { items: shown.map((it) => ({ ...it, verbs: it.verbs === null ? null : [...it.verbs] })), cursor }
  },
  'tokens.revoke': async (call) => {
    const { principal, tenant, params, write } = call
    const who = found(principal, 'principal')
    if (params.token === 'current') {
      const id = Number(/^token:(\d+)$/.exec(who.id)?.[1])
      if (!Number.isInteger(id))
        throw new WeirError('E_CONFLICT', { message: 'there is no token to end', cause: 'the unix socket needs none', next: 'weir whoami' })
      return write(async (writer) => {
        await revokeOwn(writer, who, tenant, id)
        return { ok: true }
      })
    }
    const verbs = verbsIn(who, tenant)
    if (verbs === null) throw new WeirError('E_NOT_FOUND', { message: `no token ${params.token}` })
    if (who.environment !== null || (verbs !== 'all' && !verbs.includes('token:manage')))
      throw new WeirError('E_FORBIDDEN', { message: 'this token may not do that', cause: 'it lacks token:manage' })
    return write(async (writer) => {
      const token = await tokenOf(call, Number(params.token))
      if (!token || !mayManage(who, tenant, token.account)) throw new WeirError('E_NOT_FOUND', { message: `no token ${params.token}` })
      await writer.revokeToken({ tenant }, token.id)
      return { ok: true }
    })
  },

  'tenants.list': async ({ principal, query, ports }) => {
    const who = found(principal, 'principal')
    if (who.admin && who.environment === null) {
      const { items, cursor } = await ports.queries.tenants(pageRequest(query))
      return { items: [...items], cursor }
    }
    const own = Object.keys(who.tenants)
      .sort()
      .map((name) => ({ name, createdAt: null, apps: null }))
    return pageOf(own, (it) => it.name, query)
  },
  'tenants.create': ({ body, write }) =>
    write(async (writer) => {
      await writer.createTenant(body.name)
      return { name: body.name }
    }),
  'members.list': async ({ tenant, query, ports }) => {
    const { items, cursor } = await ports.queries.members(tenant, pageRequest(query))
    return { items: [...items], cursor }
  },
  'members.set': ({ tenant, params, body, write }) =>
    write(async (writer) => {
      await writer.setRole(tenant, params.account, body.role)
      return { ok: true }
    }),
}

/** One's own tokens; those of all others too for whoever manages the members. */
function mayManage(who: Principal, tenant: string, owner: string | null): boolean {
  const verbs = verbsIn(who, tenant)
  return verbs === 'all' || verbs?.includes('member:manage') === true || (who.account !== null && who.account === owner)
}

/** A log-in belongs to its account, any other token to its tenant. */
async function revokeOwn(writer: Writer, who: Principal, tenant: string, id: number): Promise<void> {
  const bound = () => writer.revokeToken({ tenant }, id)
  if (who.account === null) return bound()
  await writer.revokeToken({ account: who.account }, id).catch((error: unknown) => (isWeirError(error, 'E_NOT_FOUND') ? bound() : Promise.reject(error)))
}

async function tokenOf({ ports, tenant }: Pick<Call<'tokens.revoke'>, 'ports' | 'tenant'>, id: number): Promise<TokenDetail | null> {
  for (let cursor: string | null = null, page = 0; page < MAX_PAGES; page++) {
    const answer: Page<TokenDetail> = await ports.queries.tokens(tenant, { limit: PAGE, cursor })
    const token = answer.items.find((it) => it.id === id)
    if (token || answer.cursor === null) return token ?? null
    cursor = answer.cursor
  }
  return null
}
const PAGE = 200
const MAX_PAGES = 100

/** Nobody hands out more than they have: null (all that the account may do) only to whoever has an account and no narrower token. */
function grantable(who: Principal, tenant: string, asked: readonly TenantVerb[] | null): readonly TenantVerb[] | null {
  const own = verbsIn(who, tenant)
  if (own === 'all') return asked ?? [...TENANT_VERBS]
  const missing = (asked ?? []).filter((verb) => !own?.includes(verb))
  if (missing.length > 0) throw new WeirError('E_FORBIDDEN', { message: 'a token cannot do more than its maker', cause: `you lack ${missing.join(', ')}` })
  return asked ?? own ?? []
}
