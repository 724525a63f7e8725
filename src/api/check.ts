import type * as z from 'zod'
import { nameProblem } from '../core/model/names.ts'
import { WeirError } from '../errors.ts'

type Where = 'path' | 'query' | 'body'

/** The value as the schema gives it back, or all that is wrong with it at once. */
export function checked<Schema extends z.ZodType>(where: Where, schema: Schema | undefined, value: unknown): z.output<Schema> | undefined {
  if (!schema) {
    const given = value !== undefined && value !== null && (typeof value !== 'object' || Object.keys(value).length > 0)
    if (given && where !== 'path') throw new WeirError('E_USAGE', { message: `this route takes no ${where}`, cause: shown(value) })
    return undefined
  }
  const result = schema.safeParse(value ?? {})
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => ({ at: [where, ...issue.path.map(String)].join('.'), message: issue.message }))
  throw new WeirError('E_USAGE', {
    message: `the ${where} of the request is not of the right form`,
    cause: `${problems[0]?.at}: ${problems[0]?.message}`,
    problems,
  })
}

/**
 * Parameters of the path. What cannot be a name is no name of anything: to look for it finds nothing, to make it is refused with the reason.
 */
export function checkedPath<Schema extends z.ZodType>(schema: Schema | undefined, value: unknown, makes: boolean): z.output<Schema> | undefined {
  const result = schema?.safeParse(value)
  if (!result || result.success) return result?.data
  const part = String(result.error.issues[0]?.path[0] ?? '')
  const given = String((value as Record<string, unknown>)[part] ?? '')
  const problem = nameProblem(given)
  if (makes && problem !== null)
    throw new WeirError('E_NAME', {
      message: `${JSON.stringify(given.slice(0, 60))} cannot be the name of ${part === 'app' || part === 'environment' ? 'an' : 'a'} ${part}`,
      cause: `it ${problem}`,
    })
  throw new WeirError('E_NOT_FOUND', { message: `no ${part} ${JSON.stringify(given.slice(0, 60))}` })
}

function shown(value: unknown): string {
  return Array.isArray(value)
    ? 'an array was given'
    : typeof value === 'object'
      ? `given: ${Object.keys(value as object)
          .slice(0, 5)
          .join(', ')}`
      : `a ${typeof value} was given`
}
