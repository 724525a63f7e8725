import { type ToldEvent, type Topic, topicOf } from './topics.ts'

export interface PlacedEvent extends ToldEvent {
  /** ISO 8601. */
  readonly at: string
  readonly tenant: string
  readonly app: string
  readonly environment: string
  readonly text: string
}

/** What a target is told: the body of a webhook, and what messages for people are written from. */
export interface Message {
  readonly topic: Topic | 'test'
  /** Kind of the event; `test` where a person tries a target. */
  readonly kind: string
  readonly at: string
  readonly tenant: string
  /** null, as `environment`: a test of a target for all. */
  readonly app: string | null
  readonly environment: string | null
  readonly release: number | null
  /** null: it belongs to none. */
  readonly rollout: string | null
  /** Of a verdict: `pass`, `fail` or `inconclusive`. */
  readonly verdict: string | null
  /** Why, with the code of docs/reference/errors.md; null: the text says all. */
  readonly because: { readonly code: string; readonly text: string } | null
  /** One line for people. */
  readonly title: string
  readonly text: string
  /** A command to type. */
  readonly next: string
}

const LONGEST_TEXT = 1_500

/**
 * Whom it concerns and what to say; null: nobody is told. Of the event's data only what is named here goes out: what processes printed
 * stays inside.
 *
 * @example messageOf(event)?.title // 'shop/production: v43 was not taken'
 */
export function messageOf(event: PlacedEvent): (Message & { readonly topic: Topic }) | null {
  const topic = topicOf(event)
  if (topic === null) return null
  const { kind, at, tenant, app, environment, release, data } = event
  const verdict = kind === 'rollout.verdict' ? textOf(data['verdict']) : kind === 'rollout.waits' && topic === 'verdict' ? 'inconclusive' : null
  return {
    topic,
    kind,
    at,
    tenant,
    app,
    environment,
    release,
    rollout: textOf(data['rollout']),
    verdict,
    because: becauseOf(data['because']),
    title: `${app}/${environment}: ${headline(event, topic, verdict)}`,
    text: event.text.slice(0, LONGEST_TEXT),
    next: `${nextOf(event, topic)} -a ${app} -e ${environment}`,
  }
}

/** What a person sends to see whether a target gets it. */
export function testMessage(place: { readonly tenant: string; readonly app: string | null; readonly environment: string | null }, at: string): Message {
  const of = place.app === null ? `all apps of ${place.tenant}` : place.environment === null ? place.app : `${place.app}/${place.environment}`
  return {
    topic: 'test',
    kind: 'test',
    at,
    ...place,
    release: null,
    rollout: null,
    verdict: null,
    because: null,
    title: `Weir: a test message for ${of}`,
    text: 'Somebody tried whether messages arrive here. They do.',
    next: 'weir notify list',
  }
}

function headline({ kind, release }: PlacedEvent, topic: Topic, verdict: string | null): string {
  const it = release === null ? 'the environment' : `v${release}`
  switch (topic) {
    case 'started':
      return `${it} takes over`
    case 'verdict':
      return verdict === 'pass' ? `${it} is proven` : verdict === 'fail' ? `${it} is worse and goes back` : `${it}: no verdict yet`
    case 'rollback':
      return kind === 'rollout.started' ? `going back to ${it}` : `${it} was not taken`
    case 'approval':
      return `${it} waits for approval`
    case 'promoted':
      return `${it} serves`
    case 'stuck':
      return kind === 'environment.goes-on' ? 'goes on again' : kind === 'rollout.phase' ? `${it} is held and needs a person` : `${it} is stuck`
  }
}

function nextOf({ kind, release }: PlacedEvent, topic: Topic): string {
  if (topic === 'approval') return 'weir canary resume'
  if (kind === 'release.stuck' || topic === 'rollback') return release === null ? 'weir status' : `weir releases show v${release}`
  if (topic === 'verdict' || topic === 'started') return 'weir canary status'
  return 'weir status'
}

function becauseOf(value: unknown): Message['because'] {
  if (typeof value !== 'object' || value === null || !('code' in value) || !('text' in value)) return null
  return { code: String(value.code), text: String(value.text).slice(0, LONGEST_TEXT) }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
