import type { ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expand } from '../../../core/model/expand.ts'
import type { ReplicaSpec, TaskSpec } from '../../driver.ts'
import { replaceFile } from './durable.ts'
import { type EnvironmentInput, processEnvironment } from './environment.ts'
import type { FifoPool } from './fifos.ts'
import type { Intake } from './intake.ts'
import { LogFile } from './log-file.ts'
import type { Machine } from './machine.ts'
import { OutputReader, openForChild } from './output.ts'
import type { ProcessIdentity } from './proc.ts'
import type { Resources } from './resources.ts'
import type { Slugs } from './slugs.ts'
import { telemetryVariables } from './telemetry-variables.ts'
import { killTree, ProcessTree, spawnInside, type TreeAccount, whenSpawned } from './tree.ts'

/** Threads count too; far above what a service needs, far below what stops a machine. */
const MAX_PIDS = 1024

/** Where and as whom its processes start. */
export interface Place {
  readonly cwd: string
  readonly account: TreeAccount | null
  readonly env: Readonly<Record<string, string>>
}
export interface Running {
  readonly tree: ProcessTree
  readonly output: OutputReader
}

export interface SandboxTools {
  readonly machine: Machine
  readonly fifos: FifoPool
  readonly slugs: Slugs
  readonly resources: Resources
  /** null: turned off on this machine. */
  readonly telemetry: { readonly intake: Intake; readonly instrumentation: string | null } | null
  /** Returns when the kernel lets nobody but the gateway reach the replicas' ports, and the app nothing that is not its own. */
  readonly guard: () => Promise<void>
}

/**
 * The place in which one replica's or task's processes run: account, cgroup, private folders, secrets, pipes and log.
 * It stays over restarts of the process and of the runner.
 *
 *   replicas/<id>/            root, entered by all
 *     home/ tmp/              the app's alone
 *     secrets/                root's, read by the app
 *     out err                 pipes
 */
export class Sandbox {
  readonly log: LogFile
  readonly #tools: SandboxTools
  readonly #spec: ReplicaSpec | TaskSpec
  readonly #token: string
  readonly #folder: string
  readonly #uid: number | null

  constructor(tools: SandboxTools, spec: ReplicaSpec | TaskSpec, token: string) {
    const { machine } = tools
    this.#tools = tools
    this.#spec = spec
    this.#token = token
    this.#folder = join(machine.paths.replicas, spec.id)
    this.#uid = machine.accounts?.app(spec.account.app) ?? null
    this.log = new LogFile(join(machine.paths.logs, spec.environment, `${spec.id}.jsonl`), machine.accounts?.readers ?? null)
  }

