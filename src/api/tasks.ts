import type { TaskView } from '../../packages/client/src/types.ts'
import type { Command, EnvironmentState } from '../core/rollout/state.ts'
import { WeirError } from '../errors.ts'
import type { EnvironmentDetail } from '../store/queries.ts'
import { found, labelOf, pageOf, refOf } from './found.ts'
import type { Call, Handlers } from './route.ts'
import { taskOutput } from './task-output.ts'
import { taskOf, taskView } from './task-view.ts'

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
      const command: RunCommand = { ...runCommand(call, detail, job.service, job.command, job.timeoutMs), job: job.name }
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

function lastRun(state: EnvironmentState, job: string): TaskView | null {
  const runs = Object.entries(state.tasks).filter(([, it]) => it.kind === 'job' && it.name === job)
  const newest = runs.sort(([, a], [, b]) => b.since - a.since)[0]
  return newest ? taskView(...newest) : null
}

function isoOf(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}
