/** What people may be told of; a target is told of those that it asks for. */
export const TOPICS = ['started', 'verdict', 'rollback', 'approval', 'promoted', 'stuck'] as const
export type Topic = (typeof TOPICS)[number]

/** What of a stored event decides whom it concerns. */
export interface ToldEvent {
  readonly kind: string
  readonly release: number | null
  readonly data: Readonly<Record<string, unknown>>
}

/** Kinds of events that `topicOf` looks at; of all others it makes nothing. */
export const TOLD_KINDS = [
  'rollout.started',
  'rollout.verdict',
  'rollout.waits',
  'rollout.phase',
  'rollout.promoted',
  'rollout.failed',
  'rollout.aborted',
  'environment.stuck',
  'environment.goes-on',
  'release.stuck',
] as const

/**
 * The topic of an event; null: nobody is told.
 *
 * | event               | and                                  | topic    |
 * |---------------------|--------------------------------------|----------|
 * | rollout.started     | the target is newer than what serves | started  |
 * | rollout.started     | it is older: somebody goes back      | rollback |
 * | rollout.verdict     | pass, fail, in doubt again           | verdict  |
 * | rollout.waits       | for approval                         | approval |
 * | rollout.waits       | for a decision: no verdict in time   | verdict  |
 * | rollout.phase       | held                                 | stuck    |
 * | rollout.promoted    |                                      | promoted |
 * | rollout.failed      |                                      | rollback |
 * | rollout.aborted     |                                      | rollback |
 * | environment.stuck   |                                      | stuck    |
 * | environment.goes-on |                                      | stuck    |
 * | release.stuck       |                                      | stuck    |
 *
 * @example topicOf({ kind: 'rollout.failed', release: 43, data: {} }) // 'rollback'
 */
export function topicOf({ kind, release, data }: ToldEvent): Topic | null {
  switch (kind) {
    case 'rollout.started':
      return typeof data['base'] === 'number' && release !== null && release < data['base'] ? 'rollback' : 'started'
    case 'rollout.verdict':
      return 'verdict'
    case 'rollout.waits':
      return data['for'] === 'approval' ? 'approval' : data['for'] === 'decision' ? 'verdict' : null
    case 'rollout.phase':
      return nameOf(data['phase']) === 'held' ? 'stuck' : null
    case 'rollout.promoted':
      return 'promoted'
    case 'rollout.failed':
    case 'rollout.aborted':
      return 'rollback'
    case 'environment.stuck':
    case 'environment.goes-on':
    case 'release.stuck':
      return 'stuck'
    default:
      return null
  }
}

function nameOf(phase: unknown): unknown {
  return typeof phase === 'object' && phase !== null && 'name' in phase ? phase.name : null
}
