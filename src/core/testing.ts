import type { AppGraph, Service } from './model/app-graph.ts'
import { textDigest } from './model/digest.ts'
import type { Artifact } from './model/release.ts'
import type { ObservedReplica, ObservedResource, ObservedTask } from './model/replica.ts'
import type { EntryAnswers, ObservedTraffic, RoutingTable } from './model/routing.ts'
import { canonical, replicaInputs } from './plan/fingerprint.ts'
import type { Operation } from './plan/operations.ts'
import type { KnownRelease } from './rollout/begin.ts'
import { type Decision, decide } from './rollout/decide.ts'
import { type Findings, NO_FINDINGS } from './rollout/findings.ts'
import { type Command, type EnvironmentState, INITIAL_STATE } from './rollout/state.ts'

/** Builders for tests of core: the smallest service, graph and release, with what the test is about laid over. */
export function service(name: string, over: Partial<Service> = {}): Service {
  return {
    name,
    artifact: { kind: 'build', context: name, command: null, output: null },
    command: ['node', 'server.js'],
    ports: { http: { number: 8080, protocol: 'http' } },
    routes: [],
    dependsOn: {},
    calls: Object.keys(over.dependsOn ?? {}),
    uses: [],
    healthcheck: { kind: 'http', path: '/', port: 'http', intervalMs: 1000, timeoutMs: 1000, retries: 3, startPeriodMs: 10_000 },
    environment: {},
    secrets: [],
    limits: { cpu: 1, memoryBytes: 256 * 1024 * 1024 },
    stop: { signal: 'SIGTERM', graceMs: 5_000 },
    volumes: [],
    preStart: [],
    scale: { min: 1, max: 10 },
    scaler: 'auto',
    release: { strategy: 'rolling', steps: [], split: null, keepMs: 300_000 },
    objectives: {},
    ...over,
  }
}

export function graph(services: readonly Service[], over: Partial<AppGraph> = {}): AppGraph {
  return { app: 'shop', format: 'weir', services: Object.fromEntries(services.map((it) => [it.name, it])), resources: {}, jobs: {}, entry: null, ...over }
}

/** `code` per service stands for its artifact: another word is another build. */
export function release(number: number, of: AppGraph, code: Readonly<Record<string, string>> = {}): KnownRelease {
  const configuration = { environment: {}, secrets: {} }
  const artifacts: Record<string, Artifact> = {}
  const fingerprints: Record<string, string> = {}
  for (const it of Object.values(of.services)) {
    const artifact: Artifact = {
      kind: 'slug',
      digest: `sha256:${code[it.name] ?? it.name}`,
      key: code[it.name] ?? it.name,
      bytes: 1,
      command: null,
      runtime: null,
    }
    artifacts[it.name] = artifact
    fingerprints[it.name] = textDigest(replicaInputs(of, it, artifact, configuration))
  }
  return { number, graph: of, artifacts, configuration, source: { kind: 'release', number }, fingerprints, origins: null, promoted: false }
}

/**
 * A world without disorder: what is asked for happens by the next pass, unless the test says otherwise. It drives `decide` as the
 * controller does and remembers what was done.
 */
export class TinyWorld {
  state: EnvironmentState = INITIAL_STATE
  known: Record<number, KnownRelease> = {}
  now = 0
  wall = 0
  readonly done: Operation[] = []
  readonly replicas = new Map<string, ObservedReplica>()
  readonly tasks = new Map<string, ObservedTask>()
  readonly resources = new Map<string, ObservedResource>()
  readonly decisions: Decision[] = []
  table: RoutingTable | null = null
  acknowledged: RoutingTable['version'] | null = null
  answers: EntryAnswers | null = null
  findings: Findings = NO_FINDINGS
  /** Phase that a replica of this service and origin shows once started; `ready` when not named. */
  readonly behaviour = new Map<string, ObservedReplica['phase']>()
  readonly taskBehaviour = new Map<string, ObservedTask['phase']>()
  #commands: { id: number; by: string; command: Command }[] = []
  #nextCommand = 1

