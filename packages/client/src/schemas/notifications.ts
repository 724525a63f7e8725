import * as z from 'zod'
import { list, name, number, page, time } from './common.ts'

const topic = z.enum(['started', 'verdict', 'rollback', 'approval', 'promoted', 'stuck'])

const url = z.string().min(1).max(2000)
const mailbox = z
  .string()
  .max(320)
  .regex(/^[^\s@<>,;]+@[^\s@<>,;]+$/, 'must be an address like ops@example.com')

const address = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('webhook'),
    url: url.meta({ description: 'Without user and password. Only its host is shown again.' }),
    secret: z
      .string()
      .min(24)
      .max(500)
      .meta({ description: 'Messages are signed with it; it is never shown again. `whsec_` and base64, or any text byte by byte.' }),
  }),
  z.strictObject({ kind: z.literal('slack'), url: url.meta({ description: 'Of an incoming webhook; a secret as a whole.' }) }),
  z.strictObject({
    kind: z.literal('email'),
    host: z.string().min(1).max(253),
    port: number(1, 65_535),
    security: z.enum(['tls', 'starttls']),
    login: z.strictObject({ user: z.string().min(1).max(320), password: z.string().min(1).max(1000) }).nullable(),
    from: mailbox,
    to: z.array(mailbox).min(1).max(20),
  }),
])

const target = z
  .object({
    id: z.int(),
    app: z.string().nullable().meta({ description: 'null: all apps of the tenant.' }),
    environment: z.string().nullable().meta({ description: 'null: all environments.' }),
    kind: z.enum(['webhook', 'slack', 'email']),
    place: z.string().meta({ description: 'What of its address is shown again.' }),
    topics: z.array(topic),
    by: z.string(),
    at: time,
    waiting: z.int().meta({ description: 'Messages that are still to be taken.' }),
    dead: z.int().meta({ description: 'Messages that were given up.' }),
    problem: z.string().nullable().meta({ description: 'Why the oldest that waits was not taken.' }),
    deliveredAt: time.nullable(),
  })
  .meta({ id: 'NotificationTarget', description: 'Without its secrets.' })

const delivery = z
  .object({
    id: z.string().meta({ description: 'The same at every try: `webhook-id` of a webhook.' }),
    topic: z.enum([...topic.options, 'test']),
    title: z.string(),
    outcome: z.enum(['waiting', 'delivered', 'dead']).meta({ description: '`dead`: given up, after a day or because the receiver wants none.' }),
    tries: z.int(),
    cause: z.string().nullable().meta({ description: 'Why the last try failed.' }),
    at: time,
    nextAt: time.nullable(),
    endedAt: time.nullable(),
  })
  .meta({ id: 'NotificationDelivery' })

const targetPath = z.strictObject({ notification: number(1, Number.MAX_SAFE_INTEGER) })

export const notifications = {
  'notifications.list': { query: z.strictObject(page), response: list(target) },
  'notifications.create': {
    body: z.strictObject({
      app: name.nullable().default(null).meta({ description: 'null: all apps of the tenant.' }),
      environment: name.nullable().default(null).meta({ description: 'null: all environments.' }),
      topics: z.array(topic).min(1).max(topic.options.length),
      address,
    }),
    response: target,
  },
  'notifications.remove': { params: targetPath, response: z.object({ ok: z.literal(true) }) },
  'notifications.test': { params: targetPath, response: z.object({ delivery: z.string().meta({ description: 'Its id, among the deliveries.' }) }) },
  'notifications.deliveries': { params: targetPath, query: z.strictObject(page), response: list(delivery) },
}
