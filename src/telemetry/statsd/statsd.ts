import { createSocket, type Socket } from 'node:dgram'
import { edgeAddress, STATSD_PORT } from '../../config.ts'
import { scopeOf } from '../control.ts'
import type { Sample } from '../storage/store.ts'
import type { LinkHealth, NamedEnvironment } from '../telemetry.ts'
import { readLine } from './line.ts'
import { StatsdSeries } from './series.ts'

const FLUSH_MS = 10_000
/** Of one environment from flush to flush; more are counted and not read. */
const MAX_LINES = 500_000

interface Listener {
  readonly scope: number
  readonly socket: Socket
  readonly series: StatsdSeries
  lines: number
}

/**
 * Takes StatsD's datagrams. They carry no key, so each environment has an address of its own, that of its edges, which the firewall opens for its
 * account alone: what comes there is of that environment.
 *
 * @example
 * const statsd = new Statsd((scope, samples) => store.samples(scope, samples))
 * statsd.know([{ id: 'e12', … }]) // listens at edgeAddress(12), port 8125
 */
export class Statsd {
  readonly #write: (scope: number, samples: readonly Sample[]) => void
  readonly #listeners = new Map<string, Listener>()
  /** Environments that cannot be heard, with why. */
  readonly #problems = new Map<string, string>()
  #known: readonly NamedEnvironment[] = []
  #malformed = 0
  #tooMany = 0
  #timer: NodeJS.Timeout | null = null

  constructor(write: (scope: number, samples: readonly Sample[]) => void) {
    this.#write = write
  }

  start(): void {
    this.#timer = setInterval(() => this.#flush(), FLUSH_MS)
  }

  know(environments: readonly NamedEnvironment[]): void {
    this.#known = environments
    const wanted = new Set(environments.map((it) => it.id))
    for (const id of this.#problems.keys()) if (!wanted.has(id)) this.#problems.delete(id)
    for (const [id, listener] of this.#listeners) if (!wanted.has(id)) this.#leave(id, listener)
    for (const id of wanted) if (!this.#listeners.has(id)) this.#listen(id)
  }

  /** What was sent and not counted. */
  get lost(): Readonly<Record<string, number>> {
    return { ...(this.#malformed > 0 ? { 'statsd-malformed': this.#malformed } : {}), ...(this.#tooMany > 0 ? { 'statsd-too-many': this.#tooMany } : {}) }
  }

  /** Only where something is wrong. */
  health(): readonly LinkHealth[] {
    return [...this.#problems].map(([id, problem]) => ({ name: `statsd ${id}`, address: `${addressOf(id)}:${STATSD_PORT}`, problem, spans: 0, lost: {} }))
  }

  /** What is still here is handed on. */
  close(): void {
    if (this.#timer) clearInterval(this.#timer)
    for (const [id, listener] of this.#listeners) this.#leave(id, listener)
  }

  #listen(id: string): void {
    const listener: Listener = { scope: scopeOf(id), socket: createSocket('udp4'), series: new StatsdSeries(), lines: 0 }
    this.#listeners.set(id, listener)
    listener.socket
      .on('message', (datagram) => this.#take(listener, datagram.toString('utf8')))
      .on('error', (error) => {
        if (this.#listeners.get(id) !== listener) return
        this.#problems.set(id, error.message)
        this.#leave(id, listener) // tried again with the next flush
      })
      .bind(STATSD_PORT, addressOf(id), () => this.#problems.delete(id))
  }

  #leave(id: string, listener: Listener): void {
    this.#listeners.delete(id)
    listener.socket.close()
    this.#handOn(listener)
  }

  #take(listener: Listener, datagram: string): void {
    for (const line of datagram.split(/\r?\n/)) {
      if (line === '') continue
      if (++listener.lines > MAX_LINES) this.#tooMany++
      else this.#read(listener, line)
    }
  }

  #read({ series }: Listener, line: string): void {
    const observations = readLine(line)
    if (observations === null) this.#malformed++
    else for (const it of observations) if (!series.add(it)) this.#tooMany++
  }

  #flush(): void {
    for (const listener of this.#listeners.values()) this.#handOn(listener)
    this.know(this.#known)
  }

  #handOn(listener: Listener): void {
    listener.lines = 0
    const samples = listener.series.flush(Date.now())
    if (samples.length > 0) this.#write(listener.scope, samples)
  }
}

function addressOf(environment: string): string {
  return edgeAddress(scopeOf(environment))
}