  /**
   * Keeps the secrets where only the app (and root) can read them; they are nowhere else on this machine in clear. They stay root's: in a
   * folder of its own the app could put a link in a secret's place, and root, who reads it at the next start, would follow.
   */
  keepSecrets(values: Readonly<Record<string, string>>): void {
    const folder = join(this.#folder, 'secrets')
    mkdirSync(this.#folder, { recursive: true, mode: 0o711 })
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const { name } of this.#spec.secrets) {
      const file = join(folder, name)
      replaceFile(file, values[name] ?? '', { durable: true, mode: 0o400 })
      if (this.#uid === null) continue
      chownSync(file, 0, this.#uid)
      chmodSync(file, 0o440)
    }
    if (this.#uid === null) return
    chownSync(folder, 0, this.#uid)
    chmodSync(folder, 0o550)
  }

  /** Why `prepare` would have to wait; null: it would not. */
  waitsFor(): string | null {
    return this.#tools.resources.missing(this.#spec.environment, this.#spec.uses)
  }

  /** Makes what a process needs; can be repeated. Waits for resources that are being made. */
  async prepare(ports: Readonly<Record<string, number>>, signal?: AbortSignal): Promise<Place> {
    const { machine, slugs } = this.#tools
    mkdirSync(this.#folder, { recursive: true, mode: 0o711 })
    const cwd = await slugs.unpacked(this.#spec.slug)
    machine.cgroups?.create(this.#spec.id, { ...this.#spec.limits, pids: MAX_PIDS })
    await this.#tools.guard()
    return { cwd, account: this.#uid === null ? null : { uid: this.#uid, groups: [statSync(cwd).gid] }, env: await this.#environment(ports, signal) }
  }

  async #environment(ports: Readonly<Record<string, number>>, signal?: AbortSignal): Promise<Record<string, string>> {
    const spec = this.#spec
    const secretVariables: Record<string, string> = {}
    for (const { name, environment } of spec.secrets) {
      if (environment !== null) secretVariables[environment] = readFileSync(join(this.#folder, 'secrets', name), 'utf8')
    }
    const resources: Record<string, EnvironmentInput['resources'][string]> = {}
    for (const name of spec.uses) resources[name] = await this.#tools.resources.fields(spec.environment, name, signal)
    return processEnvironment(this.#tools.machine, {
      runtime: spec.runtime,
      telemetry: (own) => this.#telemetry(own),
      environmentVariables: spec.environmentVariables,
      secretVariables,
      resources,
      ports,
      folders: { home: this.#private('home', 0o700), tmp: this.#private('tmp', 0o700), secrets: join(this.#folder, 'secrets') },
    })
  }

  /** Only what was accepted by a runner that knew of telemetry is told of it. */
  #telemetry(own: Readonly<Record<string, string>>): Record<string, string> {
    const { telemetry } = this.#tools
    if (telemetry === null || !this.#spec.telemetry) return {}
    const { intake, instrumentation } = telemetry
    return telemetryVariables(this.#spec, { address: intake.address, key: intake.keyOf(this.#spec.environment), kafka: intake.kafka, instrumentation }, own)
  }

  async start(place: Place): Promise<Running> {
    const pipes = this.#pipes()
    this.#tools.fifos.take(pipes.out)
    this.#tools.fifos.take(pipes.err)
    const output = new OutputReader(pipes, this.log)
    const child = openForChild(pipes, this.#uid)
    try {
      const { id, argv } = this.#spec
      const tree = await ProcessTree.start(this.#tools.machine, {
        id,
        token: this.#token,
        argv: filledIn(argv, place),
        ...place,
        stdio: ['ignore', child.out, child.err],
      })
      return { tree, output }
    } catch (error) {
      output.close()
      throw error
    } finally {
      child.close()
    }
  }

  /** What an earlier runner started, with its pipes opened again; null when nothing of it runs. */
  adopt(main: ProcessIdentity | null): Running | null {
    const tree = ProcessTree.adopt(this.#tools.machine, { id: this.#spec.id, token: this.#token, main })
    return tree && { tree, output: new OutputReader(this.#pipes(), this.log) }
  }

  /** A command of the manifest in the same account, group and environment. */
  async check(argv: readonly string[], ports: Readonly<Record<string, number>>): Promise<ChildProcess> {
    const place = await this.prepare(ports)
    return this.#beside(filledIn(argv, place), place)
  }

  /** What a person typed, which stays as it is. */
  async exec(argv: readonly string[], ports: Readonly<Record<string, number>>): Promise<ChildProcess> {
    return this.#beside(argv, await this.prepare(ports))
  }

  async #beside(argv: readonly string[], place: Place): Promise<ChildProcess> {
    const child = spawnInside(this.#tools.machine, { id: this.#spec.id, token: this.#token, argv, ...place, stdio: ['pipe', 'pipe', 'pipe'] })
    await whenSpawned(child)
    return child
  }

  kill(): Promise<void> {
    return killTree(this.#tools.machine, this.#spec.id, this.#token)
  }

  /** When nothing runs in it for the time being, or any more. */
  rest(): void {
    this.log.close()
    this.#tools.machine.cgroups?.remove(this.#spec.id)
  }

  /** Leaves nothing but the log. */
  remove(): void {
    this.rest()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #pipes() {
    return { out: join(this.#folder, 'out'), err: join(this.#folder, 'err') }
  }

  #private(name: string, mode: number): string {
    const path = join(this.#folder, name)
    mkdirSync(path, { recursive: true, mode })
    if (this.#uid !== null) chownSync(path, this.#uid, this.#uid)
    return path
  }
}

/** `$PORT` and the like, from the environment that the process gets. */
function filledIn(argv: readonly string[], { env }: Place): string[] {
  return argv.map((word) => expand(word, (name) => env[name]))
}
