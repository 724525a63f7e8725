import * as z from 'zod'

/** Names of apps, environments, services and the like; core/model/names.ts says the same to people. */
export const name = z
  .string()
  .min(1)
  .max(40)
  .regex(/^[a-z]([-a-z0-9]*[a-z0-9])?$/)
  .meta({ id: 'Name' })

/** A whole number that may come as text, in a path or a query. */
export const number = (min: number, max: number) => z.coerce.number<number | string>().int().min(min).max(max)

export const flag = z.union([z.boolean(), z.enum(['true', 'false'])]).transform((value) => value === true || value === 'true')

export const time = z.iso.datetime().meta({ description: 'Wall clock, for display; order is by number or cursor.' })

export const DEFAULT_LIMIT = 50
export const MAX_LIMIT = 200
/** What every list takes. */
export const page = {
  limit: number(1, MAX_LIMIT).default(DEFAULT_LIMIT),
  cursor: z.string().min(1).max(200).optional(),
}
/** What every list answers; `cursor` asks for the next page, null: this was the last. */
export const list = <Item extends z.ZodType>(item: Item) => z.object({ items: z.array(item), cursor: z.string().nullable() })

export const because = z
  .object({
    code: z.string(),
    text: z.string(),
    lines: z.array(z.string()).meta({ description: 'The last lines that the process printed, where that is the evidence.' }),
  })
  .meta({ id: 'Because' })

/** Taken and stored; what comes of it is found under `commands.show`, and in the events. */
export const accepted = z.object({ command: z.int().meta({ description: 'For GET …/commands/{command}.' }) }).meta({ id: 'Accepted' })

export const done = z.object({ ok: z.literal(true) })

export const appPath = z.strictObject({ app: name })
export const environmentPath = z.strictObject({ app: name, environment: name })
