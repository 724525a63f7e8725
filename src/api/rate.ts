import { WeirError } from '../errors.ts'

export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** More askers than this at once are not remembered singly: the oldest is forgotten, which is in its favour. */
const MAX_ASKERS = 10_000

/**
 * A bucket of tokens for each asker: `burst` at first, `perSecond` more each second.
 *
 * @example const rate = new RateLimiter({ perSecond: 50, burst: 200 }, () => performance.now()); rate.take('token:7') // null, or seconds to wait
 */
export class RateLimiter {
  readonly #limit: RateLimit
  readonly #nowMs: () => number
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  constructor(limit: RateLimit, nowMs: () => number) {
    this.#limit = limit
    this.#nowMs = nowMs
  }

  /** null: go on; else whole seconds until it is worth trying again. */
  take(asker: string): number | null {
    const now = this.#nowMs()
    const last = this.#buckets.get(asker) ?? { tokens: this.#limit.burst, at: now }
    const tokens = Math.min(this.#limit.burst, last.tokens + ((now - last.at) / 1000) * this.#limit.perSecond)
    this.#buckets.delete(asker) // set again at the end: the map's order is the order of use
    this.#buckets.set(asker, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now })
    if (this.#buckets.size > MAX_ASKERS) this.#buckets.delete(this.#buckets.keys().next().value as string)
    return tokens >= 1 ? null : Math.max(1, Math.ceil((1 - tokens) / this.#limit.perSecond))
  }
}

/** An error with the time after which to come back; problem answers carry it as Retry-After. */
export class RetryLater extends WeirError {
  readonly retryAfterSeconds: number
  constructor(retryAfterSeconds: number) {
    super('E_RATE', {
      message: 'too many requests',
      cause: `the limit of this token or address is used up for ${retryAfterSeconds} s`,
      next: `try again in ${retryAfterSeconds} s`,
    })
    this.retryAfterSeconds = retryAfterSeconds
  }
}
