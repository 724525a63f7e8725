import type { AppGraph } from '../model/app-graph.ts'
import { scaleProblem } from '../model/scale.ts'
import type { Releases } from '../plan/desired.ts'
import { because, type KnownRelease, previousRelease, schemaBreaks } from './begin.ts'
import { atStep, atWeight, canGoBack, everything, goBack } from './moves.ts'
import { rejectedBefore } from './rejected.ts'
import { ruleOf } from './split.ts'
import type { Because, Command, EnvironmentState, ReplicaRecord, Rollout, WaitingRollout } from './state.ts'

export { canGoBack, goBack } from './moves.ts'

export interface TakeInput {
  readonly state: EnvironmentState
  readonly command: Command
  readonly by: string
  readonly known: Readonly<Record<number, KnownRelease>>
  readonly releases: Releases
  readonly now: number
}

/** `turnedAway`: a rollout was asked for that does not begin; history names it all the same. */
export type Taken = { readonly state: EnvironmentState } | { readonly refused: Because; readonly turnedAway?: WaitingRollout }

/** One command of a person (or of the release controller) becomes part of the state, or is refused with the reason. Acts on nothing. */
export function take({ state, command, by, known, releases, now }: TakeInput): Taken {
  if (state.removing && command.kind !== 'remove') return { refused: because('E_CONFLICT', 'the environment is being removed') }
  const { rollout } = state
  switch (command.kind) {
    case 'deploy': {
      const queued = enqueue(state, 'deploy', command.release, by, command.forward)
      const before = command.again ? null : rejectedBefore(state, known[command.release])
      if (before) return { refused: before, ...(queued.waiting[0] ? { turnedAway: queued.waiting[0] } : {}) }
      // What serves is broken: a canary that cannot be proven against it is not waited for.
      if (command.whenBusy === 'wait' && !command.forward) return { state: { ...queued, waiting: [...state.waiting, ...queued.waiting] } }
      if (!rollout || !canGoBack(rollout)) return { state: queued }
      return { state: withRollout(queued, goBack(rollout, because('E_CONFLICT', `superseded by v${command.release}`), 'superseded', now)) }
    }
    case 'rollback':
      return takeRollback(state, command, by, known, releases, now)
    case 'weight': {
      if (rollout?.phase.name !== 'splitting') return { refused: noCanary(rollout) }
      if (command.weight >= 100) return { state: withRollout(state, everything(rollout, byHand(rollout, by), now)) }
      return { state: withRollout(state, atWeight(rollout, rollout.phase.step, command.weight, now)) }
    }
    case 'promote':
      return takePromote(state, by, now)
    case 'abort': {
      if (!rollout) return { refused: because('E_NOT_FOUND', 'no rollout is running') }
      if (!canGoBack(rollout)) return { refused: because('E_CONFLICT', `v${rollout.target} has taken over already; use rollback`) }
      return { state: withRollout(state, goBack(rollout, because('E_REJECTED', `aborted by ${by}`), 'aborted', now)) }
    }
    case 'pause':
      if (!rollout) return { refused: because('E_NOT_FOUND', 'no rollout is running') }
      return { state: withRollout(state, { ...rollout, paused: true }) }
    case 'resume':
      if (!rollout) return { refused: because('E_NOT_FOUND', 'no rollout is running') }
      if (rollout.phase.name === 'held') return { state: releaseHeld(state, rollout, now) }
      if (rollout.paused) return { state: withRollout(state, { ...rollout, paused: false, waits: null }) }
      return takeResume(state, rollout, by, now)
    case 'scale': {
      const unknown = unknownService(state, releases, command.service)
      if (unknown) return { refused: unknown }
      const outside = outsideScale(state, releases, command.service, command.replicas)
      if (outside) return { refused: outside }
      const wishes = { ...state.wishes }
      if (command.replicas === null) delete wishes[command.service]
      else wishes[command.service] = command.replicas
      return { state: { ...state, wishes } }
    }
    case 'stop':
    case 'start':
    case 'restart': {
      const unknown = command.service === null ? null : unknownService(state, releases, command.service)
      if (unknown) return { refused: unknown }
      if (command.kind === 'restart') return { state: { ...state, replicas: stale(state.replicas, command.service) } }
      const name = command.service ?? '*'
      const others = state.stopped.filter((it) => it !== name && name !== '*')
      return { state: { ...state, stopped: command.kind === 'stop' ? [...others, name] : others } }
    }
    case 'run': {
      const release = state.current === null ? undefined : releases[state.current]
      if (!release?.graph.services[command.service])
        return { refused: unknownService(state, releases, command.service) ?? because('E_CONFLICT', 'nothing has been released yet') }
      const record = {
        kind: command.job === undefined ? ('run' as const) : ('job' as const),
        service: command.service,
        release: release.number,
        name: command.job ?? 'run',
        argv: command.argv,
        since: now,
        timeoutMs: command.timeoutMs,
        outcome: 'pending' as const,
        exit: null,
        lastLines: [],
      }
      return { state: { ...state, tasks: { ...state.tasks, [command.task]: record } } }
    }
    case 'remove':
      return {
        state: {
          ...state,
          removing: { withData: command.withData || (state.removing?.withData ?? false) },
          rollout: null,
          waiting: [],
          warm: null,
          trial: null,
        },
      }
  }
}

