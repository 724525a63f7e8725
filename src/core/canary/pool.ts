/**
 * Trials that are compared with one another. The share of the canary is measured where it is used: in a batch, of which the trials of both
 * sides are counted; labels within it are as good as drawn by lot. A batch ends by the number of trials or by the clock, never by what came
 * of them or on which side they were, or the lot would not be fair.
 */
import { EProcess, type Grid, logMean } from './e-process.ts'
import type { Batch } from './odds.ts'

/** [canary trials, stable trials, canary events of kind 0, stable events of kind 0, …] */
export type Counts = Float64Array

export function countsFor(kinds: number): Counts {
  return new Float64Array(2 + 2 * kinds)
}

export function batchOf(counts: Counts, kind: number): Batch {
  return {
    canaryTrials: counts[0] as number,
    stableTrials: counts[1] as number,
    canaryEvents: counts[2 + 2 * kind] as number,
    stableEvents: counts[3 + 2 * kind] as number,
  }
}

/** How long a batch is: canary trials it should have on average, and the longest it may take. */
export interface Pace {
  readonly canaryTrials: number
  readonly mostMs: number
}

/** Outages are plain even in few trials; for regressions the share must be exact. */
const QUICK: Pace = { canaryTrials: 2, mostMs: 5_000 }
const THOROUGH: Pace = { canaryTrials: 10, mostMs: 20_000 }
const LEAST_SHARE = 0.005
/** Trials that the wanted share is as good as, until more were counted: a side's first requests may be left out. */
const PRIOR_TRIALS = 300

export class Batcher {
  readonly #pending: Counts
  readonly #pace: Pace
  #sinceMs = Number.NaN
  #canary = 0
  #all = 0

  constructor(kinds: number, pace: Pace) {
    this.#pending = countsFor(kinds)
    this.#pace = pace
  }

  /** Whether a batch is complete; then `take` it. `share`: what is expected until it was measured. */
  add(counts: Counts, fromMs: number, toMs: number, share: number): boolean {
    const pending = this.#pending
    if (pending[0] === 0 && pending[1] === 0) this.#sinceMs = fromMs
    for (let i = 0; i < pending.length; i++) pending[i] = (pending[i] as number) + (counts[i] as number)
    return (pending[0] as number) + (pending[1] as number) >= this.#wanted(share) || toMs - this.#sinceMs >= this.#pace.mostMs
  }

  take(use: (batch: Counts) => void): void {
    const pending = this.#pending
    this.#canary += pending[0] as number
    this.#all += (pending[0] as number) + (pending[1] as number)
    use(pending)
    pending.fill(0)
  }

  /** From the batches before, so that this one's length does not depend on what is in it. */
  #wanted(expected: number): number {
    const share = (this.#canary + PRIOR_TRIALS * expected) / (this.#all + PRIOR_TRIALS)
    return this.#pace.canaryTrials / Math.max(LEAST_SHARE, Math.min(share, 1 - share))
  }
}

/** Evidence for regressions and for outages, as one. */
export class Comparison {
  /** Of the evidence, how much looks for outages. */
  static readonly #WEIGHTS = [0.6, 0.4] as const
  readonly #regressions: EProcess
  readonly #outages: EProcess

  constructor(regressions: Grid, outages: Grid) {
    this.#regressions = new EProcess(regressions)
    this.#outages = new EProcess(outages)
  }

