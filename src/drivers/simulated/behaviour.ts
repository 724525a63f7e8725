import type { ExitStatus, ObservedTask } from '../../core/model/replica.ts'
import type { ReplicaSpec, ResourceSpec, TaskSpec } from '../driver.ts'

/** What a simulated process does with its life. */
export interface ReplicaBehaviour {
  /** From its start until it is ready; null: never. */
  readonly readyAfterMs: number | null
  /** From its start until it ends by itself; null: never. */
  readonly exitAfterMs: number | null
  readonly exit: ExitStatus
  readonly lastLines: readonly string[]
  /** From being asked to stop until it has; longer than its grace and it is killed then. */
  readonly stopsAfterMs: number
}
export const SERVES: ReplicaBehaviour = { readyAfterMs: 300, exitAfterMs: null, exit: { kind: 'code', code: 0 }, lastLines: [], stopsAfterMs: 20 }
export const NEVER_READY: ReplicaBehaviour = { ...SERVES, readyAfterMs: null }
export const EXITS: ReplicaBehaviour = { ...SERVES, readyAfterMs: null, exitAfterMs: 50, exit: { kind: 'code', code: 7 }, lastLines: ['Error: no luck'] }

export interface TaskBehaviour {
  /** null: until it is forgotten or times out. */
  readonly runsForMs: number | null
  readonly phase: Exclude<ObservedTask['phase'], 'running'>
}
export const SUCCEEDS: TaskBehaviour = { runsForMs: 200, phase: 'succeeded' }

export interface ResourceBehaviour {
  /** null: it cannot be made. */
  readonly readyAfterMs: number | null
}

export interface Behaviours {
  replica(spec: ReplicaSpec, incarnation: number): ReplicaBehaviour
  task(spec: TaskSpec): TaskBehaviour
  resource(spec: ResourceSpec): ResourceBehaviour
}
export const ALL_WELL: Behaviours = { replica: () => SERVES, task: () => SUCCEEDS, resource: () => ({ readyAfterMs: 100 }) }

/** How the way to the driver, or the driver, fails: each a chance 0…1, drawn anew for each call. */
export interface DriverFaults {
  /** The call fails and nothing has happened. */
  readonly unreachable: number
  /** The call fails although it has happened. */
  readonly lostAnswer: number
  /** `observe` answers what it answered before. */
  readonly stale: number
  /** A hint is not given. */
  readonly lostHint: number
  /** A call takes up to so long. */
  readonly slowMs: number
}
export const NO_FAULTS: DriverFaults = { unreachable: 0, lostAnswer: 0, stale: 0, lostHint: 0, slowMs: 0 }
