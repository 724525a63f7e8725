import type { RolloutView } from '../../packages/client/src/types.ts'
import type { Because, Rollout } from '../core/rollout/state.ts'
import type { RolloutDetail } from '../store/queries.ts'

/** A rollout as history tells it, with where it stands now when it is the running one. */
export function rolloutView(detail: RolloutDetail, running: Rollout | null): RolloutView {
  const now = running?.id === detail.id ? progressOf(running) : ENDED
  return { ...detail, because: becauseView(detail.because), ...now }
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
    startedAt: changedAt,
    endedAt: null,
    ...progressOf(rollout),
  }
}

export function becauseView(because: Because | null): { code: string; text: string; lines: string[] } | null {
  return because && { code: because.code, text: because.text, lines: [...because.lines] }
}

type Progress = Pick<RolloutView, 'stages' | 'stage' | 'step' | 'paused'>
const ENDED: Progress = { stages: null, stage: null, step: null, paused: false }

function progressOf({ stages, phase, paused }: Rollout): Progress {
  return {
    stages: stages.map((stage) => stage.map(({ service, manner }) => ({ service, manner }))),
    stage: 'stage' in phase ? phase.stage : null,
    step: phase.name === 'splitting' ? phase.step : null,
    paused,
  }
}
