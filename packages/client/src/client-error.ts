/** What the server said about a failure, or the client about not reaching it: the five parts, a stable code, an exit code. */
export class ClientError extends Error {
  readonly code: string
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  /** What `weir` exits with. */
  readonly exit: number
  readonly explanation: {
    readonly message: string
    readonly cause?: string
    readonly evidence?: string
    readonly state?: string
    readonly next?: string
    readonly problems?: readonly { readonly at: string; readonly message: string; readonly hint?: string }[]
  }
  readonly requestId: string | null

  constructor(
    parts: { code: string; status: number; exit: number; explanation: ClientError['explanation']; requestId?: string | null },
    options?: ErrorOptions,
  ) {
    super(parts.explanation.message, options)
    this.name = 'ClientError'
    this.code = parts.code
    this.status = parts.status
    this.exit = parts.exit
    this.explanation = parts.explanation
    this.requestId = parts.requestId ?? null
  }
}

/**
 * An answer that is no success, as an error. A body that is not Weir's (a proxy in between) is quoted, not trusted.
 *
 * @example problemOf(404, '{"code":"E_NOT_FOUND","message":"no app \"shp\"", …}').exit // 5
 */
export function problemOf(status: number, body: string): ClientError {
  const problem = parsed(body)
  if (typeof problem?.['code'] !== 'string' || typeof problem['message'] !== 'string') {
    return new ClientError({
      code: 'E_INTERNAL',
      status,
      exit: 1,
      explanation: {
        message: `the server answered ${status} without saying why`,
        cause: body.trim().split('\n')[0]?.slice(0, 200) || 'an empty body',
        next: 'weir doctor',
      },
    })
  }
  const text = (part: string) => (typeof problem[part] === 'string' && problem[part] !== '' ? { [part]: problem[part] } : {})
  return new ClientError({
    code: problem['code'],
    status,
    exit: typeof problem['exit'] === 'number' ? problem['exit'] : 1,
    requestId: typeof problem['requestId'] === 'string' ? problem['requestId'] : null,
    explanation: {
      message: problem['message'],
      ...text('cause'),
      ...text('evidence'),
      ...text('state'),
      ...text('next'),
      ...(Array.isArray(problem['problems']) ? { problems: problem['problems'] } : {}),
    },
  })
}

/** Nobody answered at `address`, or no more. */
export function unreachable(address: string, cause: string): ClientError {
  const local = address.startsWith('unix:')
  return new ClientError({
    code: 'E_UNAVAILABLE',
    status: 0,
    exit: 1,
    explanation: { message: `no Weir server answers at ${address}`, cause, next: local ? 'weir up' : 'weir doctor' },
  })
}

function parsed(body: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
