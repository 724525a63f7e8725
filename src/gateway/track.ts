import type { Listener, TrafficSplit } from '../core/model/routing.ts'
import type { Mark, Track } from './baggage.ts'

export interface Hop {
  /** Where the request came in: `entry` for routes and ports of their own, else the edge's way of deciding. */
  readonly track: 'entry' | Extract<Listener, { kind: 'edge' }>['track']
  readonly split: TrafficSplit | null
  /** What the caller's baggage says; at the entry it comes from outside and is not looked at. */
  readonly baggage: Mark | null
  /** Where the unit of the split stands, 0 ≤ position < 100; null: it has none (header or cookie missing), or nobody asks. */
  readonly position: number | null
}

export interface TrackDecision {
  /** Target group to use. */
  readonly serve: Track
  /** Track assigned at the entry, for the counters. */
  readonly counted: Track | 'unknown'
  /** What to write into baggage; null: leave it as it came. */
  readonly write: Track | 'shadow' | null
}

const UNSPLIT: TrackDecision = { serve: 'stable', counted: 'stable', write: null }
const SHADOW: TrackDecision = { serve: 'canary', counted: 'unknown', write: 'shadow' }
const ASSIGNED: Readonly<Record<Track, TrackDecision>> = {
  stable: { serve: 'stable', counted: 'stable', write: 'stable' },
  canary: { serve: 'canary', counted: 'canary', write: 'canary' },
}

/**
 * | hop       | split | baggage | serve                      | counted | baggage sent on |
 * |-----------|-------|---------|----------------------------|---------|-----------------|
 * | `shadow`  | any   | any     | canary                     | unknown | shadow          |
 * | an edge   | any   | shadow  | canary                     | unknown | shadow          |
 * | `canary`  | any   | any     | canary                     | canary  | canary          |
 * | any other | none  | any     | stable                     | stable  | as it came      |
 * | entry     | yes   | any     | by position against weight | = serve | = serve         |
 * | `stable`  | yes   | any     | stable                     | stable  | stable          |
 * | `baggage` | yes   | canary  | canary; stable at weight 0 | canary  | as it came      |
 * | `baggage` | yes   | stable  | stable                     | stable  | as it came      |
 * | `baggage` | yes   | lost    | stable                     | unknown | as it came      |
 * | `split`   | yes   | present | as `baggage`               |         |                 |
 * | `split`   | yes   | lost    | by request against weight  | = serve | = serve         |
 *
 * Baggage that came from outside is taken out at the entry, split or not. Marks of a trial that is over count as lost.
 */
export function decideTrack(hop: Hop): TrackDecision {
  if (hop.track === 'shadow' || (hop.track !== 'entry' && hop.baggage === 'shadow')) return SHADOW
  if (hop.track === 'canary') return ASSIGNED.canary
  if (hop.split === null) return UNSPLIT
  switch (hop.track) {
    case 'entry':
      return ASSIGNED[sideOf(hop.split.weight, hop.position)]
    case 'stable':
      return ASSIGNED.stable
    case 'baggage':
    case 'split':
      if (hop.baggage === 'stable' || hop.baggage === 'canary')
        return { serve: hop.split.weight > 0 ? hop.baggage : 'stable', counted: hop.baggage, write: null }
      if (hop.track === 'baggage') return { serve: 'stable', counted: 'unknown', write: null }
      return ASSIGNED[sideOf(hop.split.weight, hop.position)]
  }
}

/** Raising the weight keeps members: whoever stood below the old weight stands below the new one. */
export function sideOf(weight: number, position: number | null): Track {
  if (weight >= 100) return 'canary'
  return position !== null && position < weight ? 'canary' : 'stable'
}
