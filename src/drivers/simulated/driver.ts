import type { Epoch } from '../../core/model/epoch.ts'
import type { ExitStatus, ObservedReplica, ObservedResource, ObservedTask } from '../../core/model/replica.ts'
import type { Clock, Random } from '../../core/model/world.ts'
import { WeirError } from '../../errors.ts'
import type { Driver, ObservedEnvironment, ReplicaRequest, ReplicaSpec, ResourceSpec, TaskSpec } from '../driver.ts'
import { ALL_WELL, type Behaviours, type DriverFaults, NO_FAULTS } from './behaviour.ts'
import type { HistoryEntry } from './history.ts'

const BACKOFF = { firstMs: 200, mostMs: 30_000 }
const FIRST_PORT = 20_000

interface Replica {
  readonly spec: ReplicaSpec
  seen: ObservedReplica
  incarnation: number
  everReady: boolean
  cancel: (() => void)[]
}
interface Task {
  readonly spec: TaskSpec
  seen: ObservedTask
  cancel: () => void
}
interface Resource {
  readonly spec: ResourceSpec
  seen: ObservedResource
  cancel: () => void
}

/**
 * A machine in memory: lifecycles and faults are data, time and chance are given, so the same seed gives the same run. Thousands of
 * replicas cost a timer each while they change, and nothing otherwise.
 *
 * @example const driver = new SimulatedDriver({ clock, random, behaviours: { ...ALL_WELL, replica: () => NEVER_READY } })
 */
export class SimulatedDriver implements Driver {
  readonly #clock: Clock
  readonly #random: Random
  readonly #behaviours: Behaviours
  readonly #replicas = new Map<string, Replica>()
  readonly #tasks = new Map<string, Task>()
  readonly #resources = new Map<string, Resource>()
  readonly #watchers = new Set<(environment: string) => void>()
  readonly #lastAnswer = new Map<string, ObservedEnvironment>()
  readonly #history: HistoryEntry[] = []
  #faults: DriverFaults
  #epoch: Epoch = 0
  #nextPort = FIRST_PORT

  constructor({ clock, random, behaviours = ALL_WELL, faults = NO_FAULTS }: { clock: Clock; random: Random; behaviours?: Behaviours; faults?: DriverFaults }) {
    this.#clock = clock
    this.#random = random
    this.#behaviours = behaviours
    this.#faults = faults
  }

  get history(): readonly HistoryEntry[] {
    return this.#history
  }

  set faults(faults: DriverFaults) {
    this.#faults = faults
  }

  /** What is really there, whatever `observe` says. */
  truth(environment: string): ObservedEnvironment {
    const here = <T extends { spec: { environment: string } }>(all: Map<string, T>) => [...all.values()].filter((it) => it.spec.environment === environment)
    return {
      replicas: here(this.#replicas).map((it) => it.seen),
      tasks: here(this.#tasks).map((it) => it.seen),
      resources: here(this.#resources).map((it) => it.seen),
    }
  }

  /** Ends a replica's process from outside; it is restarted as after any exit. */
  crashReplica(id: string, exit: ExitStatus = { kind: 'signal', signal: 'SIGSEGV' }): void {
    const replica = this.#replicas.get(id)
    if (replica && ['starting', 'ready', 'unready'].includes(replica.seen.phase)) this.#exited(replica, exit, [])
  }

  /** As when the runner was away while it ended: nobody knows the outcome. */
  loseTask(id: string): void {
    const task = this.#tasks.get(id)
    if (task?.seen.phase === 'running') this.#taskEnded(task, 'unknown')
  }

  startReplica(spec: ReplicaSpec, epoch: Epoch): Promise<void> {
    return this.#effect(epoch, spec, () => {
      if (this.#replicas.has(spec.id)) return
      const ports = Object.fromEntries(spec.ports.map((name) => [name, this.#nextPort++]))
      const seen: ObservedReplica = { id: spec.id, phase: 'starting', address: '127.0.0.1', ports, restarts: 0, cause: null, lastLines: [], exit: null }
      const replica: Replica = { spec, seen, incarnation: 0, everReady: false, cancel: [] }
      this.#replicas.set(spec.id, replica)
      this.#run(replica, epoch)
    })
  }

  stopReplica(id: string, epoch: Epoch): Promise<void> {
    const known = this.#replicas.get(id)
    return this.#effect(epoch, { id, environment: known?.spec.environment ?? '' }, () => {
      const replica = this.#replicas.get(id)
      if (!replica || replica.seen.phase === 'stopping') return
      const runs = ['starting', 'ready', 'unready'].includes(replica.seen.phase)
      const { stopsAfterMs } = this.#behaviours.replica(replica.spec, replica.incarnation)
      this.#record('replica-stopping', replica.spec, epoch)
      this.#become(replica, { phase: 'stopping', cause: null })
      replica.cancel.push(
        this.#clock.after(runs ? Math.min(stopsAfterMs, replica.spec.stop.graceMs) : 0, () => {
          this.#replicas.delete(id)
          this.#record('replica-gone', replica.spec, epoch)
          this.#tell(replica.spec.environment)
        }),
      )
    })
  }

  startTask(spec: TaskSpec, epoch: Epoch): Promise<void> {
    return this.#effect(epoch, spec, () => {
      if (this.#tasks.has(spec.id)) return
      const { runsForMs, phase } = this.#behaviours.task(spec)
      const task: Task = { spec, seen: { id: spec.id, phase: 'running', exit: null, lastLines: [] }, cancel: () => {} }
      this.#tasks.set(spec.id, task)
      this.#record('task-started', spec, epoch)
      const tooLong = runsForMs === null || runsForMs > spec.timeoutMs
      task.cancel = this.#clock.after(tooLong ? spec.timeoutMs : runsForMs, () => this.#taskEnded(task, tooLong ? 'timeout' : phase))
      this.#tell(spec.environment)
    })
  }

