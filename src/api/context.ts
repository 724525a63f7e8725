import type { IncomingMessage } from 'node:http'
import { isWeirError } from '../errors.ts'
import type { LocalSockets } from './asker.ts'
import { Metrics } from './metrics.ts'
import type { ApiOptions } from './options.ts'
import type { ApiPorts } from './ports.ts'
import { RateLimiter, RetryLater } from './rate.ts'
import type { Upgrade } from './route.ts'

/** What the requests of one server share. */
export interface ApiContext {
  readonly ports: ApiPorts
  readonly options: ApiOptions
  readonly local: LocalSockets
  readonly rate: RateLimiter
  readonly attempts: RateLimiter
  readonly streams: OpenStreams
  readonly metrics: Metrics
  readonly upgrades: WeakMap<IncomingMessage, Upgrade>
  readonly closing: AbortController
  /** Tells Weir's own log of what nobody meant to happen. */
  report(requestId: string, error: unknown): void
}

export function contextOf(ports: ApiPorts, options: ApiOptions): ApiContext {
  const streams = new OpenStreams(options.limits.streams)
  const nowMs = () => performance.now()
  return {
    ports,
    options,
    local: new WeakSet(),
    rate: new RateLimiter(options.limits.rate, nowMs),
    attempts: new RateLimiter(options.limits.attempts, nowMs),
    streams,
    metrics: new Metrics(() => streams.count),
    upgrades: new WeakMap(),
    closing: new AbortController(),
    report: (requestId, error) => {
      if (!isWeirError(error) || error.code === 'E_INTERNAL') ports.failed(requestId, error)
    },
  }
}

/** Streams are cheap but not free: an asker may hold so many open at once, the local admin any number. */
class OpenStreams {
  readonly #most: number
  readonly #open = new Map<string, number>()
  count = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Returns the way to give it back. */
  open(asker: string): () => void {
    const now = this.#open.get(asker) ?? 0
    if (now >= this.#most && asker !== 'local') throw new RetryLater(STREAM_RETRY_SECONDS)
    this.#open.set(asker, now + 1)
    this.count++
    return () => {
      const left = (this.#open.get(asker) ?? 1) - 1
      if (left === 0) this.#open.delete(asker)
      else this.#open.set(asker, left)
      this.count--
    }
  }
}

const STREAM_RETRY_SECONDS = 5
