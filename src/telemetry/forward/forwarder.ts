import { setTimeout as sleep } from 'node:timers/promises'
import type { Headers } from '../credentials.ts'
import { MalformedProtobuf } from '../wire/protobuf-reader.ts'
import { type Delivered, post } from './post.ts'
import { zipkinFromOtlp } from './zipkin-json.ts'

export interface ForwarderOptions {
  readonly to: 'zipkin' | 'otlp'
  /** Zipkin's or the OTLP endpoint's address; the path is added where the address has none of its own. */
  readonly url: string
  readonly log: (line: string) => void
  /** What the other side wants to see; asked at each delivery, throws what is wrong with it. */
  readonly headers?: () => Headers
  readonly maxBytes?: number
  readonly retryMs?: { readonly first: number; readonly most: number }
}

export interface ForwarderHealth {
  /** null: the last delivery was taken; else why not. */
  readonly problem: string | null
  readonly spans: number
  /** Spans that found no room while the other side was away or slow, or that it refused. */
  readonly lost: number
  readonly waitingBytes: number
}

/** `ended`: there was no time left to try again. */
type Outcome = 'taken' | 'refused' | 'ended'

interface Waiting {
  readonly request: Uint8Array
  readonly spans: number
}

const MAX_BYTES = 16 * 2 ** 20
/** What waits is sent together up to this. */
const DELIVERY_BYTES = 2 ** 20
const RETRY_MS = { first: 250, most: 15_000 }
const DELIVERY_MS = 10_000
/** At the end, what waits is tried once more. */
const LAST_DELIVERY_MS = 1000

/**
 * Sends copies of what comes in to a Zipkin or any OTLP/HTTP endpoint. Adding never waits and never fails: when there is no room, the oldest
 * goes and is counted. One delivery at a time; what the other side cannot take now is tried again, what it will not have is dropped.
 *
 * @example
 * const zipkin = new Forwarder({ to: 'zipkin', url: 'http://127.0.0.1:9412', log })
 * zipkin.add(request, 19)
 */
export class Forwarder {
  readonly to: ForwarderOptions['to']
  readonly #url: URL
  readonly #options: ForwarderOptions
  readonly #queue: Waiting[] = []
  readonly #ending = new AbortController()
  #bytes = 0
  #sending: Promise<void> | null = null
  #problem: string | null = null
  #spans = 0
  #lost = 0

  constructor(options: ForwarderOptions) {
    this.to = options.to
    this.#url = deliveryAddress(options.to, options.url)
    this.#options = options
  }

  /** An ExportTraceServiceRequest; it is copied. */
  add(request: Uint8Array, spans: number): void {
    const maxBytes = this.#options.maxBytes ?? MAX_BYTES
    if (request.length > maxBytes || this.#ending.signal.aborted) {
      this.#lost += spans
      return
    }
    this.#queue.push({ request: request.slice(), spans })
    this.#bytes += request.length
    while (this.#bytes > maxBytes) this.#lost += this.#next().spans
    this.#sending ??= this.#send().finally(() => (this.#sending = null))
  }

  /** Where people look at what is forwarded. */
  get page(): string {
    const page = new URL(this.to === 'zipkin' ? this.#url.href.replace(/\/api\/v2\/spans$/, '/zipkin/') : this.#url.origin)
    page.username = page.password = ''
    return page.href
  }

  health(): ForwarderHealth {
    return { problem: this.#problem, spans: this.#spans, lost: this.#lost, waitingBytes: this.#bytes }
  }

  async close(): Promise<void> {
    setTimeout(() => this.#ending.abort(), LAST_DELIVERY_MS).unref()
    await this.#sending
  }

  async #send(): Promise<void> {
    await new Promise(setImmediate) // whoever added goes first
    while (this.#queue.length > 0) {
      const delivery = this.#gather()
      const outcome = await this.#deliver(delivery)
      // one request that the other side will not have does not take its neighbours with it
      if (outcome === 'refused' && delivery.length > 1) for (const one of delivery) this.#count([one], await this.#deliver([one]))
      else this.#count(delivery, outcome)
    }
  }

  #count(delivery: readonly Waiting[], outcome: Outcome): void {
    const spans = delivery.reduce((sum, it) => sum + it.spans, 0)
    if (outcome === 'taken') this.#spans += spans
    else this.#lost += spans
  }

  #gather(): Waiting[] {
    const delivery = [this.#next()]
    let size = delivery[0]?.request.length ?? 0
    for (let next = this.#queue[0]; next && size + next.request.length <= DELIVERY_BYTES; next = this.#queue[0]) {
      delivery.push(this.#next())
      size += next.request.length
    }
    return delivery
  }

  #next(): Waiting {
    const next = this.#queue.shift() as Waiting
    this.#bytes -= next.request.length
    return next
  }

  async #deliver(delivery: readonly Waiting[]): Promise<Outcome> {
    const { first, most } = this.#options.retryMs ?? RETRY_MS
    const body = this.#bodyOf(delivery.map(({ request }) => request))
    if (body === null) return 'refused'
    const type = this.to === 'zipkin' ? 'application/json' : 'application/x-protobuf'
    for (let delayMs = first; !this.#ending.signal.aborted; delayMs = Math.min(2 * delayMs, most)) {
      const answer = await this.#post(type, body)
      if (answer.taken) {
        this.#problem = null
        return 'taken'
      }
      this.#tell(answer.problem)
      if (!answer.again) return 'refused'
      await sleep(Math.max(delayMs, Math.min(answer.retryAfterMs, most)), undefined, { signal: this.#ending.signal }).catch(() => {})
    }
    return 'ended'
  }

  /** null: spans that were taken in say something of themselves that cannot be read. */
  #bodyOf(requests: readonly Uint8Array[]): Buffer | null {
    if (this.to === 'otlp') return Buffer.concat(requests) // messages behind each other are one, with all their parts
    try {
      return Buffer.from(JSON.stringify(requests.flatMap(zipkinFromOtlp)))
    } catch (error) {
      if (!(error instanceof MalformedProtobuf)) throw error
      return null
    }
  }

  async #post(type: string, body: Buffer): Promise<Delivered> {
    try {
      return await post(this.#url, { ...this.#options.headers?.(), 'content-type': type }, body, DELIVERY_MS, this.#ending.signal)
    } catch (error) {
      return { taken: false, problem: (error as Error).message, again: true, retryAfterMs: 0 }
    }
  }

  #tell(problem: string): void {
    if (problem !== this.#problem) this.#options.log(`forwarding to ${this.#url.host}: ${problem}`)
    this.#problem = problem
  }
}

/** @example deliveryAddress('zipkin', 'http://127.0.0.1:9411').href // 'http://127.0.0.1:9411/api/v2/spans' */
export function deliveryAddress(to: ForwarderOptions['to'], url: string): URL {
  const address = new URL(url)
  const path = to === 'zipkin' ? 'api/v2/spans' : 'v1/traces'
  if (!address.pathname.endsWith(path)) address.pathname = `${address.pathname.replace(/(\/zipkin)?\/*$/, '')}/${path}`
  return address
}
