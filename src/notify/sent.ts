import type { Message } from '../core/notify/message.ts'
import type { Address } from './target.ts'

/** A message on its way to one target. */
export interface Parcel {
  /** The same at every try, so that the receiver knows again what it had. */
  readonly id: string
  readonly message: Message
  readonly address: Address
}

/** How a try ended. The cause never repeats the address, nor what the other side said at length. */
export type Sent =
  | { readonly outcome: 'delivered' }
  /** `isFinal`: the other side says that it wants none of it any more. */
  | { readonly outcome: 'failed'; readonly cause: string; readonly retryAfterMs: number | null; readonly isFinal: boolean }

export function failed(cause: string, more: { readonly retryAfterMs?: number | null; readonly isFinal?: boolean } = {}): Sent {
  return { outcome: 'failed', cause: cause.slice(0, 300), retryAfterMs: more.retryAfterMs ?? null, isFinal: more.isFinal ?? false }
}
