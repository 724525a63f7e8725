import { found, labelOf, pageRequest, refOf } from './found.ts'
import { evidenceView, rolloutView, runningRollout } from './rollout-view.ts'
import type { Handlers } from './route.ts'

export const rollouts: Handlers<'rollouts.list' | 'rollouts.show' | 'rollouts.evidence' | 'rollout.current' | 'trials.list'> = {
  'rollouts.list': async (call) => {
    const ref = refOf(call)
    const environment = found(await call.ports.queries.environment(ref), labelOf(ref))
    const { items, cursor } = await call.ports.queries.rollouts(ref, pageRequest(call.query))
    return { items: items.map((it) => rolloutView(it, environment.state.rollout)), cursor }
  },
  'rollouts.show': async (call) => {
    const ref = refOf(call)
    const [environment, rollout] = await Promise.all([call.ports.queries.environment(ref), call.ports.queries.rollout(ref, call.params.rollout)])
    return rolloutView(found(rollout, `rollout ${call.params.rollout} of ${ref.app}/${ref.environment}`), environment?.state.rollout ?? null)
  },
  'rollouts.evidence': async (call) => {
    const ref = refOf(call)
    const { rollout } = call.params
    const look = found(await call.ports.queries.look(ref, rollout), `verdict on rollout ${rollout} of ${ref.app}/${ref.environment}`, 'weir releases')
    return evidenceView(rollout, look, call.query.replay ? await call.ports.replay(ref, rollout) : null)
  },
  'rollout.current': async (call) => {
    const ref = refOf(call)
    const { state, rollout, updatedAt } = found(await call.ports.queries.environment(ref), labelOf(ref))
    if (!state.rollout) return { rollout: null }
    const detail = await call.ports.queries.rollout(ref, state.rollout.id)
    return { rollout: detail ? rolloutView(detail, state.rollout) : runningRollout(state.rollout, rollout?.weight ?? 0, updatedAt) }
  },
  'trials.list': async (call) => {
    const ref = refOf(call)
    found(await call.ports.queries.environment(ref), labelOf(ref))
    const { items, cursor } = await call.ports.queries.trials(ref, pageRequest(call.query))
    return { items: [...items], cursor }
  },
}
