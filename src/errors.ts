/**
 * The error catalogue. Every code that a person can meet stands here with what it means; docs/reference/errors.md lists the same
 * (a test compares both). `status` is the API's answer, `exit` the CLI's.
 */
export const CATALOGUE = {
  E_INTERNAL: { status: 500, exit: 1, about: 'Weir itself failed; the request id finds the log line.' },
  E_USAGE: { status: 400, exit: 64, about: 'The request or command line is not of the right form.' },
  E_MANIFEST: { status: 422, exit: 64, about: 'The manifest has problems; each is listed with file, line and column.' },
  E_SECRET_MISSING: { status: 422, exit: 64, about: 'The manifest names a secret that is not set.' },
  E_UNSUPPORTED: { status: 422, exit: 64, about: 'Valid, but not yet supported by this version or on this machine.' },
  E_NAME: { status: 422, exit: 64, about: 'A name that cannot be used.' },
  E_UNAUTHENTICATED: { status: 401, exit: 4, about: 'No token, or one that is unknown, revoked or expired.' },
  E_FORBIDDEN: { status: 403, exit: 4, about: 'The token may not do this.' },
  E_NOT_FOUND: { status: 404, exit: 5, about: 'There is no such thing, or it belongs to another tenant.' },
  E_METHOD: { status: 405, exit: 64, about: 'The route does not know this method.' },
  E_CONFLICT: { status: 409, exit: 6, about: 'Something else holds or changed what the request is about.' },
  E_LOCKED: { status: 409, exit: 6, about: 'Another rollout of the environment is running.' },
  E_IDEMPOTENCY: { status: 409, exit: 6, about: 'The idempotency key was used with another request.' },
  E_TOO_LARGE: { status: 413, exit: 64, about: 'The request body is over the limit.' },
  E_RATE: { status: 429, exit: 6, about: 'Too many requests; Retry-After says when to come back.' },
  E_UNAVAILABLE: { status: 503, exit: 1, about: 'The server cannot reach its store or a part of itself right now; it retries by itself.' },
  E_TIMEOUT: { status: 504, exit: 7, about: 'The wait was over before the work was; the work goes on.' },
  E_STALE_EPOCH: { status: 409, exit: 6, about: 'A newer server has taken over; this one must not act any more.' },
  E_STATE: { status: 500, exit: 78, about: 'State or configuration that cannot be used: unknown schema, unwritable folder, another server on it.' },
  E_PORT_IN_USE: { status: 409, exit: 78, about: 'A port that Weir needs is taken by another program.' },
  E_DISK_FULL: { status: 507, exit: 1, about: 'The disk under the state folder is full; what runs goes on.' },

  E_SOURCE_NOT_FOUND: { status: 422, exit: 1, about: 'The repository, branch, tag or commit does not exist, or the credentials do not show it.' },
  E_SOURCE_AUTH: { status: 422, exit: 1, about: 'The repository refused the credentials.' },
  E_SOURCE_HOST_KEY: { status: 422, exit: 1, about: 'The host is not among the known hosts.' },
  E_SOURCE_URL: { status: 422, exit: 64, about: 'Not a repository address that Weir follows (https, ssh, file).' },
  E_SOURCE_EMPTY: { status: 422, exit: 1, about: 'The repository has no commit yet, or the folder no file.' },
  E_SOURCE_TOO_LARGE: { status: 422, exit: 1, about: 'The source is over the size limit.' },
  E_SOURCE_TIMEOUT: { status: 504, exit: 7, about: 'The repository did not answer in time.' },
  E_SOURCE_UNREACHABLE: { status: 502, exit: 1, about: 'The repository could not be reached.' },
  E_ARCHIVE: { status: 422, exit: 64, about: 'An archive that would write outside its folder, or is damaged.' },

  E_BUILD_FAILED: { status: 422, exit: 1, about: 'The build command ended with an error; its last lines are shown.' },
  E_BUILD_TIMEOUT: { status: 422, exit: 1, about: 'The build took longer than its limit.' },
  E_BUILD_OOM: { status: 422, exit: 1, about: 'The build needed more memory than its limit.' },
  E_BUILD_TOO_LARGE: { status: 422, exit: 1, about: 'The build wrote more than its limit.' },
  E_BUILD_UNKNOWN_KIND: { status: 422, exit: 64, about: 'Weir does not recognise how to build the folder.' },

  E_START_FAILED: { status: 422, exit: 1, about: 'A new replica did not become healthy; the cause is what the process printed.' },
  E_MIGRATION_FAILED: { status: 422, exit: 1, about: 'A pre_start command failed; the previous release keeps serving.' },
  E_MIGRATION_UNKNOWN: { status: 422, exit: 1, about: 'A pre_start command was interrupted and may have run; a person must look before it goes on.' },
  E_RESOURCE_FAILED: { status: 422, exit: 1, about: 'A resource could not be created.' },
  E_REJECTED: { status: 422, exit: 3, about: 'The release was taken back; the previous one serves.' },
  E_REJECTED_BEFORE: { status: 409, exit: 6, about: 'The same commit was taken back here before; a newer one is taken, or this one by `--again`.' },
  E_NOT_DELIVERED: { status: 502, exit: 1, about: 'A test message was not taken by its target; messages of what happens are tried again for a day.' },
  E_SCHEMA_BREAK: { status: 409, exit: 6, about: 'Going back crosses a migration that is not declared compatible.' },
} as const satisfies Record<string, { status: number; exit: number; about: string }>

export type ErrorCode = keyof typeof CATALOGUE

/** What is said about an error, in five parts and a headline. `state` says what runs now; `next` is a command to type. */
export interface Explanation {
  readonly message: string
  readonly cause?: string
  readonly evidence?: string
  readonly state?: string
  readonly next?: string
  /** All problems of a manifest or request, each with its place. */
  readonly problems?: readonly { readonly at: string; readonly message: string; readonly hint?: string }[]
}

/**
 * An error meant for people. Never put secrets in any part of it.
 *
 * @example throw new WeirError('E_NOT_FOUND', { message: 'no app "shp"', next: 'weir list' })
 */
export class WeirError extends Error {
  readonly code: ErrorCode
  readonly explanation: Explanation

  constructor(code: ErrorCode, explanation: Explanation, options?: ErrorOptions) {
    super(explanation.message, options)
    this.name = 'WeirError'
    this.code = code
    this.explanation = explanation
  }
}

export function isWeirError(error: unknown, code?: ErrorCode): error is WeirError {
  return error instanceof WeirError && (code === undefined || error.code === code)
}
