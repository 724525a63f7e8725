import type { EvidenceView, RolloutView } from '../../packages/client/src/types.ts'
import type { Look } from '../controllers/journal.ts'
import type { Verdict } from '../core/canary/verdict.ts'
import type { Because, Rollout } from '../core/rollout/state.ts'
import type { RolloutDetail } from '../store/queries.ts'
import type { Replayed } from './ports.ts'

/** A rollout as history tells it, with where it stands now when it is the running one. */
export function rolloutView(detail: RolloutDetail, running: Rollout | null): RolloutView {
  const now = running?.id === detail.id ? progressOf(running) : ENDED
  return { ...detail, because: becauseView(detail.because), verdict: verdictView(detail.verdict), ...now }
}

/** The running rollout from the state alone. Store time says nothing to people, so `startedAt` is when the environment last changed. */
export function runningRollout(rollout: Rollout, weight: number, changedAt: string): RolloutView {
  return {
    id: rollout.id,
    kind: rollout.kind,
    target: rollout.target,
    base: rollout.base,
    by: rollout.by,
    strategy: rollout.strategy,
    phase: rollout.phase.name,
    weight,
    outcome: null,
    because: 'because' in rollout.phase ? becauseView(rollout.phase.because) : null,
    verdict: null,
    startedAt: changedAt,
    endedAt: null,
    ...progressOf(rollout),
  }
}

export function becauseView(because: Because | null): { code: string; text: string; lines: string[] } | null {
  return because && { code: because.code, text: because.text, lines: [...because.lines] }
}

/** What a rollout was judged by; `replayed`: and what came of judging it again. */
export function evidenceView(rollout: string, { verdict, rules, cursor }: Look, replayed: Replayed | null): EvidenceView {
  const { tests, ...head } = verdict
  return {
    rollout,
    verdict: { ...head, counted: { ...head.counted }, unproven: [...head.unproven] },
    tests: tests.map((it) => ({ ...it })),
    unit: rules.unit,
    designEffect: rules.designEffect,
    falseAlarm: rules.analysis.falseAlarm,
    cursor,
    replay: replayed && { ...replayed },
  }
}

function verdictView(verdict: Omit<Verdict, 'tests'> | null): RolloutView['verdict'] {
  return verdict && { ...verdict, counted: { ...verdict.counted }, unproven: [...verdict.unproven] }
}

type Progress = Pick<RolloutView, 'stages' | 'stage' | 'step' | 'waits' | 'paused'>
const ENDED: Progress = { stages: null, stage: null, step: null, waits: null, paused: false }

function progressOf({ stages, phase, paused, waits = null }: Rollout): Progress {
  return {
    stages: stages.map((stage) => stage.map(({ service, manner }) => ({ service, manner }))),
    stage: 'stage' in phase ? phase.stage : null,
    step: phase.name === 'splitting' ? phase.step : null,
    waits: waits && { for: waits.for, text: waits.text },
    paused,
  }
}
