import { Agent, request } from 'node:http'
import { ROUTES } from './scenario.ts'

export interface Answered {
  /** Of `performance.now`. */
  readonly sentAt: number
  /** 0: none. */
  readonly status: number
  /** `v3`, of the release that answered; null where none did. */
  readonly release: string | null
}

const WITHIN_MS = 10_000

/** Requests of so many clients at a rate, whatever becomes of those before: the routes' traffic falls off as 1/rank. */
export class ClientLoad {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 200 })
  readonly #url: string
  readonly #clients: number
  readonly #timer: NodeJS.Timeout
  #answered: Answered[] = []

  constructor(url: string, { rate, clients }: { readonly rate: number; readonly clients: number }) {
    this.#url = url
    this.#clients = clients
    const begun = performance.now()
    let sent = 0
    this.#timer = setInterval(() => {
      for (const due = ((performance.now() - begun) / 1000) * rate; sent < due; sent++) this.#send()
    }, 1000 / rate)
  }

  /** What was answered since the last call. */
  take(): Answered[] {
    const taken = this.#answered
    this.#answered = []
    return taken
  }

  end(): void {
    clearInterval(this.#timer)
    this.#agent.destroy()
  }

  #send(): void {
    const sentAt = performance.now()
    const headers = { 'x-client': `c${Math.floor(Math.random() * this.#clients)}` }
    const ended = (status: number, release: string | null) => this.#answered.push({ sentAt, status, release })
    const sent = request(new URL(`/r${rank()}`, this.#url), { agent: this.#agent, headers, timeout: WITHIN_MS }, (response) => {
      const { statusCode = 0, headers } = response
      response.resume()
      response.once('end', () => ended(statusCode, typeof headers['x-release'] === 'string' ? headers['x-release'] : null))
      response.once('error', () => ended(0, null))
    })
    sent.once('timeout', () => sent.destroy(new Error('no answer')))
    sent.once('error', () => ended(0, null))
    sent.end()
  }
}

const WEIGHTS = Array.from({ length: ROUTES }, (_, i) => 1 / (i + 1))
const WHOLE = WEIGHTS.reduce((sum, it) => sum + it, 0)

function rank(): number {
  let left = Math.random() * WHOLE
  return Math.max(
    0,
    WEIGHTS.findIndex((weight) => (left -= weight) < 0),
  )
}
