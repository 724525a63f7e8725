import type { EvidenceBlock } from '../../src/core/canary/evidence.ts'
import type { SimulatedGateway } from '../../src/gateway/simulated.ts'
import type { SimulatedStore } from '../../src/store/simulated-store.ts'
import type { SeededRandom, SimulatedClock } from './clock.ts'

const EVERY_MS = 1000
const AT_ONCE = 60
/** Every other request of what is broken fails, and one in a thousand of all else. */
const BROKEN = 0.5
const USUAL = 0.001

interface Used {
  readonly clock: SimulatedClock
  readonly random: SeededRandom
  readonly store: SimulatedStore
  readonly gateway: SimulatedGateway
  readonly environment: string
}

/** People who use the app while a split of it is judged: sixty requests a second, of which those to broken code fail. */
export class Users {
  readonly #used: Used
  readonly #broken = new Map<string, boolean>()
  /** Requests that both workers count as evidence of a rollout, and those that at least one would have. */
  #countedByAll = 0
  #countedByAny = 0

  constructor(used: Used) {
    this.#used = used
    used.gateway.answers = ({ service, origin }) => {
      const failed = used.random.next() < (this.isBroken(service, origin) ? BROKEN : USUAL)
      return { status: failed ? 500 : 200, latencyMs: 5 + used.random.next() * 10 }
    }
    this.#come()
  }

  /** By code, so that it stays as it is over restarts; what was there first works. */
  isBroken(service: string, origin: number): boolean {
    const key = `${service}@${origin}`
    const known = this.#broken.get(key)
    if (known !== undefined) return known
    const drawn = origin > 1 && this.#used.random.next() < 0.2
    this.#broken.set(key, drawn)
    return drawn
  }

  /** What is wrong with the blocks that are stored; null: each request is in them once. Where workers died, theirs may be missing. */
  miscounted(workersDied: boolean): string | null {
    let stored = 0
    for (const { rollout, block } of this.#used.store.evidence) {
      if (rollout.startsWith('aa-')) continue
      for (const { requests } of (JSON.parse(block) as EvidenceBlock).rows) stored += requests
    }
    if (stored > this.#countedByAny) return `${stored} requests are evidence, and ${this.#countedByAny} were sent`
    return stored < this.#countedByAll && !workersDied ? `${stored} requests are evidence of ${this.#countedByAll} that were sent` : null
  }

  #come(): void {
    const { clock, random, gateway, environment } = this.#used
    const tables = gateway.workerTables(environment)
    const judged = tables.filter((table) => table?.split?.judge).length
    if (judged > 0) {
      const services = Object.keys(tables.find((table) => table !== null)?.services ?? {})
      const ends = Array.from({ length: AT_ONCE }, () => gateway.begin(environment, random.pick(services)))
      if (judged === tables.length) this.#countedByAll += AT_ONCE
      this.#countedByAny += AT_ONCE
      for (const end of ends) end?.()
    }
    clock.after(EVERY_MS, () => this.#come())
  }
}
