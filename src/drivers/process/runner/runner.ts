import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { telemetryConfig } from '../../../config.ts'
import { nameProblem } from '../../../core/model/names.ts'
import type { ReplicaUsage } from '../../../core/model/replica.ts'
import { WeirError } from '../../../errors.ts'
import type { BuildPlace, ConfinedJob, ObservedJob } from '../../confined.ts'
import type { DaemonSpec, IntakeAddress, StoreConnection } from '../../daemons.ts'
import type { ObservedEnvironment, ReplicaRequest, ReplicaSpec, ResourceSpec, TaskSpec } from '../../driver.ts'
import { clearBuild, closeCaches, placeBuild } from './build-place.ts'
import { DaemonSet } from './daemon-set.ts'
import { readRecord, readRecords, writeRecord } from './durable.ts'
import { EpochGuard } from './epoch.ts'
import { offerExec } from './exec-session.ts'
import { FifoPool } from './fifos.ts'
import { Firewall } from './firewall.ts'
import type { FirewallState } from './firewall-rules.ts'
import { placeInstrumentation } from './instrumentation.ts'
import { Intake } from './intake.ts'
import { Job, type JobRecord } from './job.ts'
import type { Machine } from './machine.ts'
import { removeOldLogs } from './old-logs.ts'
import { Ports } from './ports.ts'
import { AppDatabases } from './postgres/app-databases.ts'
import { StoreDatabase } from './postgres/store.ts'
import { probeNetwork } from './probe.ts'
import { bootId } from './proc.ts'
import { keepQueuedConnections, restoreQueuedConnections } from './queued-connections.ts'
import { Replica, type ReplicaRecord } from './replica.ts'
import { Resources } from './resources.ts'
import type { SandboxTools } from './sandbox.ts'
import { forgetUnpacked, Slugs } from './slugs.ts'
import { Task, type TaskRecord } from './task.ts'
import { usageOf } from './usage.ts'

/** Values of a spec's secrets by name; on the wire beside the spec, never in a record or log. */
export type SecretValues = Readonly<Record<string, string>>

export interface RunnerEvents {
  changed(environment: string): void
  jobEnded(id: string): void
}

/** What the runner knows and does; main.ts puts it on the wire. */
export class Runner {
  readonly daemons: DaemonSet
  readonly #machine: Machine
  readonly #tools: SandboxTools
  readonly #epoch: EpochGuard
  readonly #ports: Ports
  readonly #replicas = new Map<string, Replica>()
  readonly #tasks = new Map<string, Task>()
  readonly #jobs = new Map<string, Job>()
  readonly #databases: AppDatabases
  readonly #store: StoreDatabase
  readonly #intake: Intake | null
  readonly #firewall: Firewall | null
  readonly #events: RunnerEvents
  #execs = 0
  /** Everything is being ended: nothing new begins, whatever the server still asks for. */
  #shuttingDown = false

  /** Reads the records and takes over what still runs. */
  static async open(machine: Machine, events: RunnerEvents): Promise<Runner> {
    const { runner: folder } = machine.paths
    forgetOtherBoot(machine)
    const ports = new Ports(folder, machine.name)
    for (const record of readRecords<ReplicaRecord>(join(folder, 'replicas'))) ports.keep(Object.values(record.ports))
    const runner = new Runner(machine, { ports, intake: await Intake.open(machine, ports, telemetryConfig()) }, events)
    await runner.#firewall?.open()
    keepQueuedConnections(machine.paths.runner)
    runner.#resume()
    await runner.#tools.guard()
    return runner
  }

  private constructor(machine: Machine, { ports, intake }: { readonly ports: Ports; readonly intake: Intake | null }, events: RunnerEvents) {
    const folder = machine.paths.runner
    this.#machine = machine
    this.#events = events
    this.#epoch = new EpochGuard(folder)
    this.#ports = ports
    this.#intake = intake
    this.#firewall = machine.accounts && new Firewall(machine.name, machine.path)
    const fifos = new FifoPool(join(folder, 'fifos'), machine.programs.mkfifo)
    this.daemons = new DaemonSet(machine, fifos)
    this.#databases = new AppDatabases(machine, this.daemons, this.#ports)
    this.#store = new StoreDatabase(machine, this.daemons)
    const resources = new Resources(machine, this.#databases, (environment) => events.changed(environment))
    this.#tools = {
      machine,
      fifos,
      slugs: new Slugs(machine),
      resources,
      telemetry: this.#intake && { intake: this.#intake, instrumentation: placeInstrumentation(machine) },
      guard: async () => this.#firewall?.set(this.#firewallState()),
    }
  }

