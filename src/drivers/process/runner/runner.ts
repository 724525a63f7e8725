import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { nameProblem } from '../../../core/model/names.ts'
import { WeirError } from '../../../errors.ts'
import type { ObservedEnvironment, ReplicaSpec, ResourceSpec, TaskSpec } from '../../driver.ts'
import { DaemonSet } from './daemon-set.ts'
import { bootId } from './proc.ts'
import { readRecord, readRecords, removeRecord, writeRecord } from './durable.ts'
import { EpochGuard } from './epoch.ts'
import { FifoPool } from './fifos.ts'
import type { Machine } from './machine.ts'
import { Ports } from './ports.ts'
import { AppDatabases } from './postgres/app-databases.ts'
import { Replica, type ReplicaRecord } from './replica.ts'
import { Resources } from './resources.ts'
import type { SandboxTools } from './sandbox.ts'
import { Slugs } from './slugs.ts'
import { Task, type TaskRecord } from './task.ts'

/** Values of a spec's secrets by name; on the wire beside the spec, never in a record or log. */
export type SecretValues = Readonly<Record<string, string>>

/** What the runner knows and does; main.ts puts it on the wire. */
export class Runner {
  readonly daemons: DaemonSet
  readonly #machine: Machine
  readonly #tools: SandboxTools
  readonly #epoch: EpochGuard
  readonly #ports: Ports
  readonly #replicas = new Map<string, Replica>()
  readonly #tasks = new Map<string, Task>()
  readonly #changed: (environment: string) => void

  /** Reads the records and takes over what still runs. */
  constructor(machine: Machine, changed: (environment: string) => void) {
    this.#machine = machine
    this.#changed = changed
    const { runner } = machine.paths
    this.#epoch = new EpochGuard(runner)
    this.#ports = new Ports(runner, machine.name)
    this.#forgetOtherBoot()
    const records = readRecords<ReplicaRecord>(join(runner, 'replicas'))
    for (const { ports } of records) this.#ports.keep(Object.values(ports))
    const fifos = new FifoPool(join(runner, 'fifos'), machine.programs.mkfifo)
    this.daemons = new DaemonSet(machine, fifos)
    const databases = new AppDatabases(machine, this.daemons, this.#ports)
    this.#tools = { machine, fifos, slugs: new Slugs(machine), resources: new Resources(machine, databases, changed) }
    for (const record of records) this.#replicas.set(record.spec.id, Replica.resume(this.#tools, record, this.#eventsOf(record.spec)))
    for (const record of readRecords<TaskRecord>(join(runner, 'tasks'))) {
      this.#tasks.set(record.spec.id, Task.resume(this.#tools, record, () => changed(record.spec.environment)))
    }
  }

  startReplica({ spec, secrets, epoch }: { spec: ReplicaSpec; secrets: SecretValues; epoch: number }): void {
    this.#epoch.admit(epoch)
    checkId(spec.id)
    if (this.#replicas.has(spec.id)) return
    const numbers = this.#ports.allocate(spec.ports.length)
    const ports = Object.fromEntries(spec.ports.map((name, index) => [name, numbers[index] ?? 0]))
    const replica = Replica.create(this.#tools, { spec, token: newToken(), ports, secrets }, this.#eventsOf(spec))
    this.#replicas.set(spec.id, replica)
    this.#changed(spec.environment)
  }

  stopReplica({ id, epoch }: { id: string; epoch: number }): void {
    this.#epoch.admit(epoch)
    this.#replicas.get(id)?.stop()
  }

  startTask({ spec, secrets, epoch }: { spec: TaskSpec; secrets: SecretValues; epoch: number }): void {
    this.#epoch.admit(epoch)
    checkId(spec.id)
    if (this.#tasks.has(spec.id)) return
    this.#tasks.set(spec.id, Task.create(this.#tools, { spec, token: newToken(), secrets }, () => this.#changed(spec.environment)))
    this.#changed(spec.environment)
  }

  async forgetTask({ id, epoch }: { id: string; epoch: number }): Promise<void> {
    this.#epoch.admit(epoch)
    const task = this.#tasks.get(id)
    if (!task) return
    await task.forget()
    this.#tasks.delete(id)
    this.#changed(task.spec.environment)
  }

  ensureResource({ spec, epoch }: { spec: ResourceSpec; epoch: number }): void {
    this.#epoch.admit(epoch)
    const problem = nameProblem(spec.name)
    if (problem) throw new WeirError('E_NAME', { message: `the resource's name ${problem}` })
    checkId(spec.environment)
    this.#tools.resources.ensure(spec)
  }

  async removeResource({ environment, name, withData, epoch }: { environment: string; name: string; withData: boolean; epoch: number }): Promise<void> {
    this.#epoch.admit(epoch)
    checkId(environment)
    checkId(name)
    await this.#tools.resources.remove(environment, name, withData)
  }

  observe({ environment }: { environment: string }): ObservedEnvironment {
    const here = <T extends { spec: { environment: string } }>(all: Map<string, T>) => [...all.values()].filter((it) => it.spec.environment === environment)
    return {
      replicas: here(this.#replicas).map((it) => it.observe()),
      tasks: here(this.#tasks).map((it) => it.observe()),
      resources: this.#tools.resources.observe(environment),
    }
  }

  environments(): string[] {
    const owners = [...this.#replicas.values(), ...this.#tasks.values()].map((it) => it.spec.environment)
    return [...new Set([...owners, ...this.#tools.resources.environments()])]
  }

  fence({ epoch }: { epoch: number }): void {
    this.#epoch.admit(epoch)
  }

  #eventsOf(spec: ReplicaSpec) {
    return {
      changed: () => this.#changed(spec.environment),
      gone: () => {
        this.#ports.release(Object.values(this.#replicas.get(spec.id)?.ports ?? {}))
        this.#replicas.delete(spec.id)
        this.#changed(spec.environment)
      },
    }
  }

  /**
   * After a boot nothing runs. Replicas are forgotten, so that the server starts them in their order; tasks stay, and their outcome
   * is unknown.
   */
  #forgetOtherBoot(): void {
    const { runner } = this.#machine.paths
    const file = join(runner, 'boot.json')
    const boot = bootId()
    if (readRecord<{ boot: string }>(file)?.boot === boot) return
    for (const { spec } of readRecords<ReplicaRecord>(join(runner, 'replicas'))) removeRecord(join(runner, 'replicas', `${spec.id}.json`))
    writeRecord(file, { boot }, { durable: true })
  }
}

/** Ids name files, folders and cgroups. */
function checkId(id: string): void {
  if (!/^[a-zA-Z0-9][-_.a-zA-Z0-9]{0,120}$/.test(id)) throw new WeirError('E_NAME', { message: 'an id that cannot name a file', cause: String(id).slice(0, 80) })
}

function newToken(): string {
  return randomBytes(16).toString('hex')
}
