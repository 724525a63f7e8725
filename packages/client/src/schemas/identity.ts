import * as z from 'zod'
import { done, list, name, page, time } from './common.ts'

const MAX_TOKEN_DAYS = 90

const role = z.enum(['viewer', 'developer', 'admin']).meta({ id: 'Role', description: 'Within a tenant: sees; changes; also manages its members and tokens.' })
const verb = z
  .enum([
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
  ])
  .meta({ id: 'Verb' })
const password = z.string().min(10).max(200)
const place = z
  .string()
  .regex(/^[a-z][-a-z0-9]{0,39}\/[a-z][-a-z0-9]{0,39}$/)
  .nullable()
  .meta({ description: '`shop/production`: it works there only; null: in the whole tenant.' })

const token = z
  .object({
    id: z.int(),
    label: z.string(),
    account: z.string().nullable(),
    environment: place,
    verbs: z.array(verb).nullable().meta({ description: 'null: all that its account may do.' }),
    createdAt: time,
    expiresAt: time,
    revokedAt: time.nullable(),
  })
  .meta({ id: 'Token' })
const newToken = z
  .object({ id: z.int(), secret: z.string().meta({ description: 'Shown this once; only its hash is kept.' }), expiresInDays: z.int() })
  .meta({ id: 'NewToken' })

const account = z
  .object({
    name: z.string(),
    admin: z.boolean().meta({ description: 'Of the whole installation.' }),
    createdAt: time,
    tenants: z.array(z.object({ tenant: z.string(), role })),
  })
  .meta({ id: 'Account' })
const member = z.object({ account: z.string(), role }).meta({ id: 'Member' })
const tenant = z
  .object({ name: z.string(), createdAt: time.nullable(), apps: z.int().nullable().meta({ description: 'For admins of the installation.' }) })
  .meta({ id: 'Tenant' })
const setting = {
  registration: z.enum(['open', 'closed']),
  notifyReach: z
    .enum(['internet', 'network', 'machine'])
    .meta({ description: 'Where messages may be sent: to public addresses only, to private networks too, to this very machine too.' }),
}
const settings = z.object(setting).meta({ id: 'Settings' })

export const identity = {
  'settings.show': { response: settings },
  'settings.update': { body: z.strictObject(setting).partial(), response: settings },
  'identity.whoami': {
    response: z
      .object({
        name: z.string().meta({ description: '`local` for whoever reaches the unix socket.' }),
        account: z.string().nullable(),
        admin: z.boolean().meta({ description: 'Of the whole installation.' }),
        tenant: z.string().meta({ description: 'The tenant that requests are about, unless the header `Weir-Tenant` says another.' }),
        tenants: z.array(z.object({ tenant: z.string(), verbs: z.array(verb) })),
        environment: place,
      })
      .meta({ id: 'Whoami' }),
  },
  'identity.login': {
    body: z.strictObject({ name: z.string().min(1).max(100), password: z.string().min(1).max(200), label: z.string().min(1).max(100).default('login') }),
    response: newToken,
  },
  'accounts.create': {
    body: z.strictObject({
      name,
      password,
      tenant: name
        .optional()
        .meta({ description: 'Only for an admin: an existing tenant to join. Default: a tenant of its own, with the name of the account.' }),
      role: role.optional().meta({ description: 'Only with `tenant`; default developer.' }),
      admin: z.boolean().default(false).meta({ description: 'Only for an admin: of the whole installation.' }),
    }),
    response: z.object({ name: z.string(), tenant: z.string(), role, admin: z.boolean() }),
  },
  'accounts.password': {
    params: z.strictObject({ account: name }),
    body: z.strictObject({
      password,
      current: z.string().min(1).max(200).optional().meta({ description: "Needed for one's own account; an admin of the installation may leave it out." }),
    }),
    response: done,
  },
  'accounts.list': { query: z.strictObject(page), response: list(account) },
  'tokens.create': {
    body: z.strictObject({
      label: z.string().min(1).max(100),
      environment: place.default(null),
      verbs: z.array(verb).min(1).max(20).nullable().default(null).meta({ description: 'null: all that one may do oneself.' }),
      days: z.int().min(1).max(MAX_TOKEN_DAYS).default(30),
    }),
    response: newToken,
  },
  'tokens.list': { query: z.strictObject(page), response: list(token) },
  'tokens.revoke': { params: z.strictObject({ token: z.string().regex(/^(current|[1-9][0-9]{0,14})$/) }), response: done },
  'tenants.list': { query: z.strictObject(page), response: list(tenant) },
  'tenants.create': { body: z.strictObject({ name }), response: z.object({ name: z.string() }) },
  'members.list': { query: z.strictObject(page), response: list(member) },
  'members.set': {
    params: z.strictObject({ account: name }),
    body: z.strictObject({ role: role.nullable().meta({ description: 'null: no longer a member.' }) }),
    response: done,
  },
}