  #resume(): void {
    const folder = this.#machine.paths.runner
    this.daemons.resume()
    this.#tools.resources.resume()
    for (const record of readRecords<ReplicaRecord>(join(folder, 'replicas'))) {
      this.#replicas.set(record.spec.id, Replica.resume(this.#tools, record, this.#eventsOf(record.spec)))
    }
    for (const record of readRecords<TaskRecord>(join(folder, 'tasks'))) {
      this.#tasks.set(
        record.spec.id,
        Task.resume(this.#tools, record, () => this.#events.changed(record.spec.environment)),
      )
    }
    for (const record of readRecords<JobRecord>(join(folder, 'jobs'))) {
      this.#jobs.set(
        record.job.id,
        Job.resume(this.#machine, record, () => this.#events.jobEnded(record.job.id)),
      )
    }
  }

  startReplica({ spec, secrets, epoch }: { spec: ReplicaSpec; secrets: SecretValues; epoch: number }): void {
    this.#epoch.admit(epoch)
    this.#refuseAtTheEnd()
    checkId(spec.id)
    if (this.#replicas.has(spec.id)) return
    const numbers = this.#ports.allocate(spec.ports.length)
    const ports = Object.fromEntries(spec.ports.map((name, index) => [name, numbers[index] ?? 0]))
    const replica = Replica.create(this.#tools, { spec, token: newToken(), ports, secrets }, this.#eventsOf(spec))
    this.#replicas.set(spec.id, replica)
    this.#events.changed(spec.environment)
  }

  stopReplica({ id, epoch }: { id: string; epoch: number }): void {
    this.#epoch.admit(epoch)
    this.#replicas.get(id)?.stop()
  }

  startTask({ spec, secrets, epoch }: { spec: TaskSpec; secrets: SecretValues; epoch: number }): void {
    this.#epoch.admit(epoch)
    this.#refuseAtTheEnd()
    checkId(spec.id)
    if (this.#tasks.has(spec.id)) return
    this.#tasks.set(
      spec.id,
      Task.create(this.#tools, { spec, token: newToken(), secrets }, () => this.#events.changed(spec.environment)),
    )
    this.#events.changed(spec.environment)
  }

  async forgetTask({ id, epoch }: { id: string; epoch: number }): Promise<void> {
    this.#epoch.admit(epoch)
    const task = this.#tasks.get(id)
    if (!task) return
    await task.forget()
    this.#tasks.delete(id)
    this.#events.changed(task.spec.environment)
  }

  ensureResource({ spec, epoch }: { spec: ResourceSpec; epoch: number }): void {
    this.#epoch.admit(epoch)
    this.#refuseAtTheEnd()
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

  async ask({ id, request: { port, path, expect, timeoutMs } }: { id: string; request: ReplicaRequest }): Promise<{ ok: boolean; cause: string | null }> {
    const number = this.#replicas.get(id)?.ports[port]
    if (number === undefined) return { ok: false, cause: `${id} has no port ${port}` }
    const result = await probeNetwork({ kind: 'http', path, port, expect }, number, timeoutMs)
    return result.ok ? { ok: true, cause: null } : { ok: false, cause: result.cause }
  }

  /** Of a database of an app, by a query of the app's own. */
  figure(request: { environment: string; resource: string; query: string }): Promise<number> {
    return this.#tools.resources.figure(request)
  }

  /** Asked for now and then by those who show it; nothing is measured otherwise. */
  usage({ environment }: { environment: string }): ReplicaUsage[] {
    return [...this.#replicas.values()]
      .filter((it) => it.spec.environment === environment)
      .flatMap((it) => {
        const usage = usageOf(this.#machine, it.spec.id, it.token)
        return usage ? [{ id: it.spec.id, ...usage, limits: it.spec.limits }] : []
      })
  }

  environments(): string[] {
    const owners = [...this.#replicas.values(), ...this.#tasks.values()].map((it) => it.spec.environment)
    return [...new Set([...owners, ...this.#tools.resources.environments()])]
  }

  fence({ epoch }: { epoch: number }): void {
    this.#epoch.admit(epoch)
  }

  async takeOverJobs({ epoch }: { epoch: number }): Promise<void> {
    this.#epoch.admit(epoch)
    const earlier = [...this.#jobs].filter(([, job]) => job.epoch < epoch)
    await Promise.all(earlier.map(([id, job]) => this.#forgetJob(id, job)))
    this.#epoch.admit(epoch) // that took its time
    closeCaches(this.#machine.paths.builds)
  }

  placeBuild({ stage, tenant, epoch }: BuildPlace & { epoch: number }): void {
    this.#epoch.admit(epoch)
    checkId(stage)
    checkId(tenant)
    placeBuild(this.#machine.paths.builds, { stage, tenant }, newToken())
  }

  clearBuild({ tenant, epoch }: { tenant: string; epoch: number }): void {
    this.#epoch.admit(epoch)
    checkId(tenant)
    clearBuild(this.#machine.paths.builds, tenant, newToken())
  }

  startJob({ job, epoch }: { job: ConfinedJob; epoch: number }): void {
    this.#epoch.admit(epoch)
    this.#refuseAtTheEnd()
    checkId(job.id)
    if (this.#jobs.has(job.id)) return
    this.#jobs.set(
      job.id,
      Job.create(this.#machine, { job, epoch, token: newToken() }, () => this.#events.jobEnded(job.id)),
    )
  }

  observeJob({ id }: { id: string }): ObservedJob | null {
    return this.#jobs.get(id)?.observe() ?? null
  }

  async stopJob({ id, epoch }: { id: string; epoch: number }): Promise<void> {
    this.#epoch.admit(epoch)
    const job = this.#jobs.get(id)
    if (job) await this.#forgetJob(id, job)
  }

  async #forgetJob(id: string, job: Job): Promise<void> {
    await job.forget()
    this.#jobs.delete(id)
  }

  /** `epoch: null`: a person at this machine wants it, and no server. */
  async ensureDaemon({ spec, epoch }: { spec: DaemonSpec; epoch: number | null }): Promise<void> {
    if (epoch !== null) this.#epoch.admit(epoch)
    await this.daemons.ensure(spec)
  }

  async stopDaemon({ name, epoch }: { name: string; epoch: number | null }): Promise<void> {
    if (epoch !== null) this.#epoch.admit(epoch)
    await this.daemons.stop(name)
  }

  /** Starts the command and says at which socket its input and output are. */
  async exec({ id, argv, epoch }: { id: string; argv: readonly string[]; epoch: number }): Promise<{ socket: string }> {
    this.#epoch.admit(epoch)
    const replica = this.#replicas.get(id)
    if (!replica?.sandbox) throw new WeirError('E_NOT_FOUND', { message: `no process of ${id} runs`, next: 'weir ps' })
    if (argv.length === 0) throw new WeirError('E_USAGE', { message: 'no command was given' })
    const socket = join(this.#machine.paths.run, `x${process.pid}-${this.#execs++}.sock`)
    await offerExec(await replica.sandbox.exec(argv, replica.ports), socket, this.#machine.accounts?.server ?? null)
    return { socket }
  }

  ensureStore(): Promise<StoreConnection> {
    return this.#store.ensure()
  }

  /** null: telemetry is turned off on this machine. Who only asks leaves `databaseUrl` out. */
  intake({ databaseUrl }: { databaseUrl?: string | null }): IntakeAddress | null {
    if (databaseUrl !== undefined) this.#intake?.entrust(databaseUrl)
    return this.#intake?.address ?? null
  }

  /** Slugs that no release needs any more; those that something runs from stay. */
  removeSlugs({ digests, epoch }: { digests: readonly string[]; epoch: number }): void {
    this.#epoch.admit(epoch)
    const used = new Set([...this.#replicas.values(), ...this.#tasks.values()].map((it) => it.spec.slug))
    for (const digest of digests) if (!used.has(digest)) this.#tools.slugs.remove(digest)
  }

  /** Logs of what has ended long ago. */
  async removeLogs({ silentForMs, epoch }: { silentForMs: number; epoch: number }): Promise<void> {
    this.#epoch.admit(epoch)
    await removeOldLogs(this.#machine.paths.logs, { known: new Set([...this.#replicas.keys(), ...this.#tasks.keys()]), silentForMs })
  }

  /** Ends everything and leaves nothing in the kernel; data, logs and the outcome of tasks stay. */
  async shutdown(): Promise<void> {
    this.#shuttingDown = true
    await Promise.all([
      ...[...this.#replicas.values()].map((it) => it.stop().ended),
      ...[...this.#tasks.values()].map((it) => it.halt()),
      ...[...this.#jobs].map(([id, job]) => this.#forgetJob(id, job)),
    ])
    await this.daemons.stopAll()
    await this.#firewall?.remove()
    this.#machine.cgroups?.removeAll()
    restoreQueuedConnections(this.#machine.paths.runner)
  }

  #refuseAtTheEnd(): void {
    if (this.#shuttingDown) throw new WeirError('E_UNAVAILABLE', { message: 'everything on this machine is being stopped', next: 'weir up' })
  }

  #firewallState(): FirewallState {
    const { accounts, name } = this.#machine
    if (!accounts) throw new Error('there is no firewall without accounts')
    const withDatabase = this.#tools.resources.databaseApps()
    const replicas = [...this.#replicas.values()]
    const apps = new Set([...replicas, ...this.#tasks.values()].map((it) => it.spec.account.app))
    const portsOf = (app: number) => replicas.flatMap((it) => (it.spec.account.app === app ? Object.values(it.ports) : [])).sort((a, b) => a - b)
    return {
      chain: name,
      uids: { gateway: accounts.gateway, build: accounts.build, postgres: accounts.postgres, telemetry: accounts.telemetry },
      apps: [...apps].sort((a, b) => a - b).map((app) => ({ app, uid: accounts.app(app), database: withDatabase.has(app), ports: portsOf(app) })),
      databasePort: withDatabase.size > 0 ? this.#databases.port : null,
      telemetry: { intake: Object.values(this.#intake?.address ?? {}), reachable: this.#intake?.reachable() ?? [] },
    }
  }

  #eventsOf(spec: ReplicaSpec) {
    return {
      changed: () => this.#events.changed(spec.environment),
      gone: () => {
        this.#ports.release(Object.values(this.#replicas.get(spec.id)?.ports ?? {}))
        this.#replicas.delete(spec.id)
        this.#tools.guard().catch(() => {}) // a rule too many harms nobody; the next start says what is wrong
        this.#events.changed(spec.environment)
      },
    }
  }
}

/**
 * After a boot nothing runs. Replicas are forgotten, so that the server starts them in their order; tasks stay, and their outcome
 * is unknown.
 */
function forgetOtherBoot({ paths: { runner, slugs } }: Machine): void {
  const file = join(runner, 'boot.json')
  const boot = bootId()
  if (readRecord<{ boot: string }>(file)?.boot === boot) return
  rmSync(join(runner, 'replicas'), { recursive: true, force: true }) // unread: a power cut may have left half of one
  mkdirSync(join(runner, 'replicas'), { mode: 0o700 })
  forgetUnpacked(slugs)
  writeRecord(file, { boot }, { durable: true })
}

/** Ids name files, folders and cgroups. */
function checkId(id: string): void {
  if (!/^[a-zA-Z0-9][-_.a-zA-Z0-9]{0,120}$/.test(id))
    throw new WeirError('E_NAME', { message: 'an id that cannot name a file', cause: String(id).slice(0, 80) })
}

function newToken(): string {
  return randomBytes(16).toString('hex')
}
