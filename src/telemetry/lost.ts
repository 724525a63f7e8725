import type { StorageHealth } from './storage/store.ts'
import type { LinkHealth } from './telemetry.ts'
import type { WindowHealth } from './window/trace-window.ts'

export interface LossSources {
  readonly window: WindowHealth
  readonly store: StorageHealth
  /** Spans that workers of the gateway could not keep or bring. */
  readonly gateway: number
  readonly links: readonly LinkHealth[]
  readonly statsd: Readonly<Record<string, number>>
  readonly logFilesMissed: number
  readonly errorKinds: number
  readonly journalsSetAside: number
}

/**
 * Everything that was sent and is not there, by why; what there was none of is left out. To the causes of the window (`window/losses.ts`) come:
 *
 * | cause | counts | what happened |
 * |---|---|---|
 * | gateway | spans | of the gateway's own, not brought here |
 * | not-counted | spans | no room for their counts while the store was away |
 * | traces-not-kept, logs-not-kept, metrics-not-kept, counts-not-kept | rows | no room while the store was away, or refused by it |
 * | log-files-missed | files | written over before they were read |
 * | logs-not-sent | lines | no room while who they are sent on to was away, or refused there |
 * | not-forwarded | spans | the same of spans |
 * | journals-set-aside | files | two processes died taking them in again; `*.set-aside` in the folder of the journal, to be looked at and removed |
 * | names | names | counted as `other`: there were too many different ones |
 * | error-kinds | errors | the same of kinds of errors |
 * | statsd-malformed, statsd-too-many | lines | |
 */
export function lostOf({ window, store, gateway, links, statsd, logFilesMissed, errorKinds, journalsSetAside }: LossSources): Record<string, number> {
  const notKept = (kind: keyof StorageHealth['shed']) => store.shed[kind] + store.refused[kind]
  const lost: Record<string, number> = {}
  for (const { cause, count } of window.losses) lost[cause] = (lost[cause] ?? 0) + count
  const others = {
    ...statsd,
    gateway,
    'not-counted': store.spans.uncounted,
    'traces-not-kept': notKept('traces'),
    'logs-not-kept': notKept('logs'),
    'metrics-not-kept': notKept('samples'),
    'counts-not-kept': notKept('rollups'),
    'log-files-missed': logFilesMissed,
    'logs-not-sent': (store.logExport?.shed ?? 0) + (store.logExport?.refused ?? 0),
    'not-forwarded': links.reduce((sum, it) => sum + (it.lost['not-forwarded'] ?? 0), 0),
    names: window.names.turnedAway + store.names.replaced,
    'error-kinds': errorKinds,
    'journals-set-aside': journalsSetAside,
  }
  for (const [cause, count] of Object.entries(others)) if (count > 0) lost[cause] = count
  return lost
}

/** Labels that are shown; those with the most values first. */
const MOST_CAPPED = 20

/** Labels that had so many values that further ones are counted as `other`. */
export function cappedOf({ capped }: WindowHealth) {
  return capped
    .toSorted((a, b) => b.count - a.count)
    .slice(0, MOST_CAPPED)
    .map(({ scope, ...it }) => ({ environment: `e${scope}`, ...it }))
}
