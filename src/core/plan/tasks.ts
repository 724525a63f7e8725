import type { PreStart } from '../model/app-graph.ts'
import { textDigest } from '../model/digest.ts'
import type { EnvironmentState, TaskRecord } from '../rollout/state.ts'
import { type Releases, servicesOfTarget } from './desired.ts'
import { canonical } from './fingerprint.ts'
import type { Operation } from './operations.ts'
import { missingFor } from './replicas.ts'
import type { Seen } from './seen.ts'

/** Ended jobs and one-offs stay visible for so long. */
const ENDED_TASK_KEPT_MS = 60 * 60 * 1000

export interface TaskDecision {
  readonly tasks: EnvironmentState['tasks']
  readonly operations: readonly Operation[]
  /** Services of the rollout's target whose pre_start commands have not all succeeded. */
  readonly blocked: ReadonlySet<string>
}

/**
 * pre_start commands of the release that is taking over, one after the other per service, each at most once per (release, name, checksum):
 * the id says all three, it is saved before the effect, and neither we nor the driver start an id twice.
 *
 * | record  | observed           | does                                   |
 * |---------|--------------------|----------------------------------------|
 * | –       | –                  | record (pending) when its turn has come |
 * | pending | nothing            | start (adopts by id)                   |
 * | pending | nothing, given up  | drop the record: it never began        |
 * | pending | running            | –                                      |
 * | pending | an outcome         | outcome into the record                |
 * | ended   | anything           | forget, once nobody needs it           |
 */
export function decideTasks(environment: string, state: EnvironmentState, releases: Releases, seen: Seen, now: number): TaskDecision {
  const tasks: Record<string, TaskRecord> = {}
  const operations: Operation[] = []
  for (const [id, record] of Object.entries(state.tasks)) tasks[id] = record.outcome === 'pending' ? withOutcome(record, seen, id) : record

  const blocked = new Set<string>()
  const rollout = state.rollout
  const target = rollout ? releases[rollout.target] : undefined
  if (rollout && target && rollout.kind === 'deploy' && rollout.phase.name !== 'restoring') {
    for (const service of servicesOfTarget(rollout)) {
      if (target.origins[service] !== target.number) continue
      for (const command of target.graph.services[service]?.preStart ?? []) {
        const id = preStartId(environment, service, target.number, command)
        const record = tasks[id]
        if (record?.outcome === 'succeeded') continue
        blocked.add(service)
        const held = rollout.phase.name === 'held'
        if (!record && !held && missingFor(target.number, service, releases, state.replicas, seen) === null) {
          tasks[id] = {
            kind: 'pre_start',
            service,
            release: target.number,
            name: command.name,
            argv: command.command,
            since: now,
            timeoutMs: command.timeoutMs,
            outcome: 'pending',
            exit: null,
            lastLines: [],
          }
        }
        break // the next one waits for this one
      }
    }
  }

  for (const [id, record] of Object.entries(tasks)) {
    if (record.outcome === 'pending') {
      const givenUp = record.kind === 'pre_start' && (rollout?.target !== record.release || rollout.phase.name === 'restoring')
      if (givenUp && !seen.tasks.has(id)) delete tasks[id]
      else if (!seen.tasks.has(id)) operations.push({ kind: 'start-task', id, because: `${record.kind} ${record.name}` })
    } else if (record.kind === 'pre_start' ? rollout?.target !== record.release : now - record.since > record.timeoutMs + ENDED_TASK_KEPT_MS) {
      if (seen.tasks.has(id)) operations.push({ kind: 'forget-task', id })
      else delete tasks[id]
    }
  }
  for (const id of seen.tasks.keys()) if (!tasks[id]) operations.push({ kind: 'forget-task', id })
  return { tasks, operations, blocked }
}

function withOutcome(record: TaskRecord, seen: Seen, id: string): TaskRecord {
  const task = seen.tasks.get(id)
  if (!task || task.phase === 'running') return record
  return { ...record, outcome: task.phase, exit: task.exit, lastLines: task.lastLines }
}

/** Names (release, command, checksum of what it runs): a changed command is another task, the same one never runs twice. */
export function preStartId(environment: string, service: string, release: number, command: PreStart): string {
  return `${environment}-${service}-v${release}-${command.name}-${textDigest(canonical(command.command)).slice(0, 8)}`
}
