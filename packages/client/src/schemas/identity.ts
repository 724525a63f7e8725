import { z } from 'zod'
import { VERBS } from '../routes.ts'
import { list, name, page, time } from './common.ts'

const MAX_TOKEN_DAYS = 90

export const role = z.enum(['viewer', 'developer', 'admin']).meta({ id: 'Role', description: 'Within a tenant: sees; changes; also manages its accounts and tokens.' })
const password = z.string().min(10).max(200)
const verb = z.enum(VERBS)

/** What a token is cut down to; absent parts are as wide as the account's role. */
const limits = {
  app: name.nullable().default(null).meta({ description: 'Only this app.' }),
  environment: name.nullable().default(null).meta({ description: 'Only environments of this name.' }),
  verbs: z.array(verb).min(1).max(VERBS.length).nullable().default(null).meta({ description: 'Only these verbs.' }),
}

export const token = z
  .object({
    id: z.string(),
    label: z.string(),
    account: z.string(),
    tenant: z.string().nullable(),
    app: z.string().nullable(),
    environment: z.string().nullable(),
    verbs: z.array(verb).nullable(),
    createdAt: time,
    expiresAt: time,
    lastUsedAt: time.nullable(),
  })
  .meta({ id: 'Token' })
const newToken = z.object({ token, secret: z.string().meta({ description: 'Shown this once; only its hash is kept.' }) })

const account = z.object({ name: z.string(), tenant: z.string().nullable(), role, admin: z.boolean(), createdAt: time }).meta({ id: 'Account' })
const tenant = z.object({ name: z.string(), role, createdAt: time }).meta({ id: 'Tenant' })
const settings = z.object({ registration: z.enum(['open', 'closed']) }).meta({ id: 'Settings' })

export const identity = {
  'settings.show': { response: settings },
  'settings.update': { body: z.strictObject({ registration: z.enum(['open', 'closed']) }), response: settings },
  'identity.whoami': {
    response: z.object({
      account: z.string().meta({ description: '`local` for whoever reaches the unix socket.' }),
      tenant: z.string().meta({ description: 'The tenant that requests are about, unless `Weir-Tenant` says another.' }),
      role,
      admin: z.boolean().meta({ description: 'Of the whole installation.' }),
      app: z.string().nullable(),
      environment: z.string().nullable(),
      verbs: z.array(verb),
      expiresAt: time.nullable(),
    }),
  },
  'identity.login': { body: z.strictObject({ name, password: z.string().min(1).max(200), label: z.string().max(100).default('login') }), response: newToken },
  'accounts.create': {
    body: z.strictObject({
      name,
      password,
      tenant: name.optional().meta({ description: 'Only for an admin: an existing tenant to join. Default: a tenant of its own, with the name of the account.' }),
      role: role.optional(),
    }),
    response: account,
  },
  'accounts.list': { query: z.strictObject(page), response: list(account) },
  'tokens.create': {
    body: z.strictObject({ label: z.string().min(1).max(100), ...limits, days: z.int().min(1).max(MAX_TOKEN_DAYS).default(30) }),
    response: newToken,
  },
  'tokens.list': { query: z.strictObject(page), response: list(token) },
  'tokens.revoke': { params: z.strictObject({ token: z.string().min(1).max(64) }), response: z.object({ ok: z.literal(true) }) },
  'tenants.list': { query: z.strictObject(page), response: list(tenant) },
  'tenants.create': { body: z.strictObject({ name }), response: tenant },
}
