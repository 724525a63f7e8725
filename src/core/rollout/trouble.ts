import type { ObservedReplica } from '../model/replica.ts'
import { tellingLine } from '../model/telling-line.ts'
import { groupKey, type RunningRelease } from '../plan/desired.ts'
import type { Seen } from '../plan/seen.ts'
import { because } from './begin.ts'
import type { Because, EnvironmentState, Rollout, RolloutService, TaskRecord } from './state.ts'

/** A stage that has not become ready by then is given up, whatever the health checks say. */
export const STAGE_DEADLINE_MS = 15 * 60 * 1000
/** A canary replica that has restarted so often is not coming up by itself. */
const RESTARTS_GIVEN_UP = 3

interface Looked {
  readonly state: EnvironmentState
  readonly seen: Seen
  readonly now: number
}

/**
 * Why the rollout cannot go on, or null. The first cause a person would look for wins: a migration before a replica, a replica before a deadline.
 */
export function troubleIn(rollout: Rollout, target: RunningRelease, { state, seen, now }: Looked): Because | null {
  const task = Object.values(state.tasks).find(
    (it) => it.kind === 'pre_start' && it.release === rollout.target && (it.outcome === 'failed' || it.outcome === 'unknown'),
  )
  if (task) return migrationTrouble(task)
  for (const { name, phase, cause } of seen.resources.values()) {
    if (phase === 'failed' && target.graph.resources[name]) return because('E_RESOURCE_FAILED', `${name}: ${cause ?? 'could not be created'}`)
  }
  const edge = state.edges.find((it) => it.origin === rollout.target && seen.traffic.refused.some(({ listener }) => listener === it.id))
  if (edge)
    return because(
      'E_PORT_IN_USE',
      `${edge.caller} cannot reach ${edge.service}: ${seen.traffic.refused.find(({ listener }) => listener === edge.id)?.cause ?? 'its address is taken'}`,
    )
  for (const { service } of rollout.stages.flat()) {
    const origin = target.origins[service]
    if (origin !== rollout.target && rollout.kind === 'deploy') continue
    const setback = state.setbacks[groupKey(service, origin ?? 0)]
    for (const id of ours(state, service, origin)) {
      const replica = seen.replicas.get(id)
      if (replica && (replica.phase === 'failed' || (replica.phase === 'waiting' && replica.restarts >= RESTARTS_GIVEN_UP)))
        return replicaTrouble(service, replica)
    }
    if (setback && setback.count > 0) return because('E_START_FAILED', `${service} did not start`)
  }
  const { phase } = rollout
  if ((phase.name === 'starting' || phase.name === 'replacing') && !rollout.paused && now >= phase.since + STAGE_DEADLINE_MS) {
    return because(
      'E_START_FAILED',
      `${rollout.stages[phase.stage]?.map((it) => it.service).join(', ') ?? 'the release'} did not become ready in ${STAGE_DEADLINE_MS / 60_000} minutes`,
    )
  }
  return null
}

/** All wanted replicas are there and ready, and the pre_start commands before them have succeeded (else none would have started). */
export function isReady({ service }: RolloutService, target: RunningRelease, { state, seen }: Pick<Looked, 'state' | 'seen'>): boolean {
  const origin = target.origins[service]
  const stopped = state.stopped.includes('*') || state.stopped.includes(service)
  const wanted = stopped ? 0 : (state.wishes[service] ?? target.graph.services[service]?.scale.min ?? 1)
  const ready = ours(state, service, origin).filter((id) => seen.replicas.get(id)?.phase === 'ready').length
  return ready >= wanted
}

function migrationTrouble(task: TaskRecord): Because {
  if (task.outcome === 'unknown') return because('E_MIGRATION_UNKNOWN', `${task.service}/${task.name} was interrupted and may have run`, task.lastLines)
  const how =
    task.exit?.kind === 'code'
      ? `exited with ${task.exit.code}`
      : task.exit?.kind === 'signal'
        ? `was ended by ${task.exit.signal}`
        : task.exit?.kind === 'oom'
          ? 'ran out of memory'
          : 'took too long'
  const line = tellingLine(task.lastLines)
  return because('E_MIGRATION_FAILED', `${task.service}/${task.name} ${how}${line === null ? '' : `: ${line}`}`, task.lastLines)
}

function replicaTrouble(service: string, replica: ObservedReplica): Because {
  return because('E_START_FAILED', `${service}: ${replica.cause ?? 'did not become healthy'}`, replica.lastLines)
}

function ours(state: EnvironmentState, service: string, origin: number | undefined): readonly string[] {
  return Object.entries(state.replicas).flatMap(([id, it]) => (it.service === service && it.origin === origin && !it.retired ? [id] : []))
}
