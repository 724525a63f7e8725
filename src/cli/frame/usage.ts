import { WeirError } from '../../errors.ts'

/** The command line is wrong: exit 64. */
export function usage(message: string, cause?: string, next?: string): WeirError {
  return new WeirError('E_USAGE', { message, ...(cause === undefined ? {} : { cause }), ...(next === undefined ? {} : { next }) })
}
