import { isWorker } from '../model/app-graph.ts'
import type { Release } from '../model/release.ts'
import type { EnvironmentState, Rollout } from '../rollout/state.ts'
import { breakingMigrations, notWarmBecause } from './changes.ts'

/** A release that has run: every service has an origin. */
export interface RunningRelease extends Release {
  readonly origins: Readonly<Record<string, number>>
}
export type Releases = Readonly<Record<number, RunningRelease>>

/** So many replicas of a service as one release started it. */
export interface Group {
  readonly service: string
  readonly origin: number
  /** The release whose words describe the replica: equal for all releases that share the origin. */
  readonly release: number
  readonly count: number
}

export function groupKey(service: string, origin: number): string {
  return `${service}@${origin}`
}

/**
 * The replicas an environment should have. A pure function of what is remembered; it does not matter how we got here.
 *
 * | part    | services                                             | when                                     |
 * |---------|------------------------------------------------------|------------------------------------------|
 * | current | all of the current release                           | always; but for those being replaced     |
 * | target  | changed ones up to the stage reached                 | while a rollout goes forward             |
 * | warm    | those the current release changed, but never workers | for `keep` after a promotion             |
 *
 * Services that two releases share have one origin, so the parts overlap; the larger count wins.
 */
export function desiredGroups(state: EnvironmentState, releases: Releases): readonly Group[] {
  if (state.removing) return []
  const groups = new Map<string, Group>()
  const want = (release: RunningRelease, service: string) => {
    const origin = release.origins[service]
    const spec = release.graph.services[service]
    if (origin === undefined || !spec) return
    const count = replicasWanted(state, service, spec.scale.min)
    const key = groupKey(service, origin)
    const other = groups.get(key)
    if (!other || other.count < count) groups.set(key, { service, origin, release: release.number, count })
  }

  const current = state.current === null ? undefined : releases[state.current]
  const rollout = state.rollout
  const target = rollout ? releases[rollout.target] : undefined
  const base = rollout?.base != null ? releases[rollout.base] : undefined
  const gone = rollout ? servicesGoneFromBase(rollout) : new Set<string>()

  if (current) for (const service of Object.keys(current.graph.services)) if (current.number === target?.number || !gone.has(service)) want(current, service)
  if (rollout && target) {
    for (const service of servicesOfTarget(rollout)) want(target, service)
    if ((rollout.phase.name === 'switching' || rollout.phase.name === 'watching') && base)
      for (const service of Object.keys(base.graph.services)) if (!gone.has(service)) want(base, service)
  }
  const warm = state.warm ? releases[state.warm.release] : undefined
  if (warm && current) for (const service of warmServices(warm, current)) want(warm, service)
  return [...groups.values()]
}

/** `*` in `stopped` is the whole app. */
function replicasWanted(state: EnvironmentState, service: string, declared: number): number {
  if (state.stopped.includes('*') || state.stopped.includes(service)) return 0
  return state.wishes[service] ?? declared
}

/** Changed services of the target that run in the rollout's present phase. */
export function servicesOfTarget(rollout: Rollout): readonly string[] {
  const upTo = (last: number, manner: 'beside' | 'replace') =>
    rollout.stages.slice(0, last + 1).flatMap((stage) => stage.filter((it) => it.manner === manner).map((it) => it.service))
  const { phase } = rollout
  const all = rollout.stages.length - 1
  switch (phase.name) {
    case 'starting':
      return upTo(phase.stage, 'beside')
    case 'shadowing':
    case 'splitting':
    case 'checking':
      return upTo(all, 'beside')
    case 'replacing':
      return [...upTo(all, 'beside'), ...upTo(phase.stage, 'replace')]
    case 'switching':
    case 'watching':
      return rollout.stages.flatMap((stage) => stage.map((it) => it.service))
    case 'held':
      return phase.then === 'starting' ? upTo(phase.stage, 'beside') : [...upTo(all, 'beside'), ...upTo(phase.stage, 'replace')]
    case 'restoring':
      return []
  }
}

/** Services of the base whose replicas must be gone, because their successors cannot run beside them. */
export function servicesGoneFromBase(rollout: Rollout): ReadonlySet<string> {
  const { phase } = rollout
  const replacing =
    phase.name === 'replacing' || phase.name === 'switching' || phase.name === 'watching' || (phase.name === 'held' && phase.then === 'replacing')
  return new Set(replacing ? rollout.stages.flatMap((stage) => stage.filter((it) => it.manner === 'replace').map((it) => it.service)) : [])
}

/** The services of the previous release that can stay warm beside `current`. */
export function warmServices(previous: RunningRelease, current: RunningRelease): readonly string[] {
  const changed = Object.keys(current.origins).filter((it) => current.origins[it] !== previous.origins[it])
  const breaking = breakingMigrations(current.graph, changed)
  return Object.keys(previous.graph.services).filter(
    (it) => previous.origins[it] !== current.origins[it] && !isWorker(previous.graph, it) && notWarmBecause(previous.graph, breaking, it) === null,
  )
}
