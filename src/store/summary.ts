import type { Command, EnvironmentState } from '../core/rollout/state.ts'

/** What lists show of an environment: kept in columns beside the document, so that a list never loads one. */
export interface StateSummary {
  readonly current: number | null
  readonly rollout: string | null
  readonly rolloutTarget: number | null
  readonly rolloutPhase: string | null
  readonly rolloutWeight: number | null
  readonly status: 'new' | 'running' | 'rolling' | 'stopped' | 'failing' | 'removing'
  readonly services: number
  readonly replicas: number
}

/**
 * | removing | rollout | stopped `*` | setbacks | current | status   |
 * |----------|---------|-------------|----------|---------|----------|
 * | yes      |         |             |          |         | removing |
 * | no       | yes     |             |          |         | rolling  |
 * | no       | no      | yes         |          |         | stopped  |
 * | no       | no      | no          | some     |         | failing  |
 * | no       | no      | no          | none     | set     | running  |
 * | no       | no      | no          | none     | null    | new      |
 */
export function summarise(state: EnvironmentState): StateSummary {
  const wanted = Object.values(state.replicas).filter((replica) => replica.retired === null)
  const rollout = state.rollout
  return {
    current: state.current,
    rollout: rollout?.id ?? null,
    rolloutTarget: rollout?.target ?? null,
    rolloutPhase: rollout?.phase.name ?? null,
    rolloutWeight: rollout ? (rollout.phase.name === 'splitting' ? rollout.phase.weight : 0) : null,
    status: statusOf(state),
    services: new Set(wanted.map((replica) => replica.service)).size,
    replicas: wanted.length,
  }
}

function statusOf(state: EnvironmentState): StateSummary['status'] {
  if (state.removing) return 'removing'
  if (state.rollout) return 'rolling'
  if (state.stopped.includes('*')) return 'stopped'
  if (Object.keys(state.setbacks).length > 0) return 'failing'
  return state.current === null ? 'new' : 'running'
}

/** Every release that the state names: they are loaded with it, and retention keeps them. */
export function releasesNamed(state: EnvironmentState): readonly number[] {
  const named = new Set<number | null | undefined>([
    state.current,
    state.warm?.release,
    state.rollout?.target,
    state.rollout?.base,
    ...state.waiting.map((waiting) => waiting.target),
    ...Object.values(state.replicas).map((replica) => replica.origin),
    ...Object.values(state.tasks).map((task) => task.release),
    ...state.edges.map((edge) => edge.origin),
  ])
  return [...named].filter((number) => typeof number === 'number').sort((a, b) => a - b)
}

/** The releases that a pending command may need; a rollback to "the one before" looks among the promoted ones itself. */
export function releaseOfCommand(command: Command): number | null {
  if (command.kind === 'deploy') return command.release
  if (command.kind === 'rollback') return command.to
  return null
}
