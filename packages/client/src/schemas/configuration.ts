import * as z from 'zod'
import { done, environmentPath, list, name, page, time } from './common.ts'

const MAX_VALUE = 64 * 1024

const key = z
  .string()
  .max(200)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
const text = z
  .string()
  .max(MAX_VALUE)
  .refine((value) => !value.includes('\0'), 'must not contain a NUL byte')
const perService = z.record(z.string(), z.record(z.string(), z.string()))
const target = z
  .union([z.literal('*'), name])
  .default('*')
  .meta({ description: 'A service, or `*` for all.' })

const variables = z
  .object({
    staged: perService.meta({ description: 'What the next release takes, per service; `*` for all.' }),
    current: perService.meta({ description: 'What the serving release was made with.' }),
    changed: z.boolean().meta({ description: 'They differ: a release (`env apply`) would change something.' }),
    etag: z.string(),
  })
  .meta({ id: 'Variables' })

const secret = z.object({ name: z.string(), version: z.int(), by: z.string(), at: time }).meta({ id: 'Secret' })
const secretPath = environmentPath.extend({ secret: name })

const credentialKey = {
  kind: z.enum(['token', 'deploy-key', 'known-hosts']),
  urlPrefix: z.string().min(1).max(500).meta({ description: 'Repositories whose address starts so: `https://git.example.com/team/`.' }),
}
const credential = z
  .object({ kind: credentialKey.kind, urlPrefix: z.string(), by: z.string(), at: time })
  .meta({ id: 'Credential', description: 'Without its value.' })

const followed = z
  .object({
    id: z.int(),
    url: z.string(),
    ref: z.string(),
    path: z.string(),
    lastCommit: z.string().nullable(),
    problem: z.string().nullable().meta({ description: 'Why the last look at the repository failed.' }),
    checkedAt: time.nullable(),
  })
  .meta({ id: 'Followed' })

export const configuration = {
  'variables.show': { params: environmentPath, response: variables },
  'variables.update': {
    params: environmentPath,
    body: z.strictObject({ service: target, set: z.record(key, text).default({}), unset: z.array(key).max(1000).default([]) }),
    response: variables,
  },
  'secrets.list': { params: environmentPath, query: z.strictObject(page), response: list(secret) },
  'secrets.set': { params: secretPath, body: z.strictObject({ value: text }), response: z.object({ name: z.string(), version: z.int() }) },
  'secrets.remove': { params: secretPath, response: done },
  'credentials.list': { query: z.strictObject(page), response: list(credential) },
  'credentials.set': {
    body: z.strictObject({
      ...credentialKey,
      value: text.meta({
        description: 'A token (`user:token` where the host asks for a user), a private key in OpenSSH form, or lines of a known_hosts file.',
      }),
    }),
    response: done,
  },
  'credentials.remove': { query: z.strictObject(credentialKey), response: done },
  'follow.list': { params: environmentPath, query: z.strictObject(page), response: list(followed) },
  'follow.create': {
    params: environmentPath,
    body: z.strictObject({ url: z.string().min(1).max(2000), ref: z.string().min(1).max(250), path: z.string().max(1000).default('.') }),
    response: z.object({ id: z.int() }),
  },
  'follow.remove': { params: environmentPath.extend({ follow: z.coerce.number<number | string>().int().min(1) }), response: done },
}
