import type { ClientRow, Side } from '../core/canary/evidence.ts'
import { Tally } from './evidence-tally.ts'

/** Clients that are told of one by one; of more, a sample by their hash, which is as random as all of them are. */
const MAX_CLIENTS = 2000
/** Routes that one client is told to have failed on. */
const MAX_FAILED = 50

interface ActiveClient {
  readonly side: Side
  readonly tally: Tally
  /** In this block; null: it has not failed. */
  failed: Set<string> | null
}

/**
 * Who was active, and what each has met. Beyond the limit the fraction of clients that are kept is halved, as often as needed, and is
 * never raised again while the rollout runs: who is kept follows from the client's hash alone, so from neither side nor fate.
 */
export class ActiveClients {
  fraction: number
  readonly #clients = new Map<string, ActiveClient>()

  constructor(fraction: number) {
    this.fraction = fraction
  }

  add(client: string, side: Side, failed: boolean, rejected: boolean, over: number, service: string, route: string): void {
    const active = this.#clients.get(client) ?? this.#welcome(client, side)
    if (active === null) return
    active.tally.add(failed, rejected, over)
    if (!failed) return
    active.failed ??= new Set()
    if (active.failed.size < MAX_FAILED) active.failed.add(`${service} ${route}`)
  }

  addAbandoned(client: string, side: Side, over: number): void {
    const active = this.#clients.get(client) ?? this.#welcome(client, side)
    active?.tally.addAbandoned(over)
  }

  /** A row for each that was active; the next block begins. */
  take(): ClientRow[] {
    const rows: ClientRow[] = []
    for (const [client, active] of this.#clients) {
      if (active.tally.isEmpty) continue
      rows.push({ client, side: active.side, ...active.tally.take(), failed: active.failed === null ? [] : [...active.failed] })
      active.failed = null
    }
    return rows
  }

  #welcome(client: string, side: Side): ActiveClient | null {
    if (!this.#isKept(client)) return null
    const active = { side, tally: new Tally(), failed: null }
    this.#clients.set(client, active)
    while (this.#clients.size > MAX_CLIENTS) {
      this.fraction /= 2
      for (const known of this.#clients.keys()) if (!this.#isKept(known)) this.#clients.delete(known)
    }
    return active
  }

  #isKept(client: string): boolean {
    return this.fraction === 1 || Number.parseInt(client.slice(0, 8), 16) < this.fraction * 2 ** 32
  }
}