  forgetTask(id: string, epoch: Epoch): Promise<void> {
    const known = this.#tasks.get(id)
    return this.#effect(epoch, { id, environment: known?.spec.environment ?? '' }, () => {
      const task = this.#tasks.get(id)
      if (!task) return
      task.cancel()
      this.#tasks.delete(id)
      this.#record('task-forgotten', task.spec, epoch)
      this.#tell(task.spec.environment)
    })
  }

  ensureResource(spec: ResourceSpec, epoch: Epoch): Promise<void> {
    const key = `${spec.environment}/${spec.name}`
    return this.#effect(epoch, { id: key, environment: spec.environment }, () => {
      if (this.#resources.has(key)) return
      const { readyAfterMs } = this.#behaviours.resource(spec)
      const resource: Resource = { spec, seen: { name: spec.name, phase: 'creating', cause: null }, cancel: () => {} }
      this.#resources.set(key, resource)
      resource.cancel = this.#clock.after(readyAfterMs ?? 0, () => {
        resource.seen = readyAfterMs === null ? { ...resource.seen, phase: 'failed', cause: 'cannot be made' } : { ...resource.seen, phase: 'ready' }
        if (readyAfterMs !== null) this.#record('resource-ready', { id: key, environment: spec.environment }, epoch)
        this.#tell(spec.environment)
      })
      this.#tell(spec.environment)
    })
  }

  removeResource(environment: string, name: string, _withData: boolean, epoch: Epoch): Promise<void> {
    const key = `${environment}/${name}`
    return this.#effect(epoch, { id: key, environment }, () => {
      const resource = this.#resources.get(key)
      if (!resource) return
      resource.cancel()
      this.#resources.delete(key)
      this.#record('resource-removed', { id: key, environment }, epoch)
      this.#tell(environment)
    })
  }

  async observe(environment: string): Promise<ObservedEnvironment> {
    await this.#delay()
    if (this.#chance(this.#faults.unreachable)) throw unreachable()
    const before = this.#lastAnswer.get(environment)
    if (before && this.#chance(this.#faults.stale)) return before
    const answer = this.truth(environment)
    this.#lastAnswer.set(environment, answer)
    return answer
  }

  async ask(id: string, { port }: ReplicaRequest): Promise<{ readonly ok: boolean; readonly cause: string | null }> {
    await this.#delay()
    if (this.#chance(this.#faults.unreachable)) throw unreachable()
    const replica = this.#replicas.get(id)?.seen
    if (replica?.ports[port] === undefined) return { ok: false, cause: `${id} has no port ${port}` }
    return replica.phase === 'ready' ? { ok: true, cause: null } : { ok: false, cause: `${id} does not answer` }
  }

  async environments(): Promise<readonly string[]> {
    await this.#delay()
    if (this.#chance(this.#faults.unreachable)) throw unreachable()
    return [...new Set([...this.#replicas.values(), ...this.#tasks.values(), ...this.#resources.values()].map((it) => it.spec.environment))]
  }

  watch(changed: (environment: string) => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  fence(epoch: Epoch): Promise<void> {
    return this.#effect(epoch, { id: '', environment: '' }, () => {})
  }

  async #effect(epoch: Epoch, what: { id: string; environment: string }, act: () => void): Promise<void> {
    await this.#delay()
    if (this.#chance(this.#faults.unreachable)) throw unreachable()
    if (epoch < this.#epoch) {
      this.#record('refused', what, epoch)
      throw new WeirError('E_STALE_EPOCH', { message: 'a newer server has taken over', cause: `epoch ${epoch} is lower than ${this.#epoch}` })
    }
    this.#epoch = epoch
    act()
    if (this.#chance(this.#faults.lostAnswer)) throw unreachable()
  }

  #run(replica: Replica, epoch: Epoch): void {
    const { readyAfterMs, exitAfterMs, exit, lastLines } = this.#behaviours.replica(replica.spec, replica.incarnation)
    const { startPeriodMs, intervalMs, retries } = replica.spec.healthcheck
    this.#record('replica-started', replica.spec, epoch)
    this.#become(replica, { phase: 'starting' })
    if (readyAfterMs !== null) {
      const ready = () => {
        replica.everReady = true
        this.#record('replica-ready', replica.spec, 0)
        this.#become(replica, { phase: 'ready', cause: null }, { keepTimers: true })
      }
      replica.cancel.push(this.#clock.after(readyAfterMs, ready))
    } else {
      const giveUp = () => {
        if (replica.everReady) this.#exited(replica, { kind: 'signal', signal: 'SIGKILL' }, [])
        else this.#become(replica, { phase: 'failed', cause: 'listens on no port' })
      }
      replica.cancel.push(this.#clock.after(startPeriodMs + retries * intervalMs, giveUp))
    }
    if (exitAfterMs !== null) replica.cancel.push(this.#clock.after(exitAfterMs, () => this.#exited(replica, exit, lastLines)))
  }

  #exited(replica: Replica, exit: ExitStatus, lastLines: readonly string[]): void {
    const how = exit.kind === 'code' ? `exited with ${exit.code}` : exit.kind === 'signal' ? `ended by ${exit.signal}` : exit.kind
    const cause = [how, ...lastLines.slice(-1)].join(': ')
    this.#record('replica-exited', replica.spec, 0)
    if (!replica.everReady && replica.incarnation >= replica.spec.healthcheck.retries) {
      this.#become(replica, { phase: 'failed', cause, exit, lastLines })
      return
    }
    this.#become(replica, { phase: 'waiting', cause, exit, lastLines })
    const delayMs = Math.min(BACKOFF.firstMs * 2 ** replica.incarnation, BACKOFF.mostMs)
    replica.cancel.push(
      this.#clock.after(delayMs, () => {
        replica.incarnation++
        replica.seen = { ...replica.seen, restarts: replica.incarnation }
        this.#run(replica, 0)
      }),
    )
  }

  #become(replica: Replica, change: Partial<ObservedReplica>, { keepTimers } = { keepTimers: false }): void {
    if (!keepTimers) for (const cancel of replica.cancel.splice(0)) cancel()
    replica.seen = { ...replica.seen, ...change }
    this.#tell(replica.spec.environment)
  }

  #taskEnded(task: Task, end: Exclude<ObservedTask['phase'], 'running'> | 'timeout'): void {
    task.cancel()
    const exits: Record<typeof end, ExitStatus> = {
      succeeded: { kind: 'code', code: 0 },
      failed: { kind: 'code', code: 7 },
      unknown: { kind: 'unknown' },
      timeout: { kind: 'timeout' },
    }
    task.seen = { ...task.seen, phase: end === 'timeout' ? 'failed' : end, exit: exits[end] }
    this.#record('task-ended', task.spec, 0)
    this.#tell(task.spec.environment)
  }

  #tell(environment: string): void {
    if (this.#chance(this.#faults.lostHint)) return
    for (const watcher of [...this.#watchers]) watcher(environment)
  }

  #record(event: HistoryEntry['event'], { id, environment }: { id: string; environment: string }, epoch: Epoch): void {
    this.#history.push({ at: this.#clock.monotonic(), event, environment, id, epoch })
  }

  /** Draws only when there is something to decide, so that adding a fault of no chance changes no run. */
  #chance(chance: number): boolean {
    return chance > 0 && this.#random.next() < chance
  }

  #delay(): Promise<void> {
    const { slowMs } = this.#faults
    if (slowMs === 0) return Promise.resolve()
    return new Promise((resolve) => this.#clock.after(this.#random.next() * slowMs, resolve))
  }
}

function unreachable(): WeirError {
  return new WeirError('E_UNAVAILABLE', { message: 'a part of Weir does not answer', cause: 'simulated' })
}
