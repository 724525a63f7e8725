import type { TaskView } from '../../packages/client/src/types.ts'
import type { Command, EnvironmentState, TaskRecord } from '../core/rollout/state.ts'
import { WeirError } from '../errors.ts'
import type { EnvironmentDetail, EnvironmentRef } from '../store/queries.ts'
import { found, labelOf, pageOf, refOf } from './found.ts'
import type { Call, Handlers } from './route.ts'
import { taskOutput } from './task-output.ts'

/** A task that was asked for and not yet taken up is "waiting" for so long; its id tells when that was. */
const TAKEN_UP_WITHIN_MS = 60_000
const MAX_TASK_MS = 24 * 60 * 60 * 1000

export const tasks: Handlers<'jobs.list' | 'jobs.run' | 'tasks.create' | 'tasks.show' | 'tasks.output'> = {
  'jobs.list': async (call) => {
    const ref = refOf(call)
    const { graph, state } = found(await call.ports.queries.environment(ref), labelOf(ref))
    const jobs = Object.values(graph?.jobs ?? {}).map((job) => ({
      name: job.name,
      service: job.service,
      schedule: job.schedule,
      command: [...job.command],
      nextAt: isoOf(state.jobs[job.name]?.nextAt),
      last: lastRun(state, job.name),
    }))
    return pageOf(
      jobs.sort((a, b) => (a.name < b.name ? -1 : 1)),
      (it) => it.name,
      call.query,
    )
  },
  'jobs.run': (call) =>
    call.write(async (writer) => {
      const ref = refOf(call)
      const detail = found(await call.ports.queries.environment(ref), labelOf(ref))
      const job = found(detail.graph?.jobs[call.params.job], `job ${call.params.job} in ${ref.app}/${ref.environment}`, 'weir jobs')
      const command = runCommand(call, detail, job.service, job.command, job.timeoutMs)
      return { task: command.task, command: await writer.addCommand(ref, command) }
    }),
  'tasks.create': (call) =>
    call.write(async (writer) => {
      const ref = refOf(call)
      const detail = found(await call.ports.queries.environment(ref), labelOf(ref))
      if (!detail.graph) throw new WeirError('E_CONFLICT', { message: `${ref.app}/${ref.environment} has no release yet`, next: 'weir deploy' })
      const { service, argv, timeoutSeconds } = call.body
      found(detail.graph.services[service], `service ${service} in ${ref.app}/${ref.environment}`, 'weir ps')
      const command = runCommand(call, detail, service, argv, timeoutSeconds * 1000)
      return { task: command.task, command: await writer.addCommand(ref, command) }
    }),
  'tasks.show': async (call) => taskOf(call, found(await call.ports.queries.environment(refOf(call)), labelOf(refOf(call))), call.params.task),
  'tasks.output': taskOutput,
}

type RunCommand = Extract<Command, { kind: 'run' }>
function runCommand(
  { ports }: Pick<Call<'tasks.create'>, 'ports'>,
  { id }: EnvironmentDetail,
  service: string,
  argv: readonly string[],
  timeoutMs: number,
): RunCommand {
  const task = `${id}-run-${ports.now().toString(36)}-${ports.random(6)}`
  return { kind: 'run', task, service, argv, timeoutMs: Math.min(timeoutMs, MAX_TASK_MS) }
}

/** A task by its id, also one that is about to be taken up. */
export function taskOf({ ports, ...call }: Pick<Call<'tasks.show'>, 'ports' | 'params' | 'tenant'>, detail: EnvironmentDetail, id: string): TaskView {
  const record = Object.hasOwn(detail.state.tasks, id) ? detail.state.tasks[id] : undefined
  if (record) return taskView(id, record)
  const ref: EnvironmentRef = refOf(call)
  const [environment, madeAt] = /^(.+)-run-([0-9a-z]{6,9})-[0-9a-f]{12}$/.exec(id)?.slice(1) ?? []
  const isNew = environment === detail.id && Math.abs(ports.now() - Number.parseInt(madeAt ?? '', 36)) < TAKEN_UP_WITHIN_MS
  if (!isNew)
    throw new WeirError('E_NOT_FOUND', {
      message: `no task ${id} in ${ref.app}/${ref.environment}`,
      cause: 'it never was, or has been forgotten: tasks are kept for an hour after their end',
      next: 'weir logs',
    })
  return { id, kind: 'run', service: '', name: 'run', argv: [], phase: 'waiting', exit: null, lastLines: [] }
}

function taskView(id: string, { kind, service, name, argv, outcome, exit, lastLines }: TaskRecord): TaskView {
  return { id, kind, service, name, argv: [...argv], phase: outcome === 'pending' ? 'running' : outcome, exit, lastLines: [...lastLines] }
}

function lastRun(state: EnvironmentState, job: string): TaskView | null {
  const runs = Object.entries(state.tasks).filter(([, it]) => it.kind === 'job' && it.name === job)
  const newest = runs.sort(([, a], [, b]) => b.since - a.since)[0]
  return newest ? taskView(...newest) : null
}

function isoOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
