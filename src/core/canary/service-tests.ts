/** What is asked of one service, and of each of its routes: the counts, the evidence and the proof. */

import { EProcess } from './e-process.ts'
import { type EvidenceRow, PROOF_QUANTILE, QUANTILES, type SentRow } from './evidence.ts'
import { DifferenceExclusion, HEADROOM } from './exclusion.ts'
import { ERRORS, exclusion, OUTAGE, SLOW } from './grids.ts'
import { batchOf, type Counts, countsFor, FailurePool, SlowPool } from './pool.ts'
import type { SequentialTest } from './sequential-test.ts'
import { Tally } from './tally.ts'

/** Kinds of failures of a service's requests, by their place in its pool. */
export const FAILURES = { errors: 0, rejected: 1 } as const

export interface ProofLimits {
  /** Further errors, as a share of requests, that a pass excludes. */
  readonly errors: number
  /** So many times as many requests above q90. */
  readonly slow: number
  /** Log evidence that is enough. */
  readonly enough: number
}

/** How much more trials come together than by chance. */
export interface Dispersion {
  readonly errors: number
  readonly slow: number
}

/** Evidence of requests, each of which was put on a side by lot. */
export class RequestTests {
  readonly failures: FailurePool
  readonly slow: SlowPool
  readonly #failures: Counts
  readonly #slow: Counts
  #touched = false

  constructor(kinds: number, onSlowBatch: ((counts: Counts) => void) | null = null) {
    this.failures = new FailurePool(kinds, ERRORS, OUTAGE)
    this.slow = new SlowPool(SLOW, onSlowBatch)
    this.#failures = countsFor(kinds)
    this.#slow = countsFor(QUANTILES.length)
  }

  count(row: EvidenceRow): void {
    this.#touched = true
    const side = row.side === 'canary' ? 0 : 1
    add(this.#failures, side, row.requests)
    add(this.#failures, 2 + side, row.errors)
    if (this.#failures.length > 4) add(this.#failures, 4 + side, row.rejected4xx)
    if (row.timed === 0) return
    add(this.#slow, side, row.timed)
    for (let j = 0; j < QUANTILES.length; j++) add(this.#slow, 2 + 2 * j + side, row.slow[j] as number)
  }

  /** What was counted in this block. */
  get block(): Counts {
    return this.#failures
  }

  /** True if a batch was completed. */
  endBlock(fromMs: number, toMs: number, share: number): boolean {
    if (!this.#touched) return false
    this.#touched = false
    const failures = this.failures.add(this.#failures, fromMs, toMs, share)
    const slow = this.slow.add(this.#slow, fromMs, toMs, share)
    this.#failures.fill(0)
    this.#slow.fill(0)
    return failures || slow
  }

  close(): void {
    this.failures.close()
    this.slow.close()
  }
}

export class RouteTests {
  readonly route: string
  /** Whether it has tests of its own. */
  readonly tested: boolean
  readonly tally = new Tally()
  readonly requests = new RequestTests(1)
  readonly tests: SequentialTest[] = []

  constructor(route: string, tested: boolean) {
    this.route = route
    this.tested = tested
  }
}

export class ServiceTests {
  readonly service: string
  readonly tally = new Tally()
  readonly requests: RequestTests
  readonly routes = new Map<string, RouteTests>()
  readonly unanswered = new UnansweredPool()
  readonly silence = new Silence()
  readonly tests: SequentialTest[] = []
  readonly noMoreErrors: DifferenceExclusion
  readonly notSlower: SlowExclusion

  /** `dispersion`: by how much the evidence of a proof is divided, at that moment. */
  constructor(service: string, limits: ProofLimits, dispersion: () => Dispersion) {
    this.service = service
    this.noMoreErrors = new DifferenceExclusion(limits.errors, limits.enough, () => dispersion().errors)
    this.notSlower = new SlowExclusion(limits.slow, limits.enough, () => dispersion().slow)
    this.requests = new RequestTests(Object.keys(FAILURES).length, (batch) => this.notSlower.add(batch))
  }
}

/** Answers that never came, among all that ended. */
class UnansweredPool {
  readonly pool = new FailurePool(1, ERRORS, OUTAGE)
  readonly #counts = countsFor(1)

  count({ side, requests, abandoned = 0 }: EvidenceRow): void {
    const at = side === 'canary' ? 0 : 1
    add(this.#counts, at, requests + abandoned)
    add(this.#counts, 2 + at, abandoned)
  }

  endBlock(fromMs: number, toMs: number, share: number): boolean {
    const told = this.pool.add(this.#counts, fromMs, toMs, share)
    this.#counts.fill(0)
    return told
  }
}

/** "At q90 so many times as many slow requests" is excluded. */
class SlowExclusion {
  readonly #most: () => number
  readonly #evidence: EProcess

  constructor(limit: number, enough: number, dispersion: () => number) {
    this.#most = () => (enough + HEADROOM) * dispersion()
    this.#evidence = new EProcess(exclusion(oddsOf(limit)))
  }

  get logE(): number {
    return this.#evidence.logE
  }

  add(counts: Counts): void {
    this.#evidence.add(batchOf(counts, PROOF_QUANTILE))
    this.#evidence.limitTo(this.#most())
  }
}

/**
 * Since the canary last answered: how many requests it was sent, and whether the stable side answered its own meanwhile. A pause is no silence:
 * it lasts for some seconds. Where answers take longer than that, the stable side has not answered most of its own either.
 */
class Silence {
  static readonly #LEAST_MS = 5_000
  static readonly #SENT = 20
  static readonly #ANSWERED = 0.9
  #canary = 0
  #stable = 0
  #answered = 0
  #heard = false
  #sinceMs = Number.NaN
  #lastMs = Number.NaN

  count(row: EvidenceRow): void {
    if (row.side === 'stable') this.#answered += row.requests
    else if (row.requests > 0) this.#heard = true
  }

  send({ side, requests }: SentRow): void {
    if (side === 'canary') this.#canary += requests
    else this.#stable += requests
  }

  endBlock(fromMs: number, toMs: number): void {
    if (this.#heard) {
      this.#canary = this.#stable = this.#answered = 0
      this.#sinceMs = Number.NaN
    } else if (this.#canary > 0 && Number.isNaN(this.#sinceMs)) this.#sinceMs = fromMs
    this.#lastMs = toMs
    this.#heard = false
  }

  get unanswered(): number | null {
    const isLong = this.#lastMs - this.#sinceMs >= Silence.#LEAST_MS && this.#canary >= Silence.#SENT
    const answers = this.#stable >= Silence.#SENT && this.#answered >= Silence.#ANSWERED * this.#stable
    return isLong && answers ? this.#canary : null
  }
}

function add(counts: Counts, at: number, by: number): void {
  counts[at] = (counts[at] as number) + by
}

/** A tenth of the requests is above q90. */
function oddsOf(ratio: number): number {
  return (ratio * 0.9) / (1 - 0.1 * ratio)
}
