import { join } from 'node:path'
import type { ExitStatus, ObservedReplica, ReplicaPhase } from '../../../core/model/replica.ts'
import type { ReplicaSpec } from '../../driver.ts'
import { describeExit } from './causes.ts'
import { runCheck } from './command-check.ts'
import { crashPoint } from './crash-point.ts'
import { removeRecord, writeRecord } from './durable.ts'
import { HealthWatch } from './health-watch.ts'
import type { ProcessIdentity } from './proc.ts'
import { type Running, Sandbox, type SandboxTools } from './sandbox.ts'
import { endGently } from './stop.ts'

/** Restarts wait 0.2 s, 0.4 s, … 30 s; a minute of health and it begins anew. */
const BACKOFF = { firstMs: 200, mostMs: 30_000, forgottenAfterMs: 60_000 }

export interface ReplicaRecord {
  readonly spec: ReplicaSpec
  readonly token: string
  readonly ports: Readonly<Record<string, number>>
  readonly phase: ReplicaPhase
  readonly everReady: boolean
  readonly restarts: number
  readonly cause: string | null
  readonly exit: ExitStatus | null
  /** The main process; null when none runs or it was not yet written down. */
  readonly process: ProcessIdentity | null
}

export interface ReplicaEvents {
  changed(): void
  /** Nothing of it is left but its log. */
  gone(): void
}

/** One replica from its record to its end; the phases are in the table of core/model/replica.ts. */
export class Replica {
  #record: ReplicaRecord
  readonly #file: string
  readonly #sandbox: Sandbox
  readonly #events: ReplicaEvents
  #running: Running | null = null
  #health: HealthWatch | null = null
  #starting: Promise<void> = Promise.resolve()
  readonly #unwanted = new AbortController()
  #restart: NodeJS.Timeout | null = null
  /** Ends in a row, for the back-off. */
  #ends = 0
  #readySince: number | null = null
  /** Why we end the process ourselves: says more than how it then ended. */
  #verdict: string | null = null
  #ended: Promise<void> | null = null

  private constructor(tools: SandboxTools, record: ReplicaRecord, events: ReplicaEvents) {
    this.#record = record
    this.#file = join(tools.machine.paths.runner, 'replicas', `${record.spec.id}.json`)
    this.#events = events
    this.#sandbox = new Sandbox(tools, record.spec, record.token)
  }

