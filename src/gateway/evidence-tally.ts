import { THRESHOLDS } from '../core/model/evidence.ts'

/** Sums of one side of a route, a replica or a client. Kept from block to block, so that a request costs additions and no objects. */
export class Tally {
  requests = 0
  abandoned = 0
  #errors = 0
  #rejected4xx = 0
  /** [k]: timed requests that exceeded exactly k thresholds. */
  readonly #over = Array.from({ length: THRESHOLDS + 1 }, () => 0)

  /** `over`: how many thresholds it exceeded; -1: its latency does not count. */
  add(failed: boolean, rejected: boolean, over: number): void {
    this.requests++
    if (failed) this.#errors++
    else if (rejected) this.#rejected4xx++
    if (over >= 0) (this.#over[over] as number)++
  }

  /** Whoever asked went away before there was an answer. */
  addAbandoned(over: number): void {
    this.abandoned++
    if (over >= 0) (this.#over[over] as number)++
  }

  get isEmpty(): boolean {
    return this.requests === 0 && this.abandoned === 0
  }

  /** The sums; it begins again at zero. */
  take(): { requests: number; errors: number; rejected4xx: number; timed: number; slow: number[]; abandoned?: number } {
    const slow = Array.from({ length: THRESHOLDS }, () => 0)
    let timed = 0
    for (let over = THRESHOLDS; over >= 0; over--) {
      timed += this.#over[over] as number
      if (over > 0) slow[over - 1] = timed // slower than threshold j: those that exceeded more than j
    }
    const { requests, abandoned } = this
    const sums = { requests, errors: this.#errors, rejected4xx: this.#rejected4xx, timed, slow, ...(abandoned === 0 ? {} : { abandoned }) }
    this.requests = 0
    this.abandoned = 0
    this.#errors = 0
    this.#rejected4xx = 0
    this.#over.fill(0)
    return sums
  }
}
