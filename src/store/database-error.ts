import { WeirError } from '../errors.ts'

/** Refused while the statement ran for a reason that a second try may not meet (serialization failure, deadlock). */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error)
  return code === '40001' || code === '40P01'
}

/** The connection is gone or useless: whether the last statement took effect is not known. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error)
  if (code !== null) return LOST.has(code) || code.startsWith('08')
  return (
    error instanceof Error &&
    /^(Connection terminated|Client has encountered a connection error|Query read timeout|timeout exc?ee?ded when trying to connect|timeout expired|Client was closed)/.test(
      error.message,
    )
  )
}

const LOST = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EACCES',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ECONNABORTED',
  '57P01', // terminated by an administrator
  '57P02', // another backend crashed
  '57P03', // starting up or shutting down
  '57P05', // idle for too long
  '25P03', // idle in a transaction for too long
  '53300', // too many connections
])

/** What a caller gets to see: five parts, and never a row's values (PostgreSQL puts them into `detail`). */
export function explain(error: unknown): WeirError {
  if (error instanceof WeirError) return error
  const code = codeOf(error)
  const text = error instanceof Error ? error.message : String(error)
  if (isLost(error)) return unavailable(text)
  if (code === '53100') return new WeirError('E_DISK_FULL', { message: 'the disk under the database is full', cause: text, next: 'weir doctor' })
  if (code === '57014') return unavailable('the database did not answer in time')
  if (code === '55P03' || isTransient(error)) return unavailable('the database was busy with the same thing')
  return new WeirError('E_INTERNAL', { message: 'the database refused a statement', cause: code === null ? text : `${code}: ${text}` })
}

export function unavailable(cause: string): WeirError {
  return new WeirError('E_UNAVAILABLE', { message: 'the store cannot be reached', cause, state: 'what runs keeps running', next: 'weir doctor' })
}

/** Name of the violated constraint, for a unique or foreign key. */
export function violated(error: unknown): string | null {
  const code = codeOf(error)
  return (code === '23505' || code === '23503') && typeof error === 'object' && error !== null && 'constraint' in error ? String(error.constraint) : null
}

function codeOf(error: unknown): string | null {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' && !(error instanceof WeirError) ? error.code : null
}
