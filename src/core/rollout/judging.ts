import type { Analysis } from '../canary/analysis.ts'
import type { Thresholds } from '../canary/evidence.ts'
import type { Verdict } from '../canary/verdict.ts'
import type { OnInconclusive } from '../model/app-graph.ts'

/**
 * How a rollout is judged: decided when it begins, then frozen, but for `stage`, `thresholds` and `verdict`. Part of the state, so that
 * whatever evidence is counted by is saved before it is counted, and a server that takes over goes on with the same test.
 */
export interface Judging {
  readonly analysis: Analysis
  /** For each of the rollout's `steps`, what it takes to leave it. */
  readonly rules: readonly StepRule[]
  readonly onInconclusive: OnInconclusive
  /** What is assigned by chance. Of a split by header or cookie a client is whoever carries the same value. */
  readonly unit: 'request' | 'client'
  /** How much slow requests of one replica come together, by the trials before. */
  readonly designEffect: number
  /**
   * Stands in every block of evidence. 0: of copies (a shadow), or nothing yet; from 1 on of a split, one more with every change of weight.
   * A judge of a split leaves out the blocks of stage 0: a shadow that became a canary is proven anew.
   */
  readonly stage: number
  /** When requests or copies first went to it (store time); null: not yet. `promote-after` counts from here. */
  readonly since: number | null
  /** Frozen route by route, before the requests that are compared with them. */
  readonly thresholds: Thresholds
  /** The newest that was looked at, in short; written down when its kind changes, else at most every NOTED_MS. */
  readonly verdict: NotedVerdict | null
}

export interface StepRule {
  readonly atLeastMs: number
  readonly atMostMs: number
  readonly approve: boolean
}

export interface NotedVerdict {
  readonly kind: Verdict['kind']
  readonly text: string
  readonly needsS: number | null
  readonly share: number | null
  /** The newest block that it stands on. */
  readonly cursor: number
  readonly at: number
}

/** An inconclusive verdict changes with every look; the state is written less often. */
export const NOTED_MS = 5_000

/**
 * Why a rollout that takes traffic does not go on by itself just now, and who can change that. Kept in the state so that a change of it is
 * an event; null: it is on its way.
 *
 * | for      | until                                                                          |
 * |----------|--------------------------------------------------------------------------------|
 * | evidence | there is a verdict                                                             |
 * | time     | `at_least`, or the time after a blue-green switch, is over                     |
 * | checks   | the probes before a blue-green switch have been answered                       |
 * | approval | a person agrees: the step says so, or nobody judges                            |
 * | decision | a person decides, because there is no verdict and waiting longer was not asked |
 * | pause    | a person lets it go on                                                         |
 */
export interface Wait {
  readonly for: 'evidence' | 'time' | 'checks' | 'approval' | 'decision' | 'pause'
  readonly text: string
  /** Since when it waits for that (store time). */
  readonly since: number
}

/**
 * A promoted release judged against itself, silently: whatever is found is a false alarm. Begins with the promotion of a rollout that was
 * judged, ends after AA_MS or when the next rollout begins. Its evidence is of stage 0.
 */
export interface Trial {
  /** Stands where a rollout's id would: `aa-7` after rollout r7. */
  readonly id: string
  readonly release: number
  readonly analysis: Analysis
  readonly unit: 'request' | 'client'
  readonly thresholds: Thresholds
  readonly until: number
}

export const AA_MS = 10 * 60_000
export const AA_WEIGHT = 10

/** A release that was taken back for what it did, by what it was made from: refused until something newer comes, or it is asked for `again`. */
export interface Rejected {
  readonly release: number
  /** `git:<commit>`, `upload:<digest>`, `release:<environment>/<number>`. */
  readonly source: string
  readonly rollout: string
  readonly text: string
}
