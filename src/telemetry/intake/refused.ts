import type { Cause } from '../window/losses.ts'

/**
 * Why a request was not taken. `busy` is the only one that the sender should try again: 503 with Retry-After, 14 with RetryInfo.
 *
 * | | status | google.rpc.Code in it | status of gRPC |
 * |---|---|---|---|
 * | malformed | 400 | 3 INVALID_ARGUMENT | 3 |
 * | key | 401 | 16 UNAUTHENTICATED | 16 |
 * | path | 404 | 12 UNIMPLEMENTED | 12 |
 * | method | 405 | 12 | |
 * | size | 413 | 3 | 8 RESOURCE_EXHAUSTED |
 * | type | 415 | 3 | 12: a compression that is not known |
 * | failed | 500 | 13 INTERNAL | 13 |
 * | busy | 503 | 14 UNAVAILABLE | 14 |
 */
export class Refused extends Error {
  readonly kind: keyof typeof ANSWERS

  constructor(kind: keyof typeof ANSWERS, message: string) {
    super(message)
    this.kind = kind
  }

  get status(): number {
    return ANSWERS[this.kind].status
  }

  get code(): number {
    return ANSWERS[this.kind].code
  }

  get grpcCode(): number {
    return this.kind === 'size' ? RESOURCE_EXHAUSTED : this.kind === 'type' ? UNIMPLEMENTED : this.code
  }

  /** As what it is counted; null: it brought nothing. */
  get countedAs(): Cause | null {
    return ANSWERS[this.kind].cause
  }
}

const RESOURCE_EXHAUSTED = 8
const UNIMPLEMENTED = 12
const ANSWERS = {
  malformed: { status: 400, code: 3, cause: 'malformed' },
  key: { status: 401, code: 16, cause: 'refused-key' },
  path: { status: 404, code: 12, cause: null },
  method: { status: 405, code: 12, cause: null },
  size: { status: 413, code: 3, cause: 'refused-size' },
  type: { status: 415, code: 3, cause: 'malformed' },
  failed: { status: 500, code: 13, cause: 'failed' },
  busy: { status: 503, code: 14, cause: 'refused-busy' },
} as const satisfies Record<string, { status: number; code: number; cause: Cause | null }>
