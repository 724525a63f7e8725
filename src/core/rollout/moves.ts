import type { Verdict } from '../canary/verdict.ts'
import type { Judging } from './judging.ts'
import type { Because, Rollout } from './state.ts'

/** Until the target has taken over, and while it is watched, the base is whole: going back is always possible. */
export function canGoBack(rollout: Rollout): boolean {
  return rollout.phase.name !== 'switching' && rollout.phase.name !== 'restoring'
}

export function goBack(rollout: Rollout, reason: Because, outcome: 'failed' | 'aborted' | 'superseded', now: number): Rollout {
  return { ...rollout, paused: false, waits: null, phase: { name: 'restoring', because: reason, since: now, outcome } }
}

/** It failed for what it did with traffic: the same is not taken again by itself. */
export function reject(rollout: Rollout, reason: Because, now: number): Rollout {
  return { ...rollout, paused: false, waits: null, phase: { name: 'restoring', because: reason, since: now, outcome: 'failed', rejects: true } }
}

/** All requests go to the target, once what cannot run twice is replaced. */
export function everything(rollout: Rollout, grounds: Because | null, now: number): Rollout {
  return { ...rollout, paused: false, waits: null, grounds: grounds ?? rollout.grounds ?? null, phase: { name: 'replacing', stage: 0, since: now } }
}

/** The first share of requests. What copies have shown counts no more: a shadow that becomes a canary is proven anew. */
export function beginSplit(rollout: Rollout, now: number): Rollout {
  const { judging } = rollout
  const unit = rollout.split?.by === 'request' ? 'request' : 'client'
  return atStep(judging ? { ...rollout, judging: { ...judging, unit, since: now, verdict: null } } : rollout, 0, now)
}

export function atStep(rollout: Rollout, step: number, now: number): Rollout {
  return atWeight(rollout, step, rollout.steps[step] ?? 0, now)
}

/** Every change of the weight is a stage of its own: evidence says by which weight it came about. */
export function atWeight(rollout: Rollout, step: number, weight: number, now: number): Rollout {
  const before = rollout.phase.name === 'splitting' ? rollout.phase.weight : null
  const judging: Judging | null = rollout.judging ? { ...rollout.judging, stage: rollout.judging.stage + (before === weight ? 0 : 1) } : null
  return { ...rollout, judging, waits: null, phase: { name: 'splitting', step, weight, since: now } }
}

/** A reason that a verdict is behind: its tests and the block that it stands on go with it. */
export function judged(code: string, text: string, verdict: Verdict, cursor: number): Because {
  return { code, text, lines: [], evidence: { verdict, cursor } }
}
