import type { Thresholds } from '../canary/evidence.ts'
import type { Judgement } from './findings.ts'
import { type Judging, NOTED_MS, type NotedVerdict } from './judging.ts'
import type { Rollout } from './state.ts'

/**
 * What a look found out becomes part of the state: thresholds, which are saved before a request is compared with them, and in short the verdict.
 *
 * | phase                | thresholds                                    | verdict                                             |
 * |----------------------|-----------------------------------------------|-----------------------------------------------------|
 * | starting             | the newest: nothing is compared yet           | none                                                |
 * | splitting, shadowing | those that routes had none of; the rest stays | when its kind is another, else every NOTED_MS       |
 * | any other            | as they are                                   | as it is: what led on                               |
 */
export function noted(rollout: Rollout, judgement: Judgement | null, now: number): Rollout {
  const { judging, phase } = rollout
  if (!judging || !judgement || judgement.rollout !== rollout.id) return rollout
  if (phase.name === 'starting') return { ...rollout, judging: { ...judging, thresholds: judgement.thresholds } }
  if (phase.name !== 'splitting' && phase.name !== 'shadowing') return rollout
  return { ...rollout, judging: { ...judging, thresholds: added(judging.thresholds, judgement.thresholds), verdict: newest(judging, judgement, now) } }
}

function added(frozen: Thresholds, more: Thresholds): Thresholds {
  const result: Record<string, Readonly<Record<string, readonly number[]>>> = { ...frozen }
  for (const [service, routes] of Object.entries(more)) result[service] = { ...routes, ...frozen[service] }
  return result
}

function newest({ verdict: before }: Judging, { verdict, cursor }: Judgement, now: number): NotedVerdict | null {
  if (!verdict || (before && before.kind === verdict.kind && now - before.at < NOTED_MS)) return before
  return { kind: verdict.kind, text: verdict.text, needsS: verdict.needsS, share: verdict.share, cursor, at: now }
}
