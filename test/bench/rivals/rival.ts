import type { Metrics } from './metrics.ts'

/**
 * A tool's rule for one rollout, as its sources and documentation have it (the files beside say which). It looks when it wants to, at what a
 * metrics store would answer at that moment.
 */
export interface Rival {
  readonly name: string
  /** `phase`: where between two of its looks the rollout begins, 0 ≤ phase < 1. */
  create(phase: number): RivalRun
}

export interface RivalRun {
  /** Second of its next look. */
  readonly nextAt: number
  look(metrics: Metrics): 'fail' | 'pass' | null
}
