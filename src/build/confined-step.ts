import { setTimeout as sleep } from 'node:timers/promises'
import type { Epoch } from '../core/model/epoch.ts'
import { tellingLine } from '../core/model/telling-line.ts'
import type { Confined, ConfinedJob, ObservedJob } from '../drivers/confined.ts'
import { isWeirError, WeirError } from '../errors.ts'

/** The job was lost with the runner that watched it; nothing of its work is used. */
export class Interrupted extends Error {}

const LOOK_MS = 250
/** How long a restarting runner is waited for. */
const PATIENCE_MS = 30_000

/**
 * Runs one step of a build apart from everything and returns when it has ended well. Otherwise throws what a person needs to know:
 * `E_BUILD_FAILED`, `_TIMEOUT`, `_OOM` or `_TOO_LARGE`, with `lastLines` as its evidence.
 */
export async function runConfined(confined: Confined, job: ConfinedJob, epoch: Epoch, seen: (lastLines: readonly string[]) => void): Promise<void> {
  let hint: () => void = () => {}
  const unwatch = confined.watch((id) => id === job.id && hint())
  try {
    await patiently(() => confined.start(job, epoch))
    for (;;) {
      const ended = new Promise<void>((resolve) => (hint = resolve))
      const observed = await patiently(() => confined.observe(job.id))
      if (observed === null) throw new Interrupted('the build was stopped')
      seen(observed.lastLines)
      if (observed.phase === 'ended') return judge(observed, job)
      const timer = new AbortController()
      await Promise.race([ended, sleep(LOOK_MS, undefined, { signal: timer.signal }).catch(() => {})])
      timer.abort()
    }
  } finally {
    unwatch()
    await confined.stop(job.id, epoch).catch(() => {}) // it has ended, or whoever leads next stops it
  }
}

function judge({ exit, limit, lastLines }: Extract<ObservedJob, { phase: 'ended' }>, { limits, argv }: ConfinedJob): void {
  const command = argv.join(' ').slice(0, 120)
  const mib = (bytes: number) => `${Math.round(bytes / 1024 ** 2)} MiB`
  if (limit === 'memory' || exit.kind === 'oom') {
    throw new WeirError('E_BUILD_OOM', {
      message: 'the build ran out of memory',
      cause: `\`${command}\` needed over ${mib(limits.memoryBytes)}`,
      next: 'build with less parallel work, then weir deploy',
    })
  }
  if (limit === 'disk') {
    throw new WeirError('E_BUILD_TOO_LARGE', {
      message: 'the build wrote too much',
      cause: `\`${command}\` wrote over ${mib(limits.diskBytes)}`,
      next: 'make the build write less, then weir deploy',
    })
  }
  if (limit === 'wall' || exit.kind === 'timeout') {
    throw new WeirError('E_BUILD_TIMEOUT', {
      message: 'the build took too long',
      cause: `\`${command}\` was ended after ${Math.round(limits.wallMs / 1000)} s`,
      next: 'see its last lines: weir logs',
    })
  }
  if (exit.kind === 'unknown') throw new Interrupted('the build was interrupted')
  if (exit.kind === 'code' && exit.code === 0) return
  const how = exit.kind === 'code' ? `exited with ${exit.code}` : `was ended by ${exit.signal}`
  const said = tellingLine(lastLines)
  throw new WeirError('E_BUILD_FAILED', {
    message: 'the build failed',
    cause: `\`${command}\` ${how}${said === null ? '' : `: ${said}`}`,
    next: 'correct it, then weir deploy',
  })
}

/** Calls again while the runner restarts. */
export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!isWeirError(error, 'E_UNAVAILABLE') || performance.now() > until) throw error
      await sleep(LOOK_MS)
    }
  }
}
