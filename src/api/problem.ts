import { CATALOGUE, type ErrorCode, type Explanation, isWeirError, WeirError } from '../errors.ts'

export interface Problem extends Required<Omit<Explanation, 'problems'>> {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  readonly exit: number
  readonly docs: string
  readonly requestId: string
  readonly problems?: NonNullable<Explanation['problems']>
}

/**
 * An error as `application/problem+json` with its five parts. What was not meant for people becomes `E_INTERNAL`: the asker gets the
 * request's id and nothing of the inside.
 *
 * @example problemFor(new WeirError('E_NOT_FOUND', { message: 'no app "shp"' }), 'GET /api/v1/apps/shp', '3f9a…').status // 404
 */
export function problemFor(error: unknown, request: string, requestId: string): Problem {
  const known = isWeirError(error) ? error : new WeirError('E_INTERNAL', { message: 'Weir itself failed' })
  const { status, exit, about } = CATALOGUE[known.code]
  const { message, cause, evidence, state, next, problems } = known.explanation
  const docs = `docs/reference/errors.md#${known.code.toLowerCase()}`
  return {
    type: docs,
    title: about,
    status,
    code: known.code,
    exit,
    message,
    cause: cause ?? about,
    evidence: evidence ?? `${request}, request ${requestId}`,
    state: state ?? (status < 500 ? 'nothing was changed' : 'nothing was acknowledged; what runs goes on'),
    next: next ?? NEXT[known.code] ?? (status < 500 ? 'weir help' : 'weir doctor'),
    docs,
    requestId,
    ...(problems ? { problems } : {}),
  }
}

const NEXT: Partial<Record<ErrorCode, string>> = {
  E_UNAUTHENTICATED: 'weir login',
  E_FORBIDDEN: 'weir whoami',
  E_NOT_FOUND: 'weir list',
  E_RATE: 'try again after Retry-After',
  E_UNAVAILABLE: 'try again after Retry-After',
  E_CONFLICT: 'weir status',
  E_LOCKED: 'weir status',
}

/** Errors that the HTTP library and the file system raise, in Weir's words. */
export function asWeirError(error: unknown): unknown {
  const { code, statusCode, message } = error as { code?: string; statusCode?: number; message?: string }
  if (isWeirError(error) || typeof code !== 'string') return error
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new WeirError('E_TOO_LARGE', { message: 'the request body is too large', cause: 'over 1 MiB' })
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new WeirError('E_USAGE', { message: 'the body is of a kind that this route does not take', next: 'send content-type: application/json' })
  if (code === 'FST_ERR_BAD_URL') return new WeirError('E_NOT_FOUND', { message: 'no such route', cause: 'the path is not well formed' })
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new WeirError('E_DISK_FULL', {
      message: 'the disk is full',
      cause: 'there is no room for it under the state folder',
      next: 'make room, then the same again',
    })
  if (typeof statusCode === 'number' && statusCode < 500) return new WeirError('E_USAGE', { message: 'the request cannot be read', cause: message ?? code })
  return error
}
