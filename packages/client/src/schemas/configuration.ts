import { z } from 'zod'
import { done, environmentPath, list, name, page, time } from './common.ts'

const MAX_VALUE = 64 * 1024

const key = z.string().max(200).regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
const text = z.string().max(MAX_VALUE).refine((value) => !value.includes('\0'), 'must not contain a NUL byte')
const perService = z.record(z.string(), z.record(z.string(), z.string()))
const target = z.union([z.literal('*'), name]).default('*').meta({ description: 'A service, or `*` for all.' })

const variables = z
  .object({
    staged: perService.meta({ description: 'What the next release takes, per service; `*` for all.' }),
    current: perService.meta({ description: 'What the serving release was made with.' }),
    changed: z.boolean().meta({ description: 'They differ: a release (`env apply`) would change something.' }),
    etag: z.string(),
  })
  .meta({ id: 'Variables' })

const secret = z.object({ name: z.string(), version: z.int(), updatedAt: time, by: z.string() }).meta({ id: 'Secret' })
const secretPath = environmentPath.extend({ secret: name })

const credential = z
  .object({ name: z.string(), kind: z.enum(['token', 'deploy-key', 'known-hosts']), host: z.string(), updatedAt: time })
  .meta({ id: 'Credential', description: 'Without its value.' })
const host = z.string().min(1).max(253)
const credentialPath = z.strictObject({ credential: name })

const followed = z
  .object({
    id: z.int(),
    url: z.string(),
    ref: z.string(),
    path: z.string(),
    lastCommit: z.string().nullable(),
    problem: z.string().nullable().meta({ description: 'Why the last look at the repository failed.' }),
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
  'secrets.set': { params: secretPath, body: z.strictObject({ value: text }), response: secret },
  'secrets.remove': { params: secretPath, response: done },
  'credentials.list': { query: z.strictObject(page), response: list(credential) },
  'credentials.set': {
    params: credentialPath,
    body: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('token'), host, username: z.string().max(200).default('git'), value: text }),
      z.strictObject({ kind: z.literal('deploy-key'), host, value: text.meta({ description: 'The private key, in OpenSSH form.' }) }),
      z.strictObject({ kind: z.literal('known-hosts'), host, value: text.meta({ description: 'Lines of a known_hosts file.' }) }),
    ]),
    response: credential,
  },
  'credentials.remove': { params: credentialPath, response: done },
  'follow.list': { params: environmentPath, query: z.strictObject(page), response: list(followed) },
  'follow.create': {
    params: environmentPath,
    body: z.strictObject({ url: z.string().min(1).max(2000), ref: z.string().min(1).max(250), path: z.string().max(1000).default('.') }),
    response: followed,
  },
  'follow.remove': { params: environmentPath.extend({ follow: z.coerce.number<number | string>().int().min(1) }), response: done },
}
