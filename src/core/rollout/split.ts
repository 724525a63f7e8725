import type { Verdict } from '../canary/verdict.ts'
import { durationText } from '../model/duration-text.ts'
import type { StepRule, Wait } from './judging.ts'
import { atStep, everything, goBack, judged } from './moves.ts'
import type { Because, Rollout } from './state.ts'

/**
 * A canary that is judged. Fails are dealt with before (step.ts), whatever else is going on. `P`: proven in this very look, or the time of
 * `promote-after` is over and the judge has looked and found nothing. First line that fits:
 *
 * | P   | the step                     | its time       | policy        | does                                                     |
 * |-----|------------------------------|----------------|---------------|----------------------------------------------------------|
 * | any | paused by a person           | any            | any           | stays                                                    |
 * | yes | at_least is not over         | any            | any           | stays                                                    |
 * | yes | approve, nobody agreed       | any            | any           | stays, for a person                                      |
 * | yes | any other                    | any            | any           | next step with at_least or approve; none: everything     |
 * | no  | any                          | not over       | any           | stays, for evidence                                      |
 * | no  | any                          | at_most over   | rollback      | back; that is no proof against it, so it may come again  |
 * | no  | approve, nobody agreed       | at_most over   | widen         | stays, for a person                                      |
 * | no  | any other but the last       | at_most over   | widen         | next step                                                |
 * | no  | any                          | at_most over   | any           | stays, for evidence or a person                          |
 *
 * Without a look (a server that has just begun, a store that cannot be read) time alone moves nothing.
 */
export function advanceSplit(rollout: Rollout, verdict: Verdict | null, cursor: number, now: number): Rollout {
  const { judging, phase } = rollout
  if (!judging || phase.name !== 'splitting' || rollout.paused || verdict === null) return rollout
  const rule = ruleOf(rollout)
  const agreed = !rule.approve || phase.approved === true
  const grounds = groundsOf(rollout, verdict, cursor, now)
  if (grounds) {
    if (now < phase.since + rule.atLeastMs || !agreed) return rollout
    const next = judging.rules.findIndex((it, step) => step > phase.step && (it.approve || it.atLeastMs > 0))
    return next < 0 ? everything(rollout, grounds, now) : atStep(rollout, next, now)
  }
  if (now < phase.since + rule.atMostMs) return rollout
  const { kind } = judging.onInconclusive
  if (kind === 'rollback')
    return goBack(rollout, judged('E_REJECTED', `no verdict after ${durationText(rule.atMostMs)}: ${verdict.text}`, verdict, cursor), 'failed', now)
  return kind === 'widen' && agreed && phase.step + 1 < rollout.steps.length ? atStep(rollout, phase.step + 1, now) : rollout
}

/** Why it may go on, or null: there is no reason. */
function groundsOf({ judging }: Rollout, verdict: Verdict, cursor: number, now: number): Because | null {
  if (verdict.kind === 'pass') return judged('passed', verdict.text, verdict, cursor)
  const policy = judging?.onInconclusive
  const isDue = policy?.kind === 'promote-after' && judging?.since != null && now >= judging.since + policy.afterMs
  return isDue ? judged('promote-after', `nothing failed in ${durationText(policy.afterMs)}, and nothing is proven: ${verdict.text}`, verdict, cursor) : null
}

/** What a rollout that splits waits for. Not judged: each step is a person's. */
export function waitOfSplit(rollout: Rollout, now: number): Omit<Wait, 'since'> {
  const { judging, phase } = rollout
  if (phase.name !== 'splitting' || !judging) return { for: 'approval', text: 'each step waits for a person: weir canary resume' }
  const rule = ruleOf(rollout)
  const noted = judging.verdict
  const said = noted?.text ?? 'nothing was counted yet'
  const isProven = noted?.kind === 'pass'
  if (isProven && now < phase.since + rule.atLeastMs)
    return { for: 'time', text: `stays at ${phase.weight} % for at least ${durationText(rule.atLeastMs)}: ${said}` }
  if (isProven && rule.approve && !phase.approved) return { for: 'approval', text: `proven, and waits for a person: weir canary resume (${said})` }
  if (now >= phase.since + rule.atMostMs) return { for: 'decision', text: `no verdict after ${durationText(rule.atMostMs)}: ${said}` }
  return { for: 'evidence', text: said }
}

/** When time alone may change something. */
export function splitWakesAt(rollout: Rollout): readonly number[] {
  const { judging, phase } = rollout
  if (!judging || phase.name !== 'splitting') return []
  const { onInconclusive, since } = judging
  const rule = ruleOf(rollout)
  const due = onInconclusive.kind === 'promote-after' && since !== null ? [since + onInconclusive.afterMs] : []
  return [phase.since + rule.atLeastMs, phase.since + rule.atMostMs, ...due]
}

/** What it takes to leave the step. */
export function ruleOf({ judging, phase }: Rollout): StepRule {
  const rule = phase.name === 'splitting' ? judging?.rules[phase.step] : undefined
  return rule ?? { atLeastMs: 0, atMostMs: 0, approve: true }
}
