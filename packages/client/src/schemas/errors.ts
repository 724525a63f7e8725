import * as z from 'zod'
import { environmentPath, MAX_LIMIT, name, number, time } from './common.ts'

const signature = z
  .object({
    service: z.string(),
    signature: z.string().meta({ description: 'Type, innermost functions of the app, operation and status; `other`: there were too many kinds.' }),
    count: z.int().meta({ description: 'Since the time asked for.' }),
    before: z.int().meta({ description: 'In the 24 hours before it; 0: the error is new.' }),
    releases: z.array(z.object({ release: z.string().meta({ description: 'v4; empty: not known.' }), count: z.int(), before: z.int() })),
    firstSeen: time,
    lastSeen: time,
    trace: z.string().nullable().meta({ description: 'Of the newest that has one.' }),
  })
  .meta({ id: 'ErrorSignature' })

export const errors = {
  'errors.show': {
    params: environmentPath,
    query: z.strictObject({
      service: name.optional(),
      release: number(1, 1_000_000_000).optional(),
      since: z.iso.datetime().optional().meta({ description: 'Without it, the last hour; at most 24 hours ago.' }),
      limit: number(1, MAX_LIMIT).default(50),
    }),
    response: z.object({ since: time, items: z.array(signature).meta({ description: 'Most frequent first.' }) }),
  },
}
