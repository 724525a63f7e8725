import { join } from 'node:path'
import type { ExitStatus, ObservedTask } from '../../../core/model/replica.ts'
import type { TaskSpec } from '../../driver.ts'
import { crashPoint } from './crash-point.ts'
import { recordOutcome, removeRecord, writeRecord } from './durable.ts'
import { monotonicMs, type ProcessIdentity } from './proc.ts'
import { type Running, Sandbox, type SandboxTools } from './sandbox.ts'

/**
 * | stage    | a new runner finds                                                                       |
 * |----------|------------------------------------------------------------------------------------------|
 * | accepted | nothing has run: it may start                                                            |
 * | starting | it may have run: goes on if its processes do, else the outcome is unknown                |
 * | running  | goes on if its processes do; how it ends is then unknown, as it is when they are gone    |
 * | ended    | the outcome                                                                              |
 */
export interface TaskRecord {
  readonly spec: TaskSpec
  readonly token: string
  readonly stage: 'accepted' | 'starting' | 'running' | 'ended'
  readonly process: ProcessIdentity | null
  /** On the monotonic clock of this boot, for the time limit. */
  readonly startedAt: number
  readonly exit: ExitStatus | null
}

/** Runs once, at most once ever: `starting` is on disk before anything runs, and nothing that was starting is started again. */
export class Task {
  #record: TaskRecord
  readonly #file: string
  readonly #sandbox: Sandbox
  readonly #changed: () => void
  #running: Running | null = null
  #timer: NodeJS.Timeout | null = null
  #timedOut = false
  #starting: Promise<void> = Promise.resolve()
  #ending: Promise<void> = Promise.resolve()
  #forgotten = false
  readonly #unwanted = new AbortController()

  private constructor(tools: SandboxTools, record: TaskRecord, changed: () => void) {
    this.#record = record
    this.#changed = changed
    this.#file = join(tools.machine.paths.runner, 'tasks', `${record.spec.id}.json`)
    this.#sandbox = new Sandbox(tools, record.spec, record.token)
  }

  /** Accepts it durably, and runs it in the background. */
  static create(
    tools: SandboxTools,
    { spec, token, secrets }: { spec: TaskSpec; token: string; secrets: Readonly<Record<string, string>> },
    changed: () => void,
  ): Task {
    const task = new Task(tools, { spec, token, stage: 'accepted', process: null, startedAt: 0, exit: null }, changed)
    task.#sandbox.keepSecrets(secrets)
    writeRecord(task.#file, task.#record, { durable: true })
    crashPoint('task-recorded')
    task.#start()
    return task
  }

  /** Takes over from a runner that is no more. */
  static resume(tools: SandboxTools, record: TaskRecord, changed: () => void): Task {
    const task = new Task(tools, record, changed)
    if (record.stage === 'accepted') task.#start()
    if (record.stage === 'starting' || record.stage === 'running') {
      const found = task.#sandbox.adopt(record.process)
      if (found) task.#watch(found)
      else void task.#end({ kind: 'unknown' })
    }
    return task
  }

  get spec(): TaskSpec {
    return this.#record.spec
  }

  observe(): ObservedTask {
    const { spec, exit } = this.#record
    return { id: spec.id, phase: phaseOf(exit), exit, lastLines: [...this.#sandbox.log.lastLines()] }
  }

  /** Kills it if it runs, and leaves nothing but its log. */
  async forget(): Promise<void> {
    this.#forgotten = true
    this.#unwanted.abort()
    if (this.#timer) clearTimeout(this.#timer)
    await this.#starting
    await this.#sandbox.kill()
    await this.#running?.output.drain()
    this.#sandbox.remove()
    removeRecord(this.#file)
  }

  /** Kills it if it runs, and keeps its outcome; what has not begun begins with the next runner. */
  async halt(): Promise<void> {
    this.#unwanted.abort()
    await this.#starting
    await this.#running?.tree.kill()
    await this.#running?.tree.exited
    await this.#ending
  }

  #start(): void {
    this.#starting = this.#tryStart().catch(async (error: Error) => {
      if (this.#record.stage === 'accepted' && this.#unwanted.signal.aborted) return
      this.#sandbox.log.write('err', `could not be started: ${error.message}`)
      await this.#end({ kind: 'code', code: 127 })
    })
  }

  async #tryStart(): Promise<void> {
    const place = await this.#sandbox.prepare({}, this.#unwanted.signal)
    if (this.#forgotten) return
    this.#save({ stage: 'starting', startedAt: monotonicMs() })
    crashPoint('task-starting')
    const running = await this.#sandbox.start(place)
    crashPoint('task-spawned')
    this.#record = { ...this.#record, stage: 'running', process: running.tree.main }
    recordOutcome(this.#file, this.#record)
    crashPoint('task-running')
    this.#watch(running)
  }

  #watch(running: Running): void {
    this.#running = running
    const leftMs = this.spec.timeoutMs - (monotonicMs() - this.#record.startedAt)
    this.#timer = setTimeout(
      () => {
        this.#timedOut = true
        void running.tree.kill()
      },
      Math.max(0, leftMs),
    )
    this.#ending = running.tree.exited.then(async (exit) => {
      await running.tree.kill() // what it left in the background ends with it
      await running.output.drain()
      this.#running = null
      await this.#end(this.#timedOut ? { kind: 'timeout' } : exit)
    })
  }

  async #end(exit: ExitStatus): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer)
    if (this.#forgotten) return
    this.#sandbox.rest()
    this.#record = { ...this.#record, stage: 'ended', exit, process: null }
    recordOutcome(this.#file, this.#record)
    crashPoint('task-ended')
    this.#changed()
  }

  #save(change: Partial<TaskRecord>): void {
    this.#record = { ...this.#record, ...change }
    writeRecord(this.#file, this.#record, { durable: true })
  }
}

function phaseOf(exit: ExitStatus | null): ObservedTask['phase'] {
  if (exit === null) return 'running'
  if (exit.kind === 'unknown') return 'unknown'
  return exit.kind === 'code' && exit.code === 0 ? 'succeeded' : 'failed'
}
