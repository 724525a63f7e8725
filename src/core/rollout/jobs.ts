import { nextRun, parseCron } from '../model/cron.ts'
import type { RunningRelease } from '../plan/desired.ts'
import type { EnvironmentState, TaskRecord } from './state.ts'

/** A wall clock that went back leaves the next run far away: anything further than this is computed again. */
const FURTHEST_MS = 5 * 366 * 86_400_000

export interface JobDecision {
  readonly jobs: EnvironmentState['jobs']
  readonly tasks: EnvironmentState['tasks']
  /** Milliseconds until the next run by the wall clock; null without jobs. */
  readonly inMs: number | null
}

/**
 * Jobs of the current release. A run is due once its minute has come by the wall clock; runs that were missed (server away, clock moved
 * ahead) are made up by one, never by many. A job still running is not started a second time: that minute is skipped.
 */
export function decideJobs(environment: string, state: EnvironmentState, current: RunningRelease | null, now: number, wall: number): JobDecision {
  const jobs: Record<string, { nextAt: number; schedule: string }> = {}
  const tasks: Record<string, TaskRecord> = { ...state.tasks }
  let soonest: number | null = null
  const active = current && !state.removing && !state.stopped.includes('*') ? Object.values(current.graph.jobs) : []
  for (const job of active) {
    const cron = parseCron(job.schedule)
    if ('problem' in cron) continue // the manifest refuses these
    const known = state.jobs[job.name]
    let nextAt = known?.schedule === job.schedule ? known.nextAt : nextRun(cron, wall)
    if (nextAt === null) continue
    const following = nextRun(cron, wall)
    if (following !== null && (nextAt > following || nextAt - wall > FURTHEST_MS)) nextAt = following
    if (wall >= nextAt) {
      const running = Object.values(tasks).some((it) => it.kind === 'job' && it.name === job.name && it.outcome === 'pending')
      if (!running && current) {
        tasks[`${environment}-job-${job.name}-${nextAt / 60_000}`] = {
          kind: 'job',
          service: job.service,
          release: current.number,
          name: job.name,
          argv: job.command,
          since: now,
          timeoutMs: job.timeoutMs,
          outcome: 'pending',
          exit: null,
          lastLines: [],
        }
      }
      nextAt = following ?? nextAt
    }
    jobs[job.name] = { nextAt, schedule: job.schedule }
    soonest = soonest === null ? nextAt : Math.min(soonest, nextAt)
  }
  return { jobs, tasks, inMs: soonest === null ? null : Math.max(0, soonest - wall) }
}
