import { CATALOGUE, type Explanation, isWeirError, WeirError } from '../../errors.ts'
import { escapeControl } from './escape.ts'

export interface Paint {
  readonly red: (text: string) => string
  readonly dim: (text: string) => string
  readonly bold: (text: string) => string
}

/** An error meant for people: this program's own, or the server's, which may know codes that this one does not. */
export interface Failure {
  readonly code: string
  readonly exit: number
  readonly explanation: Explanation
  readonly requestId: string | null
  /** Only `--verbose` shows it. */
  readonly stack: string | null
}

/** Whatever was thrown, as a failure. */
export function failureOf(error: unknown): Failure {
  if (isWeirError(error))
    return { code: error.code, exit: CATALOGUE[error.code].exit, explanation: error.explanation, requestId: null, stack: stackOf(error.cause ?? error) }
  if (isFromServer(error)) {
    const known = CATALOGUE[error.code as keyof typeof CATALOGUE]
    return { code: error.code, exit: known?.exit ?? error.exit, explanation: error.explanation, requestId: error.requestId, stack: stackOf(error) }
  }
  if ((error as NodeJS.ErrnoException)?.code === 'ENOSPC')
    return failureOf(new WeirError('E_DISK_FULL', { message: 'the disk is full', cause: (error as Error).message }, { cause: error }))
  const cause = error instanceof Error ? error.message : String(error)
  return failureOf(
    new WeirError('E_INTERNAL', { message: 'weir itself failed', cause, next: 'the same with --verbose shows where; weir doctor' }, { cause: error }),
  )
}

/**
 * The five parts, aligned; parts that are not known are left out.
 *
 * @example failureLines({ message: 'no app "shp"', next: 'weir list' }, paint) // ['✗ no app "shp"', '  next      weir list']
 */
export function failureLines(explanation: Explanation, paint: Paint, mark = '✗'): string[] {
  const lines = [`${paint.red(mark)} ${paint.bold(escapeControl(explanation.message))}`]
  for (const problem of explanation.problems ?? []) {
    lines.push(`  ${escapeControl(problem.at)}  ${escapeControl(problem.message)}`)
    if (problem.hint !== undefined) lines.push(`    ${paint.dim(escapeControl(problem.hint))}`)
  }
  for (const part of ['cause', 'evidence', 'state', 'next'] as const) {
    const text = explanation[part]
    const isSaid = part === 'cause' && (explanation.problems ?? []).length > 0 // the first problem again
    if (text === undefined || text === '' || isSaid) continue
    const [first = '', ...rest] = text.split('\n')
    lines.push(`  ${paint.dim(part.padEnd(9))} ${escapeControl(first)}`, ...rest.map((line) => `  ${' '.repeat(9)} ${escapeControl(line)}`))
  }
  return lines
}

/** The same for machines: every part is there, empty where nothing is known. */
export function failureObject({ code, explanation, requestId }: Failure): Record<string, unknown> {
  const { message, cause = '', evidence = '', state = '', next = '', problems } = explanation
  const docs = `docs/reference/errors.md#${code.toLowerCase()}`
  return { code, message, cause, evidence, state, next, docs, ...(problems === undefined ? {} : { problems }), ...(requestId === null ? {} : { requestId }) }
}

function isFromServer(error: unknown): error is Failure & { readonly requestId: string | null } {
  return error instanceof Error && error.name === 'ClientError' && 'explanation' in error && 'exit' in error
}

function stackOf(error: unknown): string | null {
  return error instanceof Error ? (error.stack ?? error.message) : null
}
