import type { TargetGroup } from '../core/model/routing.ts'
import { type Track, trackOf, withTrack } from './baggage.ts'
import { CLIENT_COOKIE, cookieValue, identify, positionOf } from './client-identity.ts'
import type { Group, Place } from './directory.ts'
import type { Added } from './forward-headers.ts'
import { forwardedFrom, type TrustedProxies } from './forwarded.ts'
import { hexId } from './ids.ts'
import type { RequestHead } from './request-head.ts'
import type { GatewaySpans, Hop } from './spans.ts'
import { decideTrack, type TrackDecision } from './track.ts'

/** All that is decided about a request before a target is chosen. */
export interface Admission {
  readonly decision: TrackDecision
  readonly group: Group
  readonly added: Added
  /** null: no spans are made. */
  readonly hop: Hop | null
  /** `Set-Cookie` for a browser that was just given an identity. */
  readonly setCookie: string | null
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
  const { split } = place.environment.table
  let newCookie: string | null = null
  const decision = decideTrack({
    track: place.listener.kind === 'edge' ? place.listener.track : 'entry',
    split,
    baggage: entry ? null : trackOf(head.baggage),
    position: () => {
      if (split === null || !entry || split.by.kind === 'request') return context.random() * 100
      if (split.by.kind === 'client') {
        const identity = identify(head, forwarded?.client ?? peer, () => hexId(8))
        newCookie = identity.newCookie
        return positionOf(identity.client, split, context.key)
      }
      const unit = split.by.kind === 'header' ? header(split.by.name) : cookieValue(head.cookie, split.by.name)
      return unit === null ? null : positionOf(unit, split, context.key)
    },
  })
  const group = groupOf(place, decision.serve)
  const hop = context.spans?.begin(place, group, head.trace, isLoopback(peer)) ?? null
  return {
    decision,
    group,
    hop,
    added: {
      baggage: entry || decision.write !== null ? withTrack(head.baggage, decision.write) : head.baggage,
      requestId: head.requestId !== null && SANE_ID.test(head.requestId) ? head.requestId : hexId(16),
      trace: hop === null ? null : hop.headers,
      forwarded,
    },
    setCookie: newCookie === null ? null : `${CLIENT_COOKIE}=${newCookie as string}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax`,
  }
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
