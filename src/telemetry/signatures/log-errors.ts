import { errorSignature } from '../../core/model/error-signature.ts'
import { LEVEL } from '../storage/logs/log-record.ts'
import { exceptionIn } from './span-errors.ts'

/** Where loggers put the error: pino, winston, bunyan, logback, zap, structlog. */
const NESTED = ['err', 'error', 'exception', 'exc_info', 'throwable', 'thrown']
const STACKS = ['stack', 'stack_trace', 'stacktrace', 'stackTrace', 'extendedStackTrace', 'exception', 'exc_info', 'errorVerbose', 'error']

/**
 * What a log record says went wrong, by its level and not by its words; '': it is not an error.
 *
 * @example logError({ severity: 17, text: 'no route to 10.0.0.7', attributes: null }) // 'no route to #'
 */
export function logError({
  severity,
  text,
  attributes,
}: {
  readonly severity: number
  readonly text: string
  readonly attributes: Readonly<Record<string, unknown>> | null
}): string {
  if (severity < LEVEL.error) return ''
  const fields = attributes ?? {}
  const exception = exceptionIn(fields)
  if (exception) return errorSignature(exception)
  for (const key of NESTED) {
    const nested = fields[key]
    if (typeof nested !== 'object' || nested === null) continue
    const own = nested as Readonly<Record<string, unknown>>
    return errorSignature({ type: textOf(own, ['type', 'name', 'class']), message: textOf(own, ['message', 'msg']) || text, stack: textOf(own, STACKS) })
  }
  const stack = textOf(fields, STACKS)
  return errorSignature({ type: textOf(fields, ['error.type', 'exception_class']), message: text, stack: stack.includes('\n') ? stack : text })
}

function textOf(fields: Readonly<Record<string, unknown>>, keys: readonly string[]): string {
  for (const key of keys) if (typeof fields[key] === 'string' && fields[key] !== '') return fields[key]
  return ''
}
