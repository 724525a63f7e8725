import type { ObservedReplica } from '../model/replica.ts'
import { compareVersions } from '../model/routing.ts'
import { tellingLine } from '../model/telling-line.ts'
import { groupKey, type Releases, type RunningRelease, warmServices } from '../plan/desired.ts'
import type { Seen } from '../plan/seen.ts'
import { because } from './begin.ts'
import { canGoBack, goBack } from './commands.ts'
import type { Because, EnvironmentState, Rollout, RolloutPhase, RolloutService, TaskRecord } from './state.ts'

/** A stage that has not become ready by then is given up, whatever the health checks say. */
const STAGE_DEADLINE_MS = 15 * 60 * 1000
/** Going back ends after this even if the base does not become ready: it is then repaired like any steady environment. */
const RESTORE_DEADLINE_MS = 5 * 60 * 1000
/** A canary replica that has restarted so often is not coming up by itself. */
const RESTARTS_GIVEN_UP = 3

export interface StepInput {
  readonly state: EnvironmentState
  readonly releases: Releases
  readonly seen: Seen
  readonly now: number
}

export interface Stepped {
  readonly state: EnvironmentState
  /** Set when the rollout ended in this step. */
  readonly ended: { readonly rollout: Rollout; readonly outcome: 'promoted' | 'failed' | 'aborted' | 'superseded'; readonly because: Because | null } | null
  readonly wakeAt: number | null
}

/**
 * Moves the rollout as far as what is seen allows; the table above RolloutPhase (state.ts) says where each phase leads.
 * Called every pass: a phase that is satisfied at once (everything warm, nothing to replace) costs no second pass.
 */
export function step({ state: before, releases, seen, now }: StepInput): Stepped {
  const state = expireWarm(before, now)
  let rollout = state.rollout
  if (!rollout) return { state, ended: null, wakeAt: state.warm?.until ?? null }
  const target = releases[rollout.target]
  if (!target) return { state, ended: null, wakeAt: null }

  for (;;) {
    const next: Rollout = advance(rollout, target, { state, releases, seen, now })
    if (next === rollout) break
    rollout = next
    if (rollout.phase.name === 'switching') break // the table that switches is made after this step, and must be acknowledged first
  }

  const { phase } = rollout
  if (phase.name === 'switching') {
    if (state.rollout?.phase.name === 'switching' && isAcknowledged(state, seen)) return promote(state, rollout, target, releases, now)
    return { state: { ...state, current: rollout.target, warm: null, rollout }, ended: null, wakeAt: null }
  }
  if (phase.name === 'restoring' && isRestored(rollout, { state, releases, seen, now })) {
    return { state: { ...state, rollout: null }, ended: { rollout, outcome: phase.outcome, because: phase.because }, wakeAt: null }
  }
  const deadline =
    phase.name === 'restoring'
      ? phase.since + RESTORE_DEADLINE_MS
      : phase.name === 'starting' || phase.name === 'replacing'
        ? phase.since + STAGE_DEADLINE_MS
        : null
  return { state: { ...state, rollout }, ended: null, wakeAt: earliest(deadline, state.warm?.until ?? null) }
}

