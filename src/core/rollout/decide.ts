import type { Epoch } from '../model/epoch.ts'
import type { EntryAnswers } from '../model/routing.ts'
import { desiredGroups, groupKey, type RunningRelease } from '../plan/desired.ts'
import { decideEdges } from '../plan/edges.ts'
import type { Operation } from '../plan/operations.ts'
import { decideReplicas } from '../plan/replicas.ts'
import type { Seen } from '../plan/seen.ts'
import { decideTable, type Place } from '../plan/table.ts'
import { decideTasks } from '../plan/tasks.ts'
import { because, begin, type KnownRelease, running } from './begin.ts'
import { take } from './commands.ts'
import type { Findings } from './findings.ts'
import { decideJobs } from './jobs.ts'
import { forgiving, remembering } from './rejected.ts'
import type { Because, Command, EnvironmentState, Rollout, WaitingRollout } from './state.ts'
import { type Stepped, step } from './step.ts'

export interface DecideInput {
  readonly place: Place
  readonly state: EnvironmentState
  readonly commands: readonly { readonly id: number; readonly by: string; readonly command: Command }[]
  readonly known: Readonly<Record<number, KnownRelease>>
  readonly seen: Seen
  /** What the entry answered before; null: not counted, or no rollout can begin in this pass. */
  readonly answers: EntryAnswers | null
  readonly findings: Findings
  readonly epoch: Epoch
  /** Store time. */
  readonly now: number
  /** Wall clock, for cron only. */
  readonly wall: number
}

export interface Refusal extends WaitingRollout {
  readonly base: number | null
  readonly because: Because
}

export interface Decision {
  readonly state: EnvironmentState
  readonly operations: readonly Operation[]
  readonly consumed: readonly { readonly id: number; readonly refused: Because | null; readonly rollout: string | null }[]
  readonly origins: Readonly<Record<number, Readonly<Record<string, number>>>>
  readonly began: readonly Rollout[]
  readonly ended: readonly NonNullable<Stepped['ended']>[]
  /** Rollouts whose turn came and which cannot be done as they are: they end before they begin. */
  readonly refused: readonly Refusal[]
  /** Rollouts that waited and whose turn will not come: a later one took their place. */
  readonly dropped: readonly WaitingRollout[]
  /** Milliseconds until it must be looked at again though nothing changes; null: never. */
  readonly wakeInMs: number | null
  /** Nothing is left of a removed environment. */
  readonly gone: boolean
}

/**
 * One pass over an environment, decided: commands → rollout → replicas wanted → tasks, edges, replicas, table, resources. Pure: what it
 * returns is saved first and done afterwards, so a crash anywhere is repaired by deciding again.
 */
export function decide(input: DecideInput): Decision {
  const { place, known, seen, answers, findings, epoch, now, wall } = input
  const environment = place.environment
  const consumed: { id: number; refused: Because | null; rollout: string | null }[] = []
  const began: Rollout[] = []
  const ended: NonNullable<Stepped['ended']>[] = []
  const refused: Refusal[] = []
  const dropped: WaitingRollout[] = []
  const origins: Record<number, Readonly<Record<string, number>>> = {}
  let state = input.state

  for (const { id, by, command } of input.commands) {
    const taken = take({ state, command, by, known, releases: running(known, origins), now })
    if ('refused' in taken) {
      consumed.push({ id, refused: taken.refused, rollout: taken.turnedAway?.id ?? null })
      if (taken.turnedAway) {
        refused.push({ ...taken.turnedAway, base: state.current, because: taken.refused })
        state = { ...state, nextRollout: state.nextRollout + 1 }
      }
    } else {
      const asked = taken.state.nextRollout > state.nextRollout ? `r${state.nextRollout}` : null
      for (const it of state.waiting) if (!taken.state.waiting.some(({ id: kept }) => kept === it.id)) dropped.push(it)
      if (state.rollout && !taken.state.rollout)
        ended.push({ rollout: state.rollout, outcome: 'aborted', because: because('E_CONFLICT', 'the environment is being removed') })
      state = taken.state
      consumed.push({ id, refused: null, rollout: asked ?? state.rollout?.id ?? null })
    }
  }

  if (state.removing) state = { ...state, tasks: {} }

  // A rollout that ends makes room for the next one in the same pass.
  let wakeAt: number | null = null
  for (;;) {
    const stepped = step({ state, releases: running(known, origins), seen, findings, now })
    state = stepped.state
    wakeAt = stepped.wakeAt
    if (stepped.ended) {
      const { rollout, outcome } = stepped.ended
      ended.push(stepped.ended)
      state = outcome === 'promoted' ? forgiving(state, known[rollout.target]) : remembering(state, rollout, known[rollout.target])
    }
    const [next, ...rest] = state.waiting
    if (state.rollout || !next || state.removing) break
    const begun = begin({ state, next, releases: known, answers, designEffect: findings.designEffect, now })
    state = { ...state, waiting: rest }
    if ('refused' in begun) refused.push({ ...next, base: state.current, because: begun.refused })
    else {
      origins[next.target] = begun.origins
      state = { ...state, rollout: begun.rollout, trial: null }
      began.push(begun.rollout)
    }
  }

  const releases = running(known, origins)
  const current: RunningRelease | null = state.current === null ? null : (releases[state.current] ?? null)
  const jobs = decideJobs(environment, state, current, now, wall)
  state = { ...state, jobs: jobs.jobs, tasks: jobs.tasks }

  const groups = desiredGroups(state, releases)
  const tasks = decideTasks(environment, state, releases, seen, now)
  const edges = decideEdges(environment, state, groups, releases)
  const closed = new Set(seen.traffic.refused.map((it) => it.listener))
  const openEdges = new Set(isTableKnown(state, seen) ? state.edges.map((it) => it.id).filter((it) => !closed.has(it)) : [])
  const blocked = new Set<string>()
  for (const service of tasks.blocked) blocked.add(groupKey(service, state.rollout?.target ?? 0))
  // A caller starts once every worker listens on the addresses that it will be given.
  for (const edge of edges.edges) if (!openEdges.has(edge.id)) blocked.add(groupKey(edge.caller, edge.origin))
  state = { ...state, tasks: tasks.tasks, ...edges }

  const replicas = decideReplicas({ environment, state, groups, releases, seen, blocked, now })
  state = { ...state, replicas: replicas.replicas, setbacks: replicas.setbacks, nextSerial: replicas.nextSerial }

  const gone = state.removing !== null && Object.keys(state.replicas).length === 0 && seen.replicas.size === 0 && seen.tasks.size === 0
  const table = state.removing ? removal(state, seen, epoch) : decideTable(place, state, releases, seen, epoch)
  state = { ...state, table: table.table, replicas: table.replicas }

  const operations = [...resources(state, releases, seen), ...tasks.operations, ...table.operations, ...replicas.operations]
  // What was due has been decided just now; a moment that has passed is none to wait for (a rollout paused beyond its deadline).
  const wakes = [wakeAt, replicas.wakeAt].flatMap((it) => (it === null || it <= now ? [] : [it - now])).concat(jobs.inMs === null ? [] : [jobs.inMs])
  const again = began.length > 0 || isOvertaken(input.state, state, table.operations.length === 0)
  return {
    state,
    operations,
    consumed,
    origins,
    began,
    ended,
    refused,
    dropped,
    wakeInMs: again ? 0 : wakes.length > 0 ? Math.min(...wakes) : null,
    gone: gone && !seen.traffic.hasTable && seen.resources.size === 0,
  }
}

