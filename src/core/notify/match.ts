import { type Message, messageOf, type PlacedEvent } from './message.ts'
import type { Topic } from './topics.ts'

export interface Listener {
  readonly id: number
  readonly tenant: string
  /** null: all of the tenant. */
  readonly app: string | null
  /** null: all of the app. */
  readonly environment: string | null
  readonly topics: readonly Topic[]
  /** It hears of what came after this event. */
  readonly afterEvent: number
}

export interface Outgoing {
  readonly target: number
  readonly event: number
  readonly message: Message
}

/** Which of what happened is said to whom, in the order of the events. */
export function outgoingOf(events: readonly (PlacedEvent & { readonly seq: number })[], listeners: readonly Listener[]): readonly Outgoing[] {
  return events.flatMap((event) => {
    const message = messageOf(event)
    if (message === null) return []
    return listeners.filter((it) => hears(it, event, message.topic)).map(({ id }) => ({ target: id, event: event.seq, message }))
  })
}

function hears(listener: Listener, event: PlacedEvent & { readonly seq: number }, topic: Topic): boolean {
  const isPlace = (wanted: string | null, is: string) => wanted === null || wanted === is
  return (
    listener.tenant === event.tenant &&
    isPlace(listener.app, event.app) &&
    isPlace(listener.environment, event.environment) &&
    listener.topics.includes(topic) &&
    event.seq > listener.afterEvent
  )
}
