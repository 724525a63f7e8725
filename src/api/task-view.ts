import type { TaskView } from '../../packages/client/src/types.ts'
import type { TaskRecord } from '../core/rollout/state.ts'
import { WeirError } from '../errors.ts'
import type { EnvironmentDetail, EnvironmentRef } from '../store/queries.ts'
import { refOf } from './found.ts'
import type { Call } from './route.ts'

/** A task that was asked for and not yet taken up is "waiting" for so long; its id tells when that was. */
const TAKEN_UP_WITHIN_MS = 60_000

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

export function taskView(id: string, { kind, service, name, argv, outcome, exit, lastLines }: TaskRecord): TaskView {
  return { id, kind, service, name, argv: [...argv], phase: outcome === 'pending' ? 'running' : outcome, exit, lastLines: [...lastLines] }
}
