import type { Release } from '../model/release.ts'
import type { EntryAnswers } from '../model/routing.ts'
import { breakingMigrations, isReplaced, originsOf } from '../plan/changes.ts'
import { checksBefore } from '../plan/checks.ts'
import type { Releases, RunningRelease } from '../plan/desired.ts'
import { stagesOf } from '../plan/order.ts'
import { type RolloutShape, STANDARD_AT_MOST_MS, shapeOf } from '../plan/strategy.ts'
import type { Judging } from './judging.ts'
import type { Because, EnvironmentState, Rollout, WaitingRollout } from './state.ts'

/** What the journal knows of a release: its origins once it has started to run. */
export interface KnownRelease extends Release {
  readonly origins: Readonly<Record<string, number>> | null
  readonly promoted: boolean
  /** What a branch or tag meant when it was built; not there where the source says it, or is no repository. */
  readonly commit?: string | null
}

export type Begun = { readonly rollout: Rollout; readonly origins: Readonly<Record<string, number>> } | { readonly refused: Because }

export interface BeginInput {
  readonly state: EnvironmentState
  readonly next: WaitingRollout
  readonly releases: Readonly<Record<number, KnownRelease>>
  /** null: nothing was counted. */
  readonly answers: EntryAnswers | null
  readonly designEffect: number
  readonly now: number
}

/** The rollout that takes the environment from what serves to `next.target`; everything that must not change on the way is decided here. */
export function begin({ state, next, releases, answers, designEffect, now }: BeginInput): Begun {
  const target = releases[next.target]
  if (!target) return { refused: because('E_NOT_FOUND', `there is no release v${next.target} that could run`) }
  const base = state.current === null ? null : (releases[state.current] ?? null)
  const origins = target.origins ?? originsOf(base, target)
  const changed = Object.keys(target.graph.services).filter((it) => base?.origins?.[it] !== origins[it])
  const compared = next.kind === 'deploy' && !next.forward
  const shape = shapeOf(target.graph, changed, base === null || !compared)
  if (next.kind === 'deploy' && shape.refusal) return { refused: because('E_UNSUPPORTED', shape.refusal) }
  const stages = stagesOf(target.graph, new Set(changed)).map((stage) =>
    stage.map((service) => ({
      service,
      manner: base !== null && base.graph.services[service] && isReplaced(target.graph, service) ? ('replace' as const) : ('beside' as const),
    })),
  )
  const split = shape.steps.length > 0 ? (shape.split ?? defaultSplit(answers)) : null
  return {
    origins,
    rollout: {
      id: next.id,
      kind: next.kind,
      target: next.target,
      base: state.current,
      by: next.by,
      startedAt: now,
      strategy: shape.strategy,
      steps: shape.steps.map((it) => it.weight),
      judging: judgingOf(shape, split, designEffect),
      shadow: shape.shadow,
      checks: shape.checks && { before: checksBefore(target.graph, changed, shape.checks), after: shape.checks.after },
      stages,
      removed: Object.keys(base?.graph.services ?? {}).filter((it) => !target.graph.services[it]),
      split,
      keepMs: Math.max(shape.keepMs, base ? shapeOf(base.graph, Object.keys(base.graph.services), true).keepMs : 0),
      phase: { name: 'starting', stage: 0, since: now },
      paused: false,
      waits: null,
      grounds: next.forward ? because('forward', `forward, by ${next.by}: not compared with v${state.current ?? 0}`) : null,
    },
  }
}

/** Frozen from here on. Copies are compared request by request, whatever the split that may follow goes by. */
function judgingOf({ strategy, analysis, onInconclusive, steps }: RolloutShape, split: Rollout['split'], designEffect: number): Judging | null {
  if (analysis === null) return null
  const rules = steps.map(({ atLeastMs = 0, atMostMs = STANDARD_AT_MOST_MS, approve = false }) => ({ atLeastMs, atMostMs, approve }))
  const unit = strategy === 'shadow' || split?.by === 'request' ? 'request' : 'client'
  return { analysis, rules, onInconclusive, unit, designEffect, stage: 0, since: null, thresholds: {}, verdict: null }
}

/** Count what you randomise: behind pages there are people, who come back and must find what they left; programs ask one request at a time. */
function defaultSplit(answers: EntryAnswers | null): { readonly by: 'request' | 'client' } {
  return { by: answers !== null && answers.html * 2 > answers.total ? 'client' : 'request' }
}

/**
 * Going back from `current` to `target` would run old code on a schema that it may not fit: names the commands in the way.
 * The schema itself is never rolled back.
 */
export function schemaBreaks(current: RunningRelease, target: KnownRelease): readonly string[] {
  if (target.number >= current.number) return []
  const changed = Object.keys(current.origins).filter((it) => (current.origins[it] ?? 0) > target.number)
  return breakingMigrations(current.graph, changed)
}

/** The release that a rollback without a number means: the warm one, else the newest promoted one below the current. */
export function previousRelease(state: EnvironmentState, releases: Readonly<Record<number, KnownRelease>>): number | null {
  if (state.warm) return state.warm.release
  const before = Object.values(releases).filter((it) => it.promoted && it.number !== state.current && it.number < (state.current ?? 0))
  return before.reduce<number | null>((newest, it) => (newest === null || it.number > newest ? it.number : newest), null)
}

export function because(code: string, text: string, lines: readonly string[] = []): Because {
  return { code, text, lines }
}

/** Those of the known releases that have origins: what desired, tables and replicas are made from. */
export function running(releases: Readonly<Record<number, KnownRelease>>, begun: Readonly<Record<number, Readonly<Record<string, number>>>>): Releases {
  const result: Record<number, RunningRelease> = {}
  for (const release of Object.values(releases)) {
    const origins = begun[release.number] ?? release.origins
    if (origins) result[release.number] = { ...release, origins }
  }
  return result
}