/**
 * Something that was read in this pass has changed later in it, and nothing outside changes any more that would wake the next one:
 *
 * | changed                                              | had been read by          |
 * |------------------------------------------------------|---------------------------|
 * | a replica's record is gone                           | the rollout, going back   |
 * | a task has ended, or its record is gone              | the rollout               |
 * | a replica retired, or a rollout switches, and every  | the replicas; the rollout |
 * | worker has the table that says so already            |                           |
 */
function isOvertaken(before: EnvironmentState, after: EnvironmentState, isTableOut: boolean): boolean {
  if (isTableOut && after.rollout?.phase.name === 'switching') return true
  for (const [id, { retired }] of Object.entries(before.replicas)) {
    const record = after.replicas[id]
    if (!record || (isTableOut && record.retired && !retired)) return true
  }
  return Object.entries(before.tasks).some(([id, { outcome }]) => outcome !== after.tasks[id]?.outcome)
}

function isTableKnown(state: EnvironmentState, seen: Seen): boolean {
  return state.table !== null && seen.traffic.acknowledged !== null && seen.traffic.acknowledged.n >= state.table.version.n
}

/** Removing: the table goes first, under a version of its own, so that an environment that comes back goes on counting from there. */
function removal(state: EnvironmentState, seen: Seen, epoch: Epoch): Pick<ReturnType<typeof decideTable>, 'table' | 'replicas' | 'operations'> {
  if (!seen.traffic.hasTable) return { table: state.table, replicas: state.replicas, operations: [] }
  const version = { epoch, n: (state.table?.version.n ?? 0) + 1 }
  return { table: { version, digest: '' }, replicas: state.replicas, operations: [{ kind: 'withdraw-table', version }] }
}

/** Resources of everything that runs or is about to; what a removed environment leaves is detached, with its data only on demand. */
function resources(state: EnvironmentState, releases: Readonly<Record<number, RunningRelease>>, seen: Seen): readonly Operation[] {
  if (state.removing) {
    const { withData } = state.removing
    return Object.keys(state.replicas).length > 0 ? [] : [...seen.resources.keys()].map((name) => ({ kind: 'remove-resource', name, withData }))
  }
  const operations: Operation[] = []
  const wanted = new Set<string>()
  for (const number of [state.rollout?.phase.name === 'restoring' ? null : state.rollout?.target, state.current]) {
    const release = number == null ? undefined : releases[number]
    for (const name of Object.keys(release?.graph.resources ?? {})) {
      if (wanted.has(name)) continue
      wanted.add(name)
      if (seen.resources.get(name)?.phase !== 'ready') operations.push({ kind: 'ensure-resource', name, release: number as number })
    }
  }
  return operations
}
