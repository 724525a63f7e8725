import { closeSync, constants, fchownSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Epoch } from '../../../core/model/epoch.ts'
import type { ExitStatus } from '../../../core/model/replica.ts'
import { WeirError } from '../../../errors.ts'
import { runCommand } from '../../../spawn.ts'
import type { ConfinedJob, ObservedJob } from '../../confined.ts'
import { LAST_LINES } from '../log-records.ts'
import { DiskWatch } from './disk-watch.ts'
import { recordOutcome, removeRecord, writeRecord } from './durable.ts'
import type { Machine } from './machine.ts'
import { monotonicMs, type ProcessIdentity } from './proc.ts'
import { killTree, ProcessTree } from './tree.ts'

const TAIL_BYTES = 16 * 1024
const CHOWN_WITHIN_MS = 60_000

export interface JobRecord {
  readonly job: ConfinedJob
  readonly token: string
  /** Of the server that wanted it. */
  readonly epoch: Epoch
  /** Who the folders in `own` are given back to. */
  readonly owners: readonly { readonly uid: number; readonly gid: number }[]
  readonly process: ProcessIdentity | null
  readonly startedAt: number
  readonly outcome: { readonly exit: ExitStatus; readonly limit: 'memory' | 'wall' | 'disk' | null } | null
}

/** A build: as tasks, at most once, but as an account of its own, with all limits, and its output straight into a file. */
export class Job {
  #record: JobRecord
  readonly #machine: Machine
  readonly #file: string
  readonly #group: string
  readonly #ended: () => void
  #limit: 'wall' | 'disk' | null = null
  #stopWatching: () => void = () => {}
  #forgotten = false
  #starting: Promise<void> = Promise.resolve()
  #ending: Promise<void> = Promise.resolve()

  private constructor(machine: Machine, record: JobRecord, ended: () => void) {
    this.#machine = machine
    this.#record = record
    this.#ended = ended
    this.#group = `job.${record.job.id}`
    this.#file = join(machine.paths.runner, 'jobs', `${record.job.id}.json`)
  }

