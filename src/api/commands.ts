import { scaleProblem } from '../core/model/scale.ts'
import type { Command } from '../core/rollout/state.ts'
import { WeirError } from '../errors.ts'
import { found, labelOf, refOf } from './found.ts'
import { becauseView } from './rollout-view.ts'
import type { Handler, Handlers } from './route.ts'

type Steering = 'rollout.promote' | 'rollout.abort' | 'rollout.pause' | 'rollout.resume'
type Life = 'environments.stop' | 'environments.start' | 'environments.restart'

/** What people ask of an environment. Each is stored and answered at once; its controller takes them in order. */
export const commands: Handlers<Steering | Life | 'rollout.weight' | 'rollback.create' | 'services.scale' | 'commands.show'> = {
  'rollout.promote': steer('promote'),
  'rollout.abort': steer('abort'),
  'rollout.pause': steer('pause'),
  'rollout.resume': steer('resume'),
  'rollout.weight': (call) => accept(call, { kind: 'weight', weight: call.body.weight }),
  'rollback.create': (call) => accept(call, { kind: 'rollback', to: call.body.to, acceptSchema: call.body.acceptSchema }),
  'services.scale': async (call) => {
    const { service } = call.params
    const known = (await call.ports.queries.environment(refOf(call)))?.graph?.services[service]
    const problem = known && scaleProblem(known, call.body.replicas)
    if (problem) {
      throw new WeirError('E_CONFLICT', {
        message: problem,
        state: 'nothing was changed',
        next: `raise or lower \`scale\` of ${service} in the manifest, then weir deploy; weir stop -s ${service} for none`,
      })
    }
    return accept(call, { kind: 'scale', service, replicas: call.body.replicas })
  },
  'environments.stop': (call) => accept(call, { kind: 'stop', service: call.body.service }),
  'environments.start': (call) => accept(call, { kind: 'start', service: call.body.service }),
  'environments.restart': (call) => accept(call, { kind: 'restart', service: call.body.service }),

  'commands.show': async (call) => {
    const ref = refOf(call)
    const command = found(await call.ports.queries.command(ref, call.params.command), `command ${call.params.command} of ${labelOf(ref)}`)
    return { ...command, because: becauseView(command.because) }
  },
}

function steer(kind: 'promote' | 'abort' | 'pause' | 'resume'): Handler<Steering> {
  return (call) => accept(call, { kind })
}

type Accepting = Pick<Parameters<Handler<Steering>>[0], 'tenant' | 'params' | 'write'>
function accept(call: Accepting, command: Exclude<Command, { kind: 'deploy' }>): Promise<{ command: number }> {
  return call.write(async (writer) => ({ command: await writer.addCommand(refOf(call), command) }))
}
