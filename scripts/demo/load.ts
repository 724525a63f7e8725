import { Agent, request } from 'node:http'
import { bucketOf, quantile, sparse } from '../../src/core/model/latency-sketch.ts'

export interface Figures {
  readonly requests: number
  readonly failed: number
  readonly p95Ms: number | null
}

const EVERY_MS = 50
/** So many more of the page alone while a release is judged. */
const CROWD = 6
const WITHIN_MS = 10_000
const SONGS = 8

/** What a visitor does: the page, what it shows (put together by four services), a search, and a play that a worker counts. */
const VISIT: readonly ((n: number) => readonly [method: string, path: string])[] = [
  () => ['GET', '/'],
  () => ['GET', '/api/home'],
  () => ['GET', '/api/home?q=blue'],
  (n) => ['POST', `/api/songs/${1 + (n % SONGS)}/plays`],
]

/** Twenty requests a second, 140 with a crowd, one after the other whatever became of those before, until closed. */
export class Load {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 20 })
  readonly #timer: NodeJS.Timeout
  readonly #url: string
  #sent = 0
  #total = new Tally()
  #lap = new Tally()
  #closed = false
  #isCrowded = false
  /** How the last request failed that did. */
  lastFailure: string | null = null

  constructor(url: string) {
    this.#url = url
    this.#timer = setInterval(() => {
      const n = this.#sent++
      const [method, path] = VISIT[n % VISIT.length]?.(Math.floor(n / VISIT.length)) ?? ['GET', '/']
      this.#send(method, path)
      if (this.#isCrowded) for (let visitor = 0; visitor < CROWD; visitor++) setTimeout(() => this.#send('GET', '/'), (visitor * EVERY_MS) / CROWD)
    }, EVERY_MS)
  }

  crowd(comes: boolean): void {
    this.#isCrowded = comes
  }

  /** Totals begin anew. */
  forget(): void {
    this.#total = new Tally()
    this.lap()
  }

  get total(): Figures {
    return this.#total.figures()
  }

  /** Figures since the last call. */
  lap(): Figures {
    const figures = this.#lap.figures()
    this.#lap = new Tally()
    return figures
  }

  /** What is under way then counts as neither. */
  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#agent.destroy()
  }

  #send(method: string, path: string): void {
    if (this.#closed) return
    const from = performance.now()
    const ended = (failure: string | null) => {
      if (this.#closed) return
      for (const tally of [this.#total, this.#lap]) tally.add(performance.now() - from, failure !== null)
      if (failure !== null) this.lastFailure = `${method} ${path}: ${failure}`
    }
    const sent = request(new URL(path, this.#url), { method, agent: this.#agent, timeout: WITHIN_MS }, (response) => {
      const { statusCode = 0 } = response
      response.resume()
      response.once('end', () => ended(statusCode >= 200 && statusCode < 300 ? null : `answered ${statusCode}`))
      response.once('error', (error) => ended(error.message))
    })
    sent.once('timeout', () => sent.destroy(new Error(`no answer in ${WITHIN_MS / 1000} s`)))
    sent.once('error', (error) => ended(error.message))
    sent.end()
  }
}

class Tally {
  #requests = 0
  #failed = 0
  readonly #latencies = new Map<number, number>()

  add(ms: number, failed: boolean): void {
    this.#requests++
    if (failed) this.#failed++
    const bucket = bucketOf(ms)
    this.#latencies.set(bucket, (this.#latencies.get(bucket) ?? 0) + 1)
  }

  figures(): Figures {
    return { requests: this.#requests, failed: this.#failed, p95Ms: quantile(sparse(this.#latencies), 0.95) }
  }
}