  static create(machine: Machine, { job, token, epoch }: { job: ConfinedJob; token: string; epoch: Epoch }, ended: () => void): Job {
    const owners = job.own.map((folder) => {
      if (!isBelow(machine.paths.builds, folder)) throw outside(folder)
      const { uid, gid } = statSync(folder)
      return { uid, gid }
    })
    if (!isBelow(machine.paths.home, job.logFile)) throw outside(job.logFile)
    const it = new Job(machine, { job, token, epoch, owners, process: null, startedAt: monotonicMs(), outcome: null }, ended)
    writeRecord(it.#file, it.#record, { durable: true })
    it.#starting = it.#start().catch(async (error: Error) => {
      const log = it.#openLog()
      writeSync(log, `could not be started: ${error.message}\n`)
      closeSync(log)
      await it.#end({ kind: 'code', code: 127 })
    })
    return it
  }

  /** Takes over from a runner that is no more. */
  static resume(machine: Machine, record: JobRecord, ended: () => void): Job {
    const it = new Job(machine, record, ended)
    if (record.outcome) return it
    const tree = ProcessTree.adopt(machine, { id: it.#group, token: record.token, main: record.process })
    if (tree) it.#watch(tree)
    else it.#ending = it.#end({ kind: 'unknown' })
    return it
  }

  get epoch(): Epoch {
    return this.#record.epoch ?? 0 // a record of an older runner has none
  }

  observe(): ObservedJob {
    const { outcome, job } = this.#record
    const lastLines = tail(job.logFile)
    return outcome ? { phase: 'ended', ...outcome, lastLines } : { phase: 'running', lastLines }
  }

  async forget(): Promise<void> {
    this.#forgotten = true
    this.#stopWatching()
    await this.#starting
    await killTree(this.#machine, this.#group, this.#record.token)
    await this.#ending
    if (!this.#record.outcome) await this.#giveBack()
    this.#machine.cgroups?.remove(this.#group)
    removeRecord(this.#file)
  }

  async #start(): Promise<void> {
    const { job } = this.#record
    const { accounts, cgroups } = this.#machine
    if (accounts) for (const folder of job.own) await this.#chown(folder, accounts.build, accounts.build)
    cgroups?.create(this.#group, job.limits)
    if (this.#forgotten) return
    const log = this.#openLog()
    try {
      const tree = await ProcessTree.start(this.#machine, {
        id: this.#group,
        token: this.#record.token,
        argv: job.argv,
        env: { PATH: this.#machine.path, HOME: job.cwd, TMPDIR: job.cwd, LANG: 'C.UTF-8', ...job.env },
        cwd: job.cwd,
        account: accounts && { uid: accounts.build, groups: [] },
        stdio: ['ignore', log, log],
      })
      this.#record = { ...this.#record, process: tree.main, startedAt: monotonicMs() }
      writeRecord(this.#file, this.#record, { durable: false })
      this.#watch(tree)
    } finally {
      closeSync(log)
    }
  }

  #openLog(): number {
    const log = openSync(
      this.#record.job.logFile,
      constants.O_CREAT | constants.O_TRUNC | constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW,
      0o640,
    )
    if (this.#machine.accounts) fchownSync(log, 0, this.#machine.accounts.server)
    return log
  }

  #watch(tree: ProcessTree): void {
    const { job, startedAt } = this.#record
    const endBy = (limit: 'wall' | 'disk') => {
      this.#limit ??= limit
      void tree.kill()
    }
    const wall = setTimeout(() => endBy('wall'), Math.max(0, job.limits.wallMs - (monotonicMs() - startedAt)))
    const disk = new DiskWatch([...job.own, job.logFile], job.limits.diskBytes, () => endBy('disk'))
    this.#stopWatching = () => {
      clearTimeout(wall)
      disk.stop()
    }
    void tree.exited.then((exit) => {
      this.#stopWatching()
      this.#ending = tree.kill().then(() => this.#end(this.#limit === 'wall' ? { kind: 'timeout' } : exit))
    })
  }

  /** The folders are the caller's again before it hears of the end. */
  async #end(exit: ExitStatus): Promise<void> {
    await this.#giveBack()
    const limit = this.#limit ?? (exit.kind === 'oom' ? 'memory' : null)
    this.#record = { ...this.#record, process: null, outcome: { exit, limit } }
    if (this.#forgotten) return
    this.#machine.cgroups?.remove(this.#group)
    recordOutcome(this.#file, this.#record)
    this.#ended()
  }

  async #giveBack(): Promise<void> {
    if (!this.#machine.accounts) return
    const { job, owners } = this.#record
    for (const [index, folder] of job.own.entries()) {
      const owner = owners[index]
      if (owner) await this.#chown(folder, owner.uid, owner.gid)
    }
  }

  async #chown(folder: string, uid: number, gid: number): Promise<void> {
    await runCommand({ argv: [this.#machine.programs.chown, '-R', '-h', '-P', `${uid}:${gid}`, '--', folder], env: {}, timeoutMs: CHOWN_WITHIN_MS })
  }
}

function isBelow(parent: string, path: string): boolean {
  const way = relative(parent, path)
  return path.startsWith('/') && way !== '' && !way.startsWith('..')
}

function outside(path: string): WeirError {
  return new WeirError('E_USAGE', { message: 'a build may only use folders below the builds folder', cause: path })
}

function tail(path: string): string[] {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch {
    return []
  }
  try {
    const { size } = fstatSync(file)
    const from = Math.max(0, size - TAIL_BYTES)
    const bytes = Buffer.alloc(size - from)
    readSync(file, bytes, 0, bytes.length, from)
    return bytes.toString('utf8').replace(/\n$/, '').split('\n').slice(-LAST_LINES)
  } finally {
    closeSync(file)
  }
}
