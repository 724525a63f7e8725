import type { Environment, ReleaseView, RolloutView } from '../../../packages/client/src/types.ts'

/** Everything that is known of a release on its way, at one moment. */
export interface Snapshot {
  readonly release: ReleaseView
  readonly environment: Environment
  /** The rollout to it; null while it is built or waits. */
  readonly rollout: RolloutView | null
}

export type ServiceState = 'queued' | 'building' | 'built' | 'starting' | 'ready' | 'failed' | 'stopping'
export interface ServiceProgress {
  readonly name: string
  readonly state: ServiceState
  readonly note: string
  /** What its build printed last; only while it runs. */
  readonly lines: readonly string[]
}
export interface Progress {
  readonly headline: string
  readonly services: readonly ServiceProgress[]
  readonly outcome: Outcome | null
}
/** How it ended for the one who waits. `approval`: it goes on only when a person says so. */
export type Outcome = 'promoted' | 'approval' | 'held' | 'failed' | 'aborted' | 'superseded'

/**
 * What to show of a snapshot: the services in release order, each with where it stands.
 *
 * | release           | rollout    | a service shows                                                       |
 * |-------------------|------------|-----------------------------------------------------------------------|
 * | queued            | –          | queued                                                                |
 * | building          | –          | queued, building, built or failed, as its build says                  |
 * | ready             | none yet   | built: it waits for its turn                                          |
 * | ready             | starting   | earlier stages ready, this stage starting until all are, later queued |
 * | ready             | splitting… | ready                                                                 |
 * | ready             | restoring  | failed where the cause is, stopping elsewhere                         |
 */
export function progressOf(snapshot: Snapshot): Progress {
  const outcome = outcomeOf(snapshot)
  return { headline: headlineOf(snapshot, outcome), services: orderOf(snapshot).map((name) => serviceProgress(snapshot, name)), outcome }
}

function outcomeOf({ release, rollout }: Snapshot): Outcome | null {
  if (release.status === 'failed') return 'failed'
  if (!rollout || rollout.target !== release.number) return null
  if (rollout.outcome !== null) return rollout.outcome
  if (rollout.waits?.for === 'approval' || rollout.waits?.for === 'decision') return 'approval'
  if (rollout.phase === 'held') return 'held'
  return null
}

function headlineOf({ release, environment, rollout }: Snapshot, outcome: Outcome | null): string {
  const name = `v${release.number} of ${environment.app}`
  if (release.status === 'queued') return `${name}: fetching the source`
  if (release.status === 'building') return `${name}: building`
  if (release.status === 'failed') return `${name}: failed`
  if (!rollout) {
    const ahead = environment.rollout
    return ahead && ahead.target !== release.number ? `${name}: waits for v${ahead.target} to end` : `${name}: waits for its turn`
  }
  if (outcome === 'promoted') return `${name}: serves 100 %`
  if (rollout.paused) return `${name}: paused`
  switch (rollout.phase) {
    case 'starting':
    case 'replacing':
      return `${name}: starting`
    case 'splitting':
      return `${name}: serves ${rollout.weight} %${sayingOf(rollout)}`
    case 'shadowing':
      return `${name}: gets copies of requests${sayingOf(rollout)}`
    case 'checking':
      return `${name}: is checked before it serves`
    case 'watching':
      return `${name}: serves 100 %, watched`
    case 'switching':
      return `${name}: switching traffic`
    case 'held':
      return `${name}: held`
    case 'restoring':
      return `${name}: going back to ${rollout.base === null ? 'nothing' : `v${rollout.base}`}`
    default:
      return `${name}: ${rollout.outcome ?? rollout.phase}`
  }
}

function sayingOf({ verdict, waits }: RolloutView): string {
  const text = verdict?.text ?? waits?.text
  return text === undefined ? '' : `, ${text}`
}

