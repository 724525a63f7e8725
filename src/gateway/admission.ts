import type { TargetGroup, TrafficSplit } from '../core/model/routing.ts'
import { clientOf, type Mark, markOf, type Track, withMark } from './baggage.ts'
import { CLIENT_COOKIE, cookieValue, drawOf, identify } from './client-identity.ts'
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
  let newCookie: string | null = null
  let client: string | null = null
  const draw = (by: TrafficSplit['by'], rollout: string): number | null => {
    if (by.kind === 'request') return context.random() * 100
    let unit: string | null
    if (by.kind === 'client') {
      const identity = identify(head, forwarded?.client ?? peer, () => hexId(8))
      newCookie = identity.newCookie
      unit = identity.client
    } else unit = by.kind === 'header' ? header(by.name) : cookieValue(head.cookie, by.name)
    if (unit === null) return null
    const drawn = drawOf(unit, rollout, context.key)
    client = drawn.client
    return drawn.position
  }
  const decision = decideTrack({
    track: place.listener.kind === 'edge' ? place.listener.track : 'entry',
    split,
    baggage,
    position: () => (split === null || !entry ? context.random() * 100 : draw(split.by, split.rollout)),
  })
  let mark: Mark | null = decision.write
  let label: Label | null = null
  if (judged !== null) {
    const { unit } = judged.judged
    let side = decision.counted
    if (split === null) {
      const { trial } = table
      if (!entry || trial === null) side = sideOfTrial(baggage)
      else {
        side = sideOf(trial.weight, draw({ kind: unit }, trial.id))
        mark = side === 'canary' ? 'trial-canary' : 'trial-stable'
      }
    }
    if (unit === 'client' && !entry) client = clientOf(head.baggage)
    label = labelOf(side, unit, client, entry)
  }
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
    setCookie: newCookie === null ? null : `${CLIENT_COOKIE}=${newCookie as string}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax`,
    label,
  }
}

/** Where clients are what is randomised, a request at the entry without one was not drawn, and proves nothing. */
function labelOf(side: Track | 'unknown', unit: 'request' | 'client', client: string | null, entry: boolean): Label | null {
  if (side === 'unknown') return null
  if (unit === 'request') return LABELS[side]
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
