import type { Side } from '../core/canary/evidence.ts'
import type { Rollout } from '../core/rollout/state.ts'
import type { EnvironmentRecord, Rules, StoredRelease } from './journal.ts'

/** What of an environment is judged just now. */
export interface Judged {
  /** A shadow that becomes a canary is another one. */
  readonly key: string
  /** Under which its evidence stands. */
  readonly id: string
  readonly kind: 'rollout' | 'trial'
  readonly release: number
  readonly rules: Rules
  /** Evidence of stages from 1 on; else of stage 0, as copies and trials have it: what they prove is proven anew by the split. */
  readonly isSplit: boolean
  /** Requests, or copies of them, go there now; else only thresholds are made. */
  readonly isCounted: boolean
  readonly sinceMs: number
  readonly services: readonly { readonly service: string; readonly stable: number | null; readonly canary: number }[]
  readonly replicas: readonly { readonly id: string; readonly service: string; readonly side: Side }[]
}

/**
 * | state                                          | judged                              |
 * |------------------------------------------------|-------------------------------------|
 * | a rollout that is judged, starting             | not yet: thresholds are made        |
 * | … splitting or shadowing                       | the rollout                         |
 * | … in any other phase, or one that is not judged| nothing                             |
 * | no rollout, a trial                            | the release that serves, by itself  |
 */
export function judgedIn({ state, releases, designEffect }: Pick<EnvironmentRecord, 'state' | 'releases' | 'designEffect'>, now: number): Judged | null {
  const { rollout, trial } = state
  if (!rollout) {
    if (!trial) return null
    const { analysis, unit, thresholds } = trial
    const rules = { analysis, unit, thresholds, designEffect, changed: [], replicas: {} }
    return {
      key: trial.id,
      id: trial.id,
      kind: 'trial',
      release: trial.release,
      rules,
      isSplit: false,
      isCounted: true,
      sinceMs: 0,
      services: [],
      replicas: [],
    }
  }
  const { judging, phase } = rollout
  const isCounted = phase.name === 'splitting' || phase.name === 'shadowing'
  if (!judging || !(isCounted || phase.name === 'starting')) return null
  const services = servicesOf(rollout, releases)
  const isSplit = phase.name !== 'shadowing'
  return {
    key: `${rollout.id} ${isSplit ? 'split' : 'copies'}`,
    id: rollout.id,
    kind: 'rollout',
    release: rollout.target,
    rules: {
      analysis: judging.analysis,
      unit: judging.unit,
      designEffect: judging.designEffect,
      thresholds: judging.thresholds,
      changed: services.map(({ service }) => service),
      replicas: Object.fromEntries(services.map(({ service }) => [service, wanted(state, releases[rollout.target], service)])),
    },
    isSplit,
    isCounted,
    sinceMs: judging.since === null ? 0 : Math.max(0, now - judging.since),
    services,
    replicas: Object.entries(state.replicas).flatMap(([id, { service, origin }]) => {
      const sides = services.find((it) => it.service === service)
      const side = sides?.canary === origin ? 'canary' : sides?.stable === origin ? 'stable' : null
      return side === null ? [] : [{ id, service, side } as const]
    }),
  }
}

/** Those that the rollout changes, with the releases that started their replicas; `stable: null` was not there before. */
function servicesOf({ base, target, stages }: Rollout, releases: EnvironmentRecord['releases']): Judged['services'] {
  const [before, after] = [base === null ? null : releases[base]?.origins, releases[target]?.origins]
  return stages.flat().flatMap(({ service }) => {
    const [stable = null, canary = null] = [before?.[service], after?.[service]]
    return canary === null || stable === canary ? [] : [{ service, stable, canary }]
  })
}

function wanted(state: EnvironmentRecord['state'], target: StoredRelease | undefined, service: string): number {
  return state.wishes[service] ?? target?.graph.services[service]?.scale.min ?? 1
}
