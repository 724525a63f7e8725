import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { Epoch } from '../../core/model/epoch.ts'
import type { ExitStatus } from '../../core/model/replica.ts'
import type { BuildPlace, Confined, ConfinedJob, ObservedJob } from '../../drivers/confined.ts'
import { clearBuild, closeCaches, placeBuild } from '../../drivers/process/runner/build-place.ts'
import { WeirError } from '../../errors.ts'

interface PlainJob {
  readonly child: ChildProcess
  readonly epoch: Epoch
  readonly logFile: string
  ended: { exit: ExitStatus; limit: 'wall' | null } | null
}

/** Runs jobs as plain children, with the wall limit only: enough for the builder's own tests. Counts what it ran. */
export class PlainConfined implements Confined {
  readonly started: ConfinedJob[] = []
  readonly #jobs = new Map<string, PlainJob>()
  readonly #watchers = new Set<(id: string) => void>()
  readonly #builds: string
  #epoch: Epoch = 0
  #placed = 0

  constructor(builds: string) {
    this.#builds = builds
  }

  async takeOver(epoch: Epoch): Promise<void> {
    await this.confirm(epoch)
    for (const [id, job] of this.#jobs) if (job.epoch < epoch) await this.stop(id, epoch)
    closeCaches(this.#builds)
  }

  async confirm(epoch: Epoch): Promise<void> {
    if (epoch < this.#epoch) throw new WeirError('E_STALE_EPOCH', { message: 'a newer server has taken over' })
    this.#epoch = epoch
  }

  async place(build: BuildPlace, epoch: Epoch): Promise<void> {
    await this.confirm(epoch)
    placeBuild(this.#builds, build, String(this.#placed++))
  }

  async clear(tenant: string, epoch: Epoch): Promise<void> {
    await this.confirm(epoch)
    clearBuild(this.#builds, tenant, String(this.#placed++))
  }

  async start(job: ConfinedJob, epoch: Epoch): Promise<void> {
    await this.confirm(epoch)
    if (this.#jobs.has(job.id)) return
    this.started.push(job)
    const log = openSync(job.logFile, 'w', 0o600)
    const [program = '', ...args] = job.argv
    const child = spawn(program, args, { cwd: job.cwd, env: { ...job.env }, stdio: ['ignore', log, log], detached: true, shell: false })
    closeSync(log)
    const state: PlainJob = {
      child,
      epoch,
      ended: null,
      logFile: job.logFile,
    }
    this.#jobs.set(job.id, state)
    let late = false
    const timer = setTimeout(() => {
      late = true
      kill(child)
    }, job.limits.wallMs)
    const end = (exit: ExitStatus) => {
      clearTimeout(timer)
      state.ended = { exit: late ? { kind: 'timeout' } : exit, limit: late ? 'wall' : null }
      for (const watcher of this.#watchers) watcher(job.id)
    }
    child.on('error', () => end({ kind: 'code', code: 127 }))
    child.on('close', (code, signal) => end(code === null ? { kind: 'signal', signal: signal ?? 'SIGKILL' } : { kind: 'code', code }))
  }

  async observe(id: string): Promise<ObservedJob | null> {
    const job = this.#jobs.get(id)
    if (!job) return null
    const lastLines = readFileSync(job.logFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .slice(-30)
    return job.ended ? { phase: 'ended', ...job.ended, lastLines } : { phase: 'running', lastLines }
  }

  async stop(id: string, epoch: Epoch): Promise<void> {
    await this.confirm(epoch)
    const job = this.#jobs.get(id)
    if (job && !job.ended) kill(job.child)
    this.#jobs.delete(id)
  }

  watch(ended: (id: string) => void): () => void {
    this.#watchers.add(ended)
    return () => this.#watchers.delete(ended)
  }
}

function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // it has ended by itself
  }
}
