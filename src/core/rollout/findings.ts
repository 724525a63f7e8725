import type { Thresholds } from '../canary/evidence.ts'
import type { Verdict } from '../canary/verdict.ts'

/**
 * What was found out since the last look about the release that takes over, from evidence and from checks. Controllers gather it; what
 * follows from it is decided here. All of it may be missing: then nothing is proven, and nothing is promoted by itself.
 */
export interface Findings {
  /** Of the rollout that runs, or of the trial; one of another id is left out of account. */
  readonly judgement: Judgement | null
  /** Of a blue-green release, in the phases `checking` and `watching`: one for each probe that was asked since the phase began. */
  readonly checks: readonly CheckSeen[]
  /** Of a blue-green release, in the phase `watching`; null: not counted yet. */
  readonly served: Served | null
  /** How much slow requests of one replica come together in this environment; 1: not at all, or not known. */
  readonly designEffect: number
}

export interface Judgement {
  /** `Rollout.id` or `Trial.id`. */
  readonly rollout: string
  /**
   * Made from the evidence of the phase that the saved state is in: in `shadowing` of copies (stage 0), in `splitting` of the split (from stage
   * 1 on). null: nothing has been counted yet, or it is not looked at in this pass. Proof holds only for the look that it came with.
   */
  readonly verdict: Verdict | null
  /** Sequence of the newest stored block that it stands on. */
  readonly cursor: number
  /**
   * What could be made by now, route by route. Until requests are split, a newer one replaces an older one; from then on only routes that
   * have none yet get theirs.
   */
  readonly thresholds: Thresholds
}

export interface CheckSeen {
  readonly service: string
  readonly probe: string
  /** Answers as they should be, since the phase began. */
  readonly good: number
  /** The newest answers in a row that were not. */
  readonly badInARow: number
  readonly cause: string | null
}

/** Requests that the new release has answered since the switch. */
export interface Served {
  readonly requests: number
  readonly errors: number
}

export const NO_FINDINGS: Findings = { judgement: null, checks: [], served: null, designEffect: 1 }