function advance(rollout: Rollout, target: RunningRelease, input: StepInput): Rollout {
  const { now } = input
  const { phase } = rollout
  const to = (next: RolloutPhase): Rollout => ({ ...rollout, phase: next })
  switch (phase.name) {
    case 'starting':
    case 'replacing': {
      const trouble = troubleIn(rollout, target, input)
      if (trouble?.code === 'E_MIGRATION_UNKNOWN') return to({ name: 'held', because: trouble, since: now, then: phase.name, stage: phase.stage })
      if (trouble) return goBack(rollout, trouble, 'failed', now)
      if (rollout.paused) return rollout
      const manner = phase.name === 'starting' ? 'beside' : 'replace'
      const stage = rollout.stages[phase.stage]
      if (stage)
        return stage.every((it) => it.manner !== manner || isReady(it, target, input)) ? to({ name: phase.name, stage: phase.stage + 1, since: now }) : rollout
      if (phase.name === 'replacing') return to({ name: 'switching', since: now })
      const weight = rollout.steps[0]
      return weight === undefined ? to({ name: 'replacing', stage: 0, since: now }) : to({ name: 'splitting', step: 0, weight, since: now })
    }
    case 'splitting': {
      const trouble = troubleIn(rollout, target, input)
      return trouble && canGoBack(rollout) ? goBack(rollout, trouble, 'failed', now) : rollout
    }
    case 'shadowing':
    case 'checking':
    case 'watching':
    case 'switching':
    case 'held':
    case 'restoring':
      return rollout
  }
}

/** All wanted replicas are there and ready, and the pre_start commands before them have succeeded (else none would have started). */
function isReady({ service }: RolloutService, target: RunningRelease, { state, seen }: StepInput): boolean {
  const origin = target.origins[service]
  const stopped = state.stopped.includes('*') || state.stopped.includes(service)
  const wanted = stopped ? 0 : (state.wishes[service] ?? target.graph.services[service]?.scale.min ?? 1)
  const ready = ours(state, service, origin).filter((id) => seen.replicas.get(id)?.phase === 'ready').length
  return ready >= wanted
}

/**
 * Why the rollout cannot go on, or null. The first cause a person would look for wins: a migration before a replica, a replica before a deadline.
 */
function troubleIn(rollout: Rollout, target: RunningRelease, { state, seen, now }: StepInput): Because | null {
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

function isAcknowledged(state: EnvironmentState, seen: Seen): boolean {
  return state.table !== null && seen.traffic.acknowledged !== null && compareVersions(seen.traffic.acknowledged, state.table.version) >= 0
}

function promote(state: EnvironmentState, rollout: Rollout, target: RunningRelease, releases: Releases, now: number): Stepped {
  const base = rollout.base === null ? undefined : releases[rollout.base]
  const keep = base !== undefined && base.number !== target.number && rollout.keepMs > 0 && warmServices(base, target).length > 0
  const warm = keep ? { release: base.number, until: now + rollout.keepMs } : null
  return {
    state: { ...state, current: rollout.target, warm, rollout: null },
    ended: { rollout, outcome: 'promoted', because: null },
    wakeAt: warm?.until ?? null,
  }
}

/** Base whole (or its time is over), nothing of the target left, and nobody routed to it. */
function isRestored(rollout: Rollout, { state, releases, seen, now }: StepInput): boolean {
  const { phase } = rollout
  if (phase.name !== 'restoring') return false
  const base = rollout.base === null ? undefined : releases[rollout.base]
  const target = releases[rollout.target]
  // A target that was warm before a rollback to it was given up is warm again.
  const staysWarm = state.warm?.release === rollout.target
  const left = !staysWarm && Object.values(state.replicas).some((it) => target?.origins[it.service] === it.origin && base?.origins[it.service] !== it.origin)
  // Two migrations never run at once: the next rollout waits for one that cannot be taken back.
  const migrating = Object.values(state.tasks).some((it) => it.kind === 'pre_start' && it.release === rollout.target && it.outcome === 'pending')
  if (left || migrating || !isAcknowledged(state, seen)) return false
  if (now >= phase.since + RESTORE_DEADLINE_MS || !base) return true
  return Object.keys(base.graph.services).every((service) => isReady({ service, manner: 'beside' }, base, { state, releases, seen, now }))
}

/** Warm replicas leave in time, whatever else is going on; only a rollback to them keeps them. */
function expireWarm(state: EnvironmentState, now: number): EnvironmentState {
  return state.warm && now >= state.warm.until && state.rollout?.target !== state.warm.release ? { ...state, warm: null } : state
}

function earliest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b)
}
