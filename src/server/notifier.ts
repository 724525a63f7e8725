import type { Epoch } from '../core/model/epoch.ts'
import type { Clock, Random } from '../core/model/world.ts'
import { type Listener, type Outgoing, outgoingOf } from '../core/notify/match.ts'
import type { Message, PlacedEvent } from '../core/notify/message.ts'
import { GIVE_UP_AFTER_MS, retryInMs } from '../core/notify/retry.ts'
import { TOLD_KINDS } from '../core/notify/topics.ts'
import type { Address } from '../notify/target.ts'
import type { Reach } from '../reach.ts'

/** A hint may be lost; what waits for its next try is due by itself. */
const LOOK_EVERY_MS = 5_000
const AFTER_TROUBLE_MS = 1_000
const AT_ONCE = 32
/** Of one tenant: whoever has many targets that hang leaves room for others. */
const AT_ONCE_OF_TENANT = 8

/** What happened since the cursor was moved last, and who listens. */
export interface Fresh {
  readonly from: number
  readonly to: number
  readonly events: readonly (PlacedEvent & { readonly seq: number })[]
  readonly listeners: readonly Listener[]
}

/** The oldest message that waits in its lane: of a target, or of the tests of a target. */
export interface DueDelivery {
  readonly id: string
  readonly lane: string
  readonly tenant: string
  readonly message: Message
  /** null: it cannot be opened with this installation's key. */
  readonly address: Address | null
  /** Tries before this one. */
  readonly tries: number
  readonly ageMs: number
}

export type Settled =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'waiting'; readonly cause: string; readonly inMs: number }
  | { readonly outcome: 'dead'; readonly cause: string }

/** What a notifier remembers by; PostgreSQL's is in store/outbox.ts. All that writes throws `E_STALE_EPOCH` when a newer epoch exists. */
export interface Outbox {
  /** Of events only these kinds. null: nothing happened. */
  fresh(kinds: readonly string[]): Promise<Fresh | null>
  /** Stores what is to be said and moves the cursor, or, where another did, nothing. */
  fill(epoch: Epoch, fresh: Pick<Fresh, 'from' | 'to'>, outgoing: readonly Outgoing[]): Promise<void>
  /** Of each lane that is not busy the oldest, where it is due; and in how many milliseconds the next one will be. */
  due(busy: readonly string[]): Promise<{ readonly deliveries: readonly DueDelivery[]; readonly nextInMs: number | null; readonly reach: Reach }>
  settle(epoch: Epoch, id: string, settled: Settled): Promise<void>
}

/** How a try ended, as notify/deliver.ts says it. */
export type Tried =
  | { readonly outcome: 'delivered' }
  | { readonly outcome: 'failed'; readonly cause: string; readonly retryAfterMs: number | null; readonly isFinal: boolean }

export interface NotifierParts {
  readonly clock: Clock
  readonly random: Random
  readonly outbox: Outbox
  /** null: another server leads, which does the telling. */
  readonly epoch: () => Epoch | null
  readonly eventsChanged: (changed: () => void) => () => void
  /** Never throws. */
  readonly deliver: (parcel: { readonly id: string; readonly message: Message; readonly address: Address }, reach: Reach, signal: AbortSignal) => Promise<Tried>
  readonly failed: (error: unknown) => void
}

/**
 * Tells targets what happened while this server leads: at least once, in order for each target, and none waits for another. Returns the
 * way to stop.
 *
 * @example const stop = startNotifier({ clock, random, outbox: store.outbox, epoch: plane.epoch, eventsChanged, deliver, failed })
 */
export function startNotifier(parts: NotifierParts): () => Promise<void> {
  const { clock, outbox } = parts
  const stopping = new AbortController()
  const underWay = new Map<string, { readonly tenant: string; readonly done: Promise<void> }>()
  let looking: Promise<void> | null = null
  let isAskedAgain = false
  let cancel = () => {}

  const look = async (): Promise<number | null> => {
    const epoch = parts.epoch()
    if (epoch === null) return null
    for (let fresh = await outbox.fresh(TOLD_KINDS); fresh !== null; fresh = await outbox.fresh(TOLD_KINDS))
      await outbox.fill(epoch, fresh, outgoingOf(fresh.events, fresh.listeners))
    const { deliveries, nextInMs, reach } = await outbox.due([...underWay.keys()])
    for (const delivery of deliveries) {
      const ofTenant = [...underWay.values()].filter((it) => it.tenant === delivery.tenant).length
      if (stopping.signal.aborted || underWay.size >= AT_ONCE) break
      if (ofTenant >= AT_ONCE_OF_TENANT) continue
      const done = send(epoch, delivery, reach).finally(() => {
        underWay.delete(delivery.lane)
        again()
      })
      underWay.set(delivery.lane, { tenant: delivery.tenant, done })
    }
    return nextInMs
  }

  const send = async (epoch: Epoch, delivery: DueDelivery, reach: Reach): Promise<void> => {
    try {
      const { id, message, address } = delivery
      const tried = address === null ? UNREADABLE : await parts.deliver({ id, message, address }, reach, stopping.signal)
      // What was broken off because this server ends says nothing about the target.
      if (stopping.signal.aborted && tried.outcome === 'failed') return
      await outbox.settle(epoch, id, settled(delivery, tried, parts.random.next()))
    } catch (error) {
      parts.failed(error)
      // It will be sent again, but not at once: a store that fails must not have its targets flooded.
      if (!stopping.signal.aborted) await new Promise<void>((resolve) => clock.after(AFTER_TROUBLE_MS, resolve))
    }
  }

  const again = () => {
    if (stopping.signal.aborted) return
    if (looking) {
      isAskedAgain = true
      return
    }
    cancel()
    looking = look()
      .catch((error: unknown) => {
        parts.failed(error)
        return null
      })
      .then((nextInMs) => {
        looking = null
        const waitMs = isAskedAgain ? 0 : Math.min(nextInMs ?? LOOK_EVERY_MS, LOOK_EVERY_MS)
        isAskedAgain = false
        if (!stopping.signal.aborted) cancel = clock.after(waitMs, again)
      })
  }

  const unwatch = parts.eventsChanged(again)
  again()
  return async () => {
    stopping.abort()
    unwatch()
    cancel()
    await looking
    await Promise.all([...underWay.values()].map((it) => it.done))
  }
}

const UNREADABLE: Tried = { outcome: 'failed', cause: 'its address cannot be opened with the key of this installation', retryAfterMs: null, isFinal: false }

/** A test is for whoever waits for it: it is tried once. */
function settled({ message, tries, ageMs }: DueDelivery, tried: Tried, chance: number): Settled {
  if (tried.outcome === 'delivered') return tried
  const { cause, retryAfterMs, isFinal } = tried
  if (isFinal || message.topic === 'test' || ageMs >= GIVE_UP_AFTER_MS) return { outcome: 'dead', cause }
  return { outcome: 'waiting', cause, inMs: retryInMs(tries + 1, chance, retryAfterMs) }
}