/** Callees ahead of callers, as the stages of the rollout will be: the order stays the same from the first build to the end. */
function orderOf({ release, environment, rollout }: Snapshot): readonly string[] {
  if (rollout?.stages) return rollout.stages.flat().map((it) => it.service)
  const changed = release.services.filter((it) => rollout === null || it.origin === null || it.origin > (rollout.base ?? 0)).map((it) => it.name)
  const needs = needsOf(release, environment)
  const level = (name: string, path: readonly string[]): number => {
    const callees = (needs.get(name) ?? []).filter((callee) => changed.includes(callee) && !path.includes(callee))
    return callees.reduce((highest, callee) => Math.max(highest, 1 + level(callee, [...path, callee])), 0)
  }
  const levels = new Map(changed.map((name) => [name, level(name, [name])]))
  return changed.sort((one, other) => (levels.get(one) ?? 0) - (levels.get(other) ?? 0) || (one < other ? -1 : 1))
}

/** By the release's own graph where it is known; before, as the services that run depend on each other. */
function needsOf(release: ReleaseView, environment: Environment): ReadonlyMap<string, readonly string[]> {
  const services = (release.graph as { readonly services?: Readonly<Record<string, { readonly dependsOn: object }>> } | null)?.services
  if (services) return new Map(Object.entries(services).map(([name, service]) => [name, Object.keys(service.dependsOn)]))
  return new Map(environment.services.map((service) => [service.name, service.dependsOn]))
}

function serviceProgress(snapshot: Snapshot, name: string): ServiceProgress {
  const { release, rollout } = snapshot
  if (release.status !== 'ready' || !rollout) return buildProgress(snapshot, name)
  const origin = release.services.find((it) => it.name === name)?.origin ?? release.number
  const replicas = snapshot.environment.replicas.filter((it) => it.service === name && it.origin === origin && !it.retired)
  const ready = replicas.filter((it) => it.phase === 'ready').length
  const wanted = Math.max(1, snapshot.environment.services.find((it) => it.name === name)?.wanted ?? 1, replicas.length)
  const trouble = replicas.find((it) => it.phase === 'failed' || it.phase === 'waiting' || it.phase === 'unready')
  const plain = (state: ServiceState, note: string): ServiceProgress => ({ name, state, note, lines: [] })

  if (rollout.phase === 'restoring' || (rollout.phase === 'ended' && rollout.outcome !== 'promoted')) {
    if (trouble || isBlamed(rollout, name)) return plain('failed', trouble?.cause ?? '')
    return plain('stopping', rollout.phase === 'ended' ? 'taken back' : 'taking back')
  }
  const stage = stageOf(rollout, name)
  const isTurn = rollout.phase === 'starting' || rollout.phase === 'replacing' || rollout.phase === 'held'
  if (isTurn && rollout.stage !== null && stage !== null && stage > rollout.stage) return plain('queued', '')
  if (isTurn && rollout.stage === stage && ready < wanted) {
    if (trouble?.phase === 'failed') return plain('failed', trouble.cause ?? '')
    const count = wanted > 1 ? `${ready} of ${wanted} ready` : ''
    return plain('starting', [count, trouble?.cause ?? ''].filter(Boolean).join(', '))
  }
  return plain('ready', wanted > 1 ? `${wanted} replicas` : '')
}

function buildProgress({ release }: Snapshot, name: string): ServiceProgress {
  const build = release.services.find((it) => it.name === name)?.build ?? null
  if (build?.phase === 'running') return { name, state: 'building', note: '', lines: build.lastLines.filter((line) => line.trim() !== '') }
  if (build?.phase === 'failed') return { name, state: 'failed', note: build.cause ?? '', lines: [] }
  if (build?.phase === 'queued')
    return { name, state: 'queued', note: build.position !== null && build.position > 1 ? `build ${build.position} in line` : '', lines: [] }
  if (build?.phase === 'succeeded' || release.status === 'ready')
    return { name, state: 'built', note: build?.cached ? 'unchanged, not built again' : 'built', lines: [] }
  return { name, state: 'queued', note: '', lines: [] }
}

/** Reasons begin with who it was about: `web: exited with 1`, `web/migrate exited with 1`. */
function isBlamed({ because }: RolloutView, name: string): boolean {
  return because !== null && (because.text.startsWith(`${name}: `) || because.text.startsWith(`${name}/`))
}

function stageOf(rollout: RolloutView, name: string): number | null {
  const at = rollout.stages?.findIndex((stage) => stage.some((it) => it.service === name)) ?? -1
  return at === -1 ? null : at
}