  /** Accepts it durably, and starts it in the background. */
  static create(
    tools: SandboxTools,
    { secrets, ...what }: Pick<ReplicaRecord, 'spec' | 'token' | 'ports'> & { secrets: Readonly<Record<string, string>> },
    events: ReplicaEvents,
  ): Replica {
    const record: ReplicaRecord = { ...what, phase: 'starting', everReady: false, restarts: 0, cause: null, exit: null, process: null }
    const replica = new Replica(tools, record, events)
    replica.#sandbox.keepSecrets(secrets)
    writeRecord(replica.#file, record, { durable: true })
    crashPoint('replica-recorded')
    replica.#start()
    return replica
  }

  /** Takes over from a runner that is no more. */
  static resume(tools: SandboxTools, record: ReplicaRecord, events: ReplicaEvents): Replica {
    const replica = new Replica(tools, record, events)
    const found = replica.#sandbox.adopt(record.process)
    if (found) replica.#watch(found)
    if (record.phase === 'stopping') void replica.#end()
    else if (record.phase === 'failed') void replica.#sandbox.kill()
    else if (!found && record.process) void replica.#afterExit({ kind: 'unknown' }, [])
    else if (!found) replica.#start()
    return replica
  }

  get spec(): ReplicaSpec {
    return this.#record.spec
  }
  get ports(): Readonly<Record<string, number>> {
    return this.#record.ports
  }
  /** Where another command can run beside its process; null when none runs. */
  get sandbox(): Sandbox | null {
    return this.#running ? this.#sandbox : null
  }

  get token(): string {
    return this.#record.token
  }

  observe(): ObservedReplica {
    const { spec, phase, ports, restarts, cause, exit } = this.#record
    return { id: spec.id, phase, address: '127.0.0.1', ports, restarts, cause, lastLines: [...this.#sandbox.log.lastLines()], exit }
  }

  /** Accepted durably when it returns; the promise inside is for the end. */
  stop(): { readonly ended: Promise<void> } {
    if (this.#record.phase !== 'stopping') {
      this.#save({ phase: 'stopping', cause: null }, { durable: true })
      crashPoint('replica-stopping')
    }
    this.#ended ??= this.#end()
    return { ended: this.#ended }
  }

  #start(): void {
    this.#starting = this.#tryStart().catch((error: Error) => {
      if (this.#stopping) return
      this.#save({ cause: `could not be started: ${error.message}`, process: null })
      this.#retryOrFail()
    })
  }

  async #tryStart(): Promise<void> {
    if (this.#record.phase !== 'starting') this.#save({ phase: 'starting' })
    const missing = this.#sandbox.waitsFor()
    if (missing !== null) this.#save({ cause: missing })
    const place = await this.#sandbox.prepare(this.ports, this.#unwanted.signal)
    crashPoint('replica-prepared')
    if (this.#stopping) return
    const running = await this.#sandbox.start(place)
    crashPoint('replica-spawned')
    this.#save({ process: running.tree.main })
    crashPoint('replica-running')
    this.#watch(running)
  }

  #watch(running: Running): void {
    const { phase, ports, spec } = this.#record
    this.#running = running
    this.#readySince = phase === 'ready' ? performance.now() : null
    this.#health = new HealthWatch(
      {
        healthcheck: spec.healthcheck,
        ports,
        ready: phase === 'ready',
        pids: () => running.tree.pids(),
        run: (argv, timeoutMs) => runCheck(this.#sandbox, ports, argv, timeoutMs),
      },
      {
        ready: () => {
          this.#readySince = performance.now()
          this.#save({ phase: 'ready', everReady: true, cause: null })
        },
        unready: (cause) => this.#save({ phase: 'unready', cause }),
        failing: (cause) => this.#save({ cause }),
        hopeless: (cause) => {
          this.#verdict = cause
          void running.tree.kill()
        },
      },
    )
    if (this.#stopping) this.#health.stop()
    void running.tree.exited.then(async (exit) => {
      this.#health?.stop()
      const left = running.tree.pids()
      if (!this.#stopping) await running.tree.kill()
      await running.output.drain()
      this.#running = null
      if (!this.#stopping) this.#afterExit(exit, left)
    })
  }

  #afterExit(exit: ExitStatus, left: readonly number[]): void {
    const { memoryBytes } = this.spec.limits
    const forkedAway = exit.kind === 'code' && exit.code === 0 && left.length > 0
    const cause = forkedAway
      ? `forked away: the process that was started exited with 0 and left ${left.length} in the background; start it in the foreground`
      : describeExit(exit, this.#sandbox.log.lastLines(), memoryBytes)
    this.#save({ exit, cause: this.#verdict ?? cause, process: null })
    this.#retryOrFail()
  }

  /** Never ready and `retries` restarts were of no use, or hopeless by its health check: given up. Once ready, for ever again. */
  #retryOrFail(): void {
    const { everReady, restarts } = this.#record
    const hopeless = this.#verdict !== null
    this.#verdict = null
    if (!everReady && (hopeless || restarts >= this.spec.healthcheck.retries)) {
      this.#save({ phase: 'failed' })
      return
    }
    if (this.#readySince !== null && performance.now() - this.#readySince > BACKOFF.forgottenAfterMs) this.#ends = 0
    this.#readySince = null
    const delayMs = Math.min(BACKOFF.firstMs * 2 ** this.#ends++, BACKOFF.mostMs)
    this.#save({ phase: 'waiting' })
    this.#restart = setTimeout(() => {
      this.#save({ phase: 'starting', restarts: restarts + 1 })
      this.#start()
    }, delayMs)
  }

  async #end(): Promise<void> {
    if (this.#restart) clearTimeout(this.#restart)
    this.#health?.stop()
    this.#unwanted.abort()
    await this.#starting
    const { signal, graceMs } = this.spec.stop
    if (this.#running) {
      const { tree, output } = this.#running
      const gentle = await endGently(tree, signal, graceMs)
      if (!gentle) {
        const cause = `still running after ${signal}, killed after ${graceMs / 1000} s`
        this.#sandbox.log.write('weir', cause)
        this.#save({ cause })
      }
      await tree.kill()
      await output.drain()
    }
    await this.#sandbox.kill()
    crashPoint('replica-killed')
    this.#sandbox.remove()
    removeRecord(this.#file)
    this.#events.gone()
  }

  get #stopping(): boolean {
    return this.#record.phase === 'stopping'
  }

  #save(change: Partial<ReplicaRecord>, { durable } = { durable: false }): void {
    const before = this.#record
    this.#record = { ...before, ...change }
    const told = before.phase !== this.#record.phase || before.cause !== this.#record.cause
    if (!told && before.process === this.#record.process && !durable) return
    writeRecord(this.#file, this.#record, { durable })
    if (told) this.#events.changed()
  }
}