  get logE(): number {
    return logMean([this.#regressions.logE, this.#outages.logE], Comparison.#WEIGHTS)
  }

  addRegression(batch: Batch): void {
    this.#regressions.add(batch)
  }

  addOutage(batch: Batch): void {
    this.#outages.add(batch)
  }
}

/** Kinds of failures of the same trials. */
export class FailurePool {
  readonly #quick: Batcher
  readonly #thorough: Batcher
  readonly #comparisons: readonly Comparison[]

  constructor(kinds: number, regressions: Grid, outages: Grid) {
    this.#quick = new Batcher(kinds, QUICK)
    this.#thorough = new Batcher(kinds, THOROUGH)
    this.#comparisons = Array.from({ length: kinds }, () => new Comparison(regressions, outages))
  }

  logE(kind: number): number {
    return (this.#comparisons[kind] as Comparison).logE
  }

  /** True if a batch was completed. */
  add(counts: Counts, fromMs: number, toMs: number, share: number): boolean {
    const quick = this.#quick.add(counts, fromMs, toMs, share)
    const thorough = this.#thorough.add(counts, fromMs, toMs, share)
    if (quick) this.#quick.take(this.#outages)
    if (thorough) this.#thorough.take(this.#regressions)
    return quick || thorough
  }

  /** The share changes: what was begun is a batch. */
  close(): void {
    this.#quick.take(this.#outages)
    this.#thorough.take(this.#regressions)
  }

  readonly #outages = (counts: Counts): void => this.#comparisons.forEach((it, kind) => void it.addOutage(batchOf(counts, kind)))
  readonly #regressions = (counts: Counts): void => this.#comparisons.forEach((it, kind) => void it.addRegression(batchOf(counts, kind)))
}

/** A pause of one replica makes slow all who come meanwhile; they are told of together, within this. */
const PAUSE_MS = 2_000
/**
 * Evidence that a threshold's slow requests may bring within one pause: a release is slow again and again, a pause is over. Of the higher
 * thresholds less, since there pauses are most of what is ever seen.
 */
const OF_A_PAUSE = [2, 2, 1.5, 1, 1] as const
/** What was seen so long ago is suspected e times less. */
const SUSPECTED_MS = 120_000

/** Requests slower than each of the thresholds. */
export class SlowPool {
  readonly #batcher: Batcher
  readonly #processes: readonly EProcess[]
  readonly #onBatch: ((counts: Counts) => void) | null
  readonly #most: Float64Array
  #window = Number.NaN
  #toMs = Number.NaN
  #lately = 0
  #latelyMs = Number.NaN

  constructor(grid: Grid, onBatch: ((counts: Counts) => void) | null = null) {
    this.#batcher = new Batcher(OF_A_PAUSE.length, THOROUGH)
    this.#processes = OF_A_PAUSE.map(() => new EProcess(grid))
    this.#most = Float64Array.from(OF_A_PAUSE)
    this.#onBatch = onBatch
  }

  /** A mean of evidence is evidence. `effects`: by how much that of each threshold is divided. */
  logE(effects: readonly number[]): number {
    const logs = this.#processes.map((it, kind) => it.logE / (effects[kind] ?? 1))
    return logMean(
      logs,
      logs.map(() => 1 / logs.length),
    )
  }

  /** The same of what was seen lately: what grew, and fades since. */
  lately(effects: readonly number[]): number {
    return Math.min(this.logE(effects), this.#lately / Math.max(1, Math.min(...effects)))
  }

  /** The threshold that says most. */
  get strongest(): number {
    let best = 0
    for (let kind = 1; kind < this.#processes.length; kind++) {
      if ((this.#processes[kind] as EProcess).logE > (this.#processes[best] as EProcess).logE) best = kind
    }
    return best
  }

  add(counts: Counts, fromMs: number, toMs: number, share: number): boolean {
    this.#toMs = toMs
    if (!this.#batcher.add(counts, fromMs, toMs, share)) return false
    this.close()
    return true
  }

  close(): void {
    const window = Math.floor(this.#toMs / PAUSE_MS)
    if (window !== this.#window) {
      this.#window = window
      this.#processes.forEach((it, kind) => {
        this.#most[kind] = it.logE + (OF_A_PAUSE[kind] as number)
      })
    }
    const before = this.logE(UNDIVIDED)
    this.#batcher.take((counts) => {
      this.#processes.forEach((it, kind) => void it.add(batchOf(counts, kind), this.#most[kind]))
      this.#onBatch?.(counts)
    })
    const fadedBy = Number.isNaN(this.#latelyMs) ? 1 : Math.exp(-Math.max(0, this.#toMs - this.#latelyMs) / SUSPECTED_MS)
    this.#lately = Math.max(0, this.#lately * fadedBy + this.logE(UNDIVIDED) - before)
    this.#latelyMs = this.#toMs
  }
}

const UNDIVIDED: readonly number[] = []
