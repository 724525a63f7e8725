import type { TargetGroup, TrafficSplit } from '../core/model/routing.ts'
import { clientOf, type Mark, markOf, type Track, withMark } from './baggage.ts'
import { CLIENT_COOKIE, cookieValue, type Draw, drawOf, identify } from './client-identity.ts'
import type { Group, Place } from './directory.ts'
import { LABELS, type Label } from './evidence.ts'
import type { Added } from './forward-headers.ts'
import { forwardedFrom, type TrustedProxies } from './forwarded.ts'
import { hexId } from './ids.ts'
import type { RequestHead } from './request-head.ts'
import type { GatewaySpans, Hop } from './spans.ts'
import { decideTrack, sideOf, type TrackDecision } from './track.ts'

/** All that is decided about a request before a target is chosen. */
export interface Admission {
  readonly decision: TrackDecision
  readonly group: Group
  readonly added: Added
  /** null: no spans are made. */
  readonly hop: Hop | null
  /** `Set-Cookie` for a browser that was just given an identity. */
  readonly setCookie: string | null
  /** null: no evidence of anything. */
  readonly label: Label | null
}

export interface AdmissionContext {
  readonly trusted: TrustedProxies
  /** Key of the client hash. */
  readonly key: string
  readonly random: () => number
  /** null: telemetry is turned off. */
  readonly spans: GatewaySpans | null
}

const SANE_ID = /^[A-Za-z0-9._-]{1,128}$/

/** Which track, which replicas, and what is added to the head. `header` looks up a request header by name. */
export function admit(place: Place, head: RequestHead, peer: string, header: (name: string) => string | null, context: AdmissionContext): Admission {
  const entry = place.listener.kind !== 'edge'
  const forwarded = entry ? forwardedFrom(peer, head.forwardedFor, head.forwardedProto, context.trusted) : null
  const { table, judged } = place.environment
  const { split } = table
  const baggage = entry ? null : markOf(head.baggage)
  const track = place.listener.kind === 'edge' ? place.listener.track : 'entry'
  let unit: Unit | null = null
  let position: number | null = null
  if (split !== null) {
    if (entry && split.by.kind !== 'request') {
      unit = unitOf(split.by, split.rollout, head, forwarded?.client ?? peer, header, context.key)
      if (unit !== null) position = unit.position
    } else if (entry || track === 'split') position = context.random() * 100
  }
  const decision = decideTrack({ track, split, baggage, position })
  let mark: Mark | null = decision.write
  let label: Label | null = null
  if (judged !== null) {
    let side = decision.counted
    if (split === null) {
      const { trial } = table
      if (!entry || trial === null) side = sideOfTrial(baggage)
      else {
        if (trial.unit === 'client') unit = unitOf({ kind: 'client' }, trial.id, head, forwarded?.client ?? peer, header, context.key)
        side = sideOf(trial.weight, unit === null ? context.random() * 100 : unit.position)
        mark = side === 'canary' ? 'trial-canary' : 'trial-stable'
      }
    }
    if (judged.judged.unit === 'request') label = side === 'unknown' ? null : LABELS[side]
    else label = labelOf(side, entry ? (unit?.client ?? null) : clientOf(head.baggage), entry)
  }
  if (judged !== null && label !== null) judged.send(place.service.name, label.side, entry)
  const group = groupOf(place, decision.serve)
  const hop = context.spans?.begin(place, group, head.trace, isLoopback(peer)) ?? null
  return {
    decision,
    group,
    hop,
    added: {
      baggage: entry || mark !== null ? withMark(head.baggage, mark, label === null ? null : label.client) : head.baggage,
      requestId: head.requestId !== null && SANE_ID.test(head.requestId) ? head.requestId : hexId(16),
      trace: hop === null ? null : hop.headers,
      forwarded,
      shadow: decision.write === 'shadow',
    },
    setCookie: unit === null || unit.newCookie === null ? null : `${CLIENT_COOKIE}=${unit.newCookie}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax`,
    label,
  }
}

interface Unit extends Draw {
  readonly newCookie: string | null
}

/** null: the header or cookie that the split goes by is missing. */
function unitOf(
  by: Exclude<TrafficSplit['by'], { kind: 'request' }>,
  rollout: string,
  head: RequestHead,
  address: string,
  header: (name: string) => string | null,
  key: string,
): Unit | null {
  if (by.kind === 'client') {
    const { client, newCookie } = identify(head, address, () => hexId(8))
    return { ...drawOf(client, rollout, key), newCookie }
  }
  const value = by.kind === 'header' ? header(by.name) : cookieValue(head.cookie, by.name)
  return value === null ? null : { ...drawOf(value, rollout, key), newCookie: null }
}

/** Where clients are what is randomised, a request at the entry without one was not drawn, and proves nothing. */
function labelOf(side: Track | 'unknown', client: string | null, entry: boolean): Label | null {
  if (side === 'unknown') return null
  if (client === null) return entry ? null : LABELS[side]
  return { side, client }
}

function sideOfTrial(baggage: Mark | null): Track | 'unknown' {
  if (baggage === 'trial-canary') return 'canary'
  return baggage === 'trial-stable' ? 'stable' : 'unknown'
}

function isLoopback(peer: string): boolean {
  return peer.startsWith('127.') || peer === '::1' || peer.startsWith('::ffff:127.')
}

/** An unchanged service serves both tracks from its one group. */
function groupOf(place: Place, track: Track): Group {
  return track === 'canary' && place.service.canary !== null ? place.service.canary : place.service.stable
}

/** Why nobody can answer: "no replica of web is ready (v43: exited with 1: …)". */
export function noTargetCause(service: string, group: Pick<TargetGroup, 'origin' | 'cause'>): string {
  return group.cause ?? `no replica of ${service} (v${group.origin}) is ready`
}
