import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { ONE_HEAP } from '../../../config.ts'
import type { ExitStatus } from '../../../core/model/replica.ts'
import type { DaemonSpec, ObservedDaemon } from '../../daemons.ts'
import { describeExit } from './causes.ts'
import { crashPoint } from './crash-point.ts'
import { removeRecord, writeRecord } from './durable.ts'
import type { FifoPool } from './fifos.ts'
import { LogFile } from './log-file.ts'
import type { Machine } from './machine.ts'
import { OutputReader, openForChild } from './output.ts'
import type { ProcessIdentity } from './proc.ts'
import { endGently } from './stop.ts'
import { killTree, ProcessTree } from './tree.ts'

/** These must be back soon, so the wait stays short. One that lived for twice the longest is in no loop that costs: its next wait is the first again. */
const BACKOFF = { firstMs: 50, mostMs: 1_000, forgottenAfterMs: 2_000 }

export interface DaemonRecord {
  readonly spec: DaemonSpec
  readonly token: string
  readonly process: ProcessIdentity | null
}

/** Keeps one of Weir's own processes alive, over restarts of the runner too. */
export class Daemon {
  #record: DaemonRecord
  readonly #machine: Machine
  readonly #fifos: FifoPool
  readonly #file: string
  readonly #id: string
  readonly #log: LogFile
  #running: { tree: ProcessTree; output: OutputReader; since: number } | null = null
  #restart: NodeJS.Timeout | null = null
  #restarts = 0
  #ends = 0
  #cause: string | null = null
  #wanted = true
  #starting: Promise<void> = Promise.resolve()

  constructor(machine: Machine, fifos: FifoPool, record: DaemonRecord) {
    this.#machine = machine
    this.#fifos = fifos
    this.#record = record
    const { name } = record.spec
    this.#id = `daemon.${name}`
    this.#file = join(machine.paths.runner, 'daemons', `${name}.json`)
    this.#log = new LogFile(join(machine.paths.logs, 'weir', `${name}.jsonl`), machine.accounts?.readers ?? null)
  }

  /** Begins anew, durably. */
  begin(): void {
    writeRecord(this.#file, this.#record, { durable: true })
    crashPoint('daemon-recorded')
    this.#start()
  }

  /** Takes over from a runner that is no more. */
  resume(): void {
    const { token, process } = this.#record
    this.#machine.cgroups?.create(this.#id, null)
    const tree = ProcessTree.adopt(this.#machine, { id: this.#id, token, main: process })
    // With leftovers kept, what is found need not be the main process: only the one that was written down counts.
    if (tree && (this.#record.spec.leftovers === 'kill' || tree.main.pid === process?.pid)) this.#watch(tree, new OutputReader(this.#pipes(), this.#log))
    else this.#start()
  }

  get spec(): DaemonSpec {
    return this.#record.spec
  }

  observe(): ObservedDaemon {
    return {
      name: this.spec.name,
      phase: this.#running ? 'running' : 'waiting',
      pid: this.#running?.tree.main.pid ?? null,
      restarts: this.#restarts,
      cause: this.#cause,
    }
  }

  async stop(): Promise<void> {
    this.#wanted = false
    if (this.#restart) clearTimeout(this.#restart)
    await this.#starting
    if (this.#running) await endGently(this.#running.tree, this.spec.stop.signal, this.spec.stop.graceMs)
    await killTree(this.#machine, this.#id, this.#record.token)
    await this.#running?.output.drain()
    this.#log.close()
    this.#machine.cgroups?.remove(this.#id)
    removeRecord(this.#file)
  }

  /** Replaces the process by one of another spec. One whose leftovers stay is ended as if it had died, for asked it would take them along. */
  async replace(spec: DaemonSpec): Promise<void> {
    if (isDeepStrictEqual(spec, this.spec)) return
    this.#record = { ...this.#record, spec }
    writeRecord(this.#file, this.#record, { durable: true })
    const { tree } = this.#running ?? {}
    if (spec.leftovers === 'keep') tree?.signal('SIGKILL')
    else if (tree && !(await endGently(tree, spec.stop.signal, spec.stop.graceMs))) await tree.kill()
    // its end starts the next one
  }

  #start(): void {
    this.#starting = this.#tryStart().catch((error: Error) => {
      this.#cause = `could not be started: ${error.message}`
      this.#log.write('weir', this.#cause)
      this.#later()
    })
  }

  async #tryStart(): Promise<void> {
    const { argv, env, account, leftovers } = this.spec
    const { cgroups, accounts } = this.#machine
    cgroups?.create(this.#id, null)
    if (leftovers === 'kill') await killTree(this.#machine, this.#id, this.#record.token)
    const uid = accounts === null || account === 'root' ? null : accounts[account]
    const pipes = this.#pipes()
    mkdirSync(join(this.#machine.paths.runner, 'pipes'), { recursive: true, mode: 0o711 })
    this.#fifos.take(pipes.out)
    this.#fifos.take(pipes.err)
    const output = new OutputReader(pipes, this.#log)
    const child = openForChild(pipes, uid)
    try {
      const tree = await ProcessTree.start(this.#machine, {
        id: this.#id,
        token: this.#record.token,
        argv,
        env: { PATH: this.#machine.path, ...ONE_HEAP, ...env },
        cwd: this.#machine.paths.home,
        account: uid === null ? null : { uid, groups: this.#groups(), lowPorts: account === 'gateway' },
        stdio: ['ignore', child.out, child.err],
      })
      crashPoint('daemon-spawned')
      this.#record = { ...this.#record, process: tree.main }
      writeRecord(this.#file, this.#record, { durable: false })
      this.#watch(tree, output)
    } catch (error) {
      output.close()
      throw error
    } finally {
      child.close()
    }
  }

  #groups(): number[] {
    const { accounts } = this.#machine
    return accounts !== null && ['server', 'telemetry'].includes(this.spec.account) ? [accounts.readers] : []
  }

  #watch(tree: ProcessTree, output: OutputReader): void {
    const running = { tree, output, since: performance.now() }
    this.#running = running
    void tree.exited.then(async (exit) => {
      await output.drain()
      this.#running = null
      if (this.#wanted) this.#afterExit(exit, running.since)
    })
  }

  #afterExit(exit: ExitStatus, since: number): void {
    this.#cause = describeExit(exit, this.#log.lastLines(), 0)
    this.#log.write('weir', this.#cause)
    if (performance.now() - since > BACKOFF.forgottenAfterMs) this.#ends = 0
    this.#later()
  }

  #later(): void {
    if (!this.#wanted) return
    this.#restarts++
    this.#restart = setTimeout(() => this.#start(), Math.min(BACKOFF.firstMs * 2 ** this.#ends++, BACKOFF.mostMs))
  }

  #pipes() {
    const folder = join(this.#machine.paths.runner, 'pipes')
    return { out: join(folder, `${this.spec.name}.out`), err: join(folder, `${this.spec.name}.err`) }
  }
}