  ask(command: Command): void {
    this.#commands.push({ id: this.#nextCommand++, by: 'ann', command })
  }

  add(...releases: KnownRelease[]): this {
    for (const it of releases) this.known[it.number] = it
    return this
  }

  pass(): Decision {
    const traffic: ObservedTraffic = { hasTable: this.table !== null, acknowledged: this.acknowledged, inflight: {}, refused: [] }
    const decision = decide({
      place: { environment: 'e1', label: 'shop/production', port: 8100, edgeAddress: '127.64.1.1' },
      state: this.state,
      commands: this.#commands,
      known: this.known,
      seen: { replicas: this.replicas, tasks: this.tasks, resources: this.resources, traffic },
      answers: this.answers,
      findings: this.findings,
      epoch: 1,
      now: this.now,
      wall: this.wall,
    })
    this.#commands = []
    this.state = decision.state
    this.decisions.push(decision)
    for (const [number, origins] of Object.entries(decision.origins)) this.known[Number(number)] = { ...(this.known[Number(number)] as KnownRelease), origins }
    for (const { outcome, rollout } of decision.ended) {
      if (outcome === 'promoted') this.known[rollout.target] = { ...(this.known[rollout.target] as KnownRelease), promoted: true }
    }
    for (const operation of decision.operations) this.#perform(operation)
    return decision
  }

  /** Passes as long as one is called for: by an effect, which is told about, or by the pass before. Waits are not waited for. */
  settle(): this {
    for (let i = 0; i < 60; i++) {
      const { operations, wakeInMs } = this.pass()
      if (operations.length > 0 || wakeInMs === 0) continue
      const before = canonical(this.state)
      if (this.pass().operations.length > 0 || canonical(this.state) !== before) throw new Error('there was something left to do and nobody to wake it')
      return this
    }
    throw new Error(`does not settle: ${JSON.stringify(this.decisions.at(-1)?.operations)}`)
  }

  deploy(number: number): this {
    this.ask({ kind: 'deploy', release: number, whenBusy: 'wait' })
    return this.settle()
  }

  /** `web@1` for every replica that serves, by the table. */
  serving(): string[] {
    return Object.entries(this.table?.services ?? {})
      .flatMap(([name, { stable }]) => stable.targets.map(() => `${name}@${stable.origin}`))
      .sort()
  }

  running(): string[] {
    return [...this.replicas.keys()].map((id) => id.split('-').slice(1, -1).join('@').replace('@v', '@')).sort()
  }

  #perform(operation: Operation): void {
    this.done.push(operation)
    switch (operation.kind) {
      case 'start-replica': {
        const phase = this.behaviour.get(`${operation.service}@${operation.origin}`) ?? 'ready'
        const cause = phase === 'ready' ? null : 'exited with 1: Error: boom'
        this.replicas.set(operation.id, {
          id: operation.id,
          phase,
          address: '127.0.0.1',
          ports: { http: 20_000 },
          restarts: 0,
          cause,
          lastLines: [],
          exit: null,
        })
        return
      }
      case 'stop-replica':
        this.replicas.delete(operation.id)
        return
      case 'start-task':
        this.tasks.set(operation.id, {
          id: operation.id,
          phase: this.taskBehaviour.get(this.state.tasks[operation.id]?.name ?? '') ?? 'succeeded',
          exit: null,
          lastLines: [],
        })
        return
      case 'forget-task':
        this.tasks.delete(operation.id)
        return
      case 'ensure-resource':
        this.resources.set(operation.name, { name: operation.name, phase: 'ready', cause: null })
        return
      case 'remove-resource':
        this.resources.delete(operation.name)
        return
      case 'publish-table':
        this.table = operation.table
        this.acknowledged = operation.table.version
        return
      case 'withdraw-table':
        this.table = null
        this.acknowledged = null
        return
    }
  }
}