/**
 * | phase     | promote, a person's word instead of proof         |
 * |-----------|---------------------------------------------------|
 * | splitting | everything goes to it                             |
 * | shadowing | the same                                          |
 * | checking  | the same, unasked                                 |
 * | watching  | the old release is not kept whole any longer      |
 * | others    | refused                                           |
 */
function takePromote(state: EnvironmentState, by: string, now: number): Taken {
  const { rollout } = state
  switch (rollout?.phase.name) {
    case 'splitting':
    case 'shadowing':
    case 'checking':
      return { state: withRollout(state, everything(rollout, byHand(rollout, by), now)) }
    case 'watching':
      return {
        state: withRollout(
          state,
          rollout.checks ? { ...rollout, paused: false, checks: { ...rollout.checks, after: { ...rollout.checks.after, forMs: 0 } } } : rollout,
        ),
      }
    default:
      return { refused: noCanary(rollout) }
  }
}

/**
 * | phase                      | resume of what is not paused                                         |
 * |----------------------------|----------------------------------------------------------------------|
 * | splitting, not judged      | the next step; past the last one everything                          |
 * | splitting, not at the last | the next step, proven or not: a greater share is no promotion        |
 * | splitting, at the last     | agreed, where the step asks for it: with proof, everything           |
 * |                            | else refused: only proof or `promote` leads on                       |
 * | shadowing, no more copies  | proven: everything. Else refused                                     |
 * | any other                  | goes on as it does                                                   |
 */
function takeResume(state: EnvironmentState, rollout: Rollout, by: string, now: number): Taken {
  const { phase, judging } = rollout
  if (phase.name === 'shadowing' && phase.over)
    return judging?.verdict?.kind === 'pass' ? { state: withRollout(state, everything(rollout, byHand(rollout, by), now)) } : { refused: notProven(rollout) }
  if (phase.name !== 'splitting') return { state }
  if (phase.step + 1 < rollout.steps.length) return { state: withRollout(state, atStep(rollout, phase.step + 1, now)) }
  if (!judging) return { state: withRollout(state, everything(rollout, byHand(rollout, by), now)) }
  if (!ruleOf(rollout).approve) return { refused: notProven(rollout) }
  return { state: withRollout(state, { ...rollout, phase: { ...phase, approved: true } }) }
}

function byHand({ judging }: Rollout, by: string): Because {
  const said = judging?.verdict?.text
  return because('approved', `${judging?.verdict?.kind === 'pass' ? 'approved' : 'promoted'} by ${by}${said ? `: ${said}` : ''}`)
}

function notProven({ judging }: Rollout): Because {
  return because(
    'E_CONFLICT',
    `it is not proven yet, and there is no further step: ${judging?.verdict?.text ?? 'nothing was counted yet'}; weir canary promote takes it without proof`,
  )
}

