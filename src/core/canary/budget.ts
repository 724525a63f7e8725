/**
 * What each test may spend of the chance of a false alarm; all of it together is never more than the whole (weighted Bonferroni), however
 * the tests hang together. Lists without an end (routes, services, signatures) spend by the order of first sight: those seen first have most
 * of the traffic.
 */
import type { Indicator } from './analysis.ts'

const OF_SERVICE: Readonly<Partial<Record<Indicator, number>>> = { errors: 0.3, latency: 0.2, throughput: 0.02, rejected: 0.01 }
const OF_ROUTE: Readonly<Partial<Record<Indicator, number>>> = { errors: 0.15, latency: 0.1 }
const OF_RELEASE: Readonly<Partial<Record<Indicator, number>>> = { signatures: 0.2, restarts: 0.01, memory: 0.005, cpu: 0.005 }
const TO_CHANGED = 0.9

export class Budget {
  readonly #falseAlarm: number
  readonly #changed: ReadonlySet<string>

  constructor(falseAlarm: number, changed: ReadonlySet<string>) {
    this.#falseAlarm = falseAlarm
    this.#changed = changed
  }

  /** `order`: of the services that were not changed, from 0. */
  ofService(indicator: Indicator, service: string, order: number): number {
    const { size } = this.#changed
    const part = size === 0 ? tail(order) : this.#changed.has(service) ? TO_CHANGED / size : (1 - TO_CHANGED) * tail(order)
    return this.#threshold((OF_SERVICE[indicator] ?? 0) * part)
  }

  ofClients(indicator: Indicator): number {
    return this.#threshold(OF_SERVICE[indicator] ?? 0)
  }

  ofRoute(indicator: Indicator, order: number): number {
    return this.#threshold((OF_ROUTE[indicator] ?? 0) * tail(order))
  }

  ofRelease(indicator: Indicator): number {
    return this.#threshold(OF_RELEASE[indicator] ?? 0)
  }

  ofSignature(order: number): number {
    return this.#threshold(((OF_RELEASE.signatures ?? 0) * 6) / (Math.PI * (order + 1)) ** 2)
  }

  #threshold(part: number): number {
    return -Math.log(this.#falseAlarm * part)
  }
}

/** ζ(3/2, 5): the sum of (n + 5)^(−3/2) from n = 0. */
const WHOLE = 0.94137219

/** Parts that add up to 1: the first has 9.5 %, the tenth 2 %, the fiftieth 0.3 %. */
function tail(order: number): number {
  return (order + 5) ** -1.5 / WHOLE
}
