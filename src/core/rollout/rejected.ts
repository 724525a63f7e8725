import { because, type KnownRelease } from './begin.ts'
import type { Because, EnvironmentState, Rollout } from './state.ts'

/** So many are remembered, the newest. */
const REMEMBERED = 50

/** What a release was made from, if the same can come again; a configuration that is applied to what serves is something new each time. */
export function sourceKey({ source, commit }: Pick<KnownRelease, 'source' | 'commit'>): string | null {
  if (source.kind === 'upload') return `upload:${source.digest}`
  if (source.kind === 'release') return source.environment === undefined ? null : `release:${source.environment}/${source.number}`
  const at = commit ?? source.commit
  return at === null ? null : `git:${at}`
}

/** Why it is not taken by itself, or null. */
export function rejectedBefore(state: EnvironmentState, release: KnownRelease | undefined): Because | null {
  const key = release ? sourceKey(release) : null
  const before = key === null ? undefined : state.rejected.find((it) => it.source === key)
  if (!before) return null
  const what = key?.startsWith('git:') ? `commit ${key.slice(4, 16)}` : 'this source'
  return because('E_REJECTED_BEFORE', `${what} was taken back as v${before.release}: ${before.text}`)
}

/** A rollout ended because of what its release did: it is not to come back by itself. */
export function remembering(state: EnvironmentState, rollout: Rollout, target: KnownRelease | undefined): EnvironmentState {
  const { phase } = rollout
  const source = target && phase.name === 'restoring' && phase.rejects && rollout.kind === 'deploy' ? sourceKey(target) : null
  if (source === null || phase.name !== 'restoring') return state
  const others = state.rejected.filter((it) => it.source !== source)
  return { ...state, rejected: [...others, { release: rollout.target, source, rollout: rollout.id, text: phase.because.text }].slice(-REMEMBERED) }
}

/** It came again and was good: nothing is held against it any more. */
export function forgiving(state: EnvironmentState, target: KnownRelease | undefined): EnvironmentState {
  const source = target ? sourceKey(target) : null
  const rejected = state.rejected.filter((it) => source === null || it.source !== source)
  return rejected.length === state.rejected.length ? state : { ...state, rejected }
}
