import type { Verdict } from '../canary/verdict.ts'
import { durationText } from '../model/duration-text.ts'
import type { Wait } from './judging.ts'
import { beginSplit, everything, judged } from './moves.ts'
import type { Rollout } from './state.ts'

/**
 * Copies are compared until there is proof, or their time is over. Fails are dealt with before (step.ts).
 *
 * | verdict         | then: canary | then: promote              | then: stop                 |
 * |-----------------|--------------|----------------------------|----------------------------|
 * | pass            | the split    | everything                 | no more copies, a person   |
 * | none, time over | the split    | no more copies, a person   | no more copies, a person   |
 * | none            | stays        | stays                      | stays                      |
 *
 * A split that follows is judged anew, so beginning it needs no proof; a promotion does. Paused, or over: stays.
 */
export function advanceShadow(rollout: Rollout, verdict: Verdict | null, cursor: number, now: number): Rollout {
  const { phase, shadow } = rollout
  if (phase.name !== 'shadowing' || !shadow || phase.over || rollout.paused || verdict === null) return rollout
  const isProven = verdict.kind === 'pass'
  if (!isProven && now < phase.since + shadow.atMostMs) return rollout
  if (shadow.then === 'canary' && rollout.steps.length > 0) return beginSplit(rollout, now)
  if (isProven && shadow.then === 'promote') return everything(rollout, judged('passed', verdict.text, verdict, cursor), now)
  return { ...rollout, phase: { ...phase, over: true } }
}

export function waitOfShadow({ phase, judging, shadow }: Rollout): Omit<Wait, 'since'> {
  const said = judging?.verdict?.text ?? 'nothing was counted yet'
  if (phase.name !== 'shadowing' || !phase.over) return { for: 'evidence', text: said }
  return judging?.verdict?.kind === 'pass'
    ? { for: 'approval', text: `proven with copies, and waits for a person: weir canary resume (${said})` }
    : { for: 'decision', text: `no verdict after ${durationText(shadow?.atMostMs ?? 0)} of copies: ${said}` }
}
