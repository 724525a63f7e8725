import { AA_MS, type Trial } from './judging.ts'
import type { EnvironmentState, Rollout } from './state.ts'

/** What follows the promotion of a release that was judged: the same judge, with nothing to find. */
export function trialAfter({ id, target, judging }: Rollout, now: number): Trial | null {
  if (!judging) return null
  const { analysis, unit, thresholds } = judging
  return { id: `aa-${id.replace(/^r/, '')}`, release: target, analysis, unit, thresholds, until: now + AA_MS }
}

/**
 * | a trial, and                                   | is    |
 * |------------------------------------------------|-------|
 * | its time is over                               | ended |
 * | a rollout runs, or another release serves      | ended |
 * | else                                           | kept  |
 */
export function withoutEndedTrial(state: EnvironmentState, now: number): EnvironmentState {
  const { trial, rollout, current } = state
  return trial && (now >= trial.until || rollout !== null || current !== trial.release) ? { ...state, trial: null } : state
}