function takeRollback(
  state: EnvironmentState,
  command: Extract<Command, { kind: 'rollback' }>,
  by: string,
  known: TakeInput['known'],
  releases: Releases,
  now: number,
): Taken {
  const { rollout } = state
  if (rollout && canGoBack(rollout) && (command.to === null || command.to === rollout.base)) {
    return { state: withRollout(state, goBack(rollout, because('E_REJECTED', `rolled back by ${by}`), 'aborted', now)) }
  }
  const to = command.to ?? previousRelease(state, known)
  const current = state.current === null ? undefined : releases[state.current]
  if (to === null || !current) return { refused: because('E_NOT_FOUND', 'there is no earlier release to go back to') }
  const target = known[to]
  if (!target?.promoted) return { refused: because('E_NOT_FOUND', `release v${to} never served here, or is no longer kept`) }
  if (to === state.current && !rollout) return { refused: because('E_CONFLICT', `v${to} serves already`) }
  const breaks = schemaBreaks(current, target)
  if (breaks.length > 0 && !command.acceptSchema) {
    return {
      refused: because('E_SCHEMA_BREAK', `${breaks.join(', ')} is not declared \`compatible: true\`: v${to} may not fit the schema, which is not rolled back`),
    }
  }
  const queued = enqueue(state, 'rollback', to, by)
  return { state: rollout && canGoBack(rollout) ? withRollout(queued, goBack(rollout, because('E_REJECTED', `rolled back by ${by}`), 'aborted', now)) : queued }
}

/** The next rollout, in the place of all that waited. */
function enqueue(state: EnvironmentState, kind: 'deploy' | 'rollback', target: number, by: string, forward = false): EnvironmentState {
  const next = { id: `r${state.nextRollout}`, kind, target, by, ...(forward ? { forward } : {}) }
  return { ...state, waiting: [next], nextRollout: state.nextRollout + 1 }
}

/** A person has looked at the interrupted command and says that it is done. */
function releaseHeld(state: EnvironmentState, rollout: Rollout, now: number): EnvironmentState {
  if (rollout.phase.name !== 'held') return state
  const tasks = Object.fromEntries(
    Object.entries(state.tasks).map(([id, it]) => [id, it.kind === 'pre_start' && it.outcome === 'unknown' ? { ...it, outcome: 'succeeded' as const } : it]),
  )
  return { ...state, tasks, rollout: { ...rollout, paused: false, phase: { name: rollout.phase.then, stage: rollout.phase.stage, since: now } } }
}

function stale(replicas: EnvironmentState['replicas'], service: string | null): EnvironmentState['replicas'] {
  const result: Record<string, ReplicaRecord> = {}
  for (const [id, record] of Object.entries(replicas)) result[id] = service === null || record.service === service ? { ...record, stale: true } : record
  return result
}

function unknownService(state: EnvironmentState, releases: Releases, service: string): Because | null {
  const graphs = [state.current, state.rollout?.target].flatMap((it): AppGraph[] => (it != null && releases[it] ? [releases[it].graph] : []))
  return graphs.some((graph) => graph.services[service]) ? null : because('E_NOT_FOUND', `there is no service ${service}`)
}

/** The bounds of the release that is to serve: a person and an outside scaler keep to them alike. */
function outsideScale(state: EnvironmentState, releases: Releases, service: string, replicas: number | null): Because | null {
  const next = [state.rollout?.target, state.current]
    .map((it) => (it == null ? undefined : releases[it]?.graph.services[service]))
    .find((it) => it !== undefined)
  const problem = next && scaleProblem(next, replicas)
  return problem ? because('E_CONFLICT', problem) : null
}

function withRollout(state: EnvironmentState, rollout: Rollout): EnvironmentState {
  return { ...state, rollout }
}

function noCanary(rollout: Rollout | null): Because {
  return rollout
    ? because('E_CONFLICT', `the rollout of v${rollout.target} is not splitting traffic (${rollout.phase.name})`)
    : because('E_NOT_FOUND', 'no rollout is running')
}
