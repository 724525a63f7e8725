import type { Reach } from '../reach.ts'
import { mail } from './email.ts'
import { post } from './post.ts'
import type { Parcel, Sent } from './sent.ts'
import { signedHeaders } from './signature.ts'
import { slackBody } from './slack.ts'

/**
 * One try to bring a message to its target. Never throws: what goes wrong is the result.
 *
 * @example await deliver(parcel, 'internet', Date.now(), signal) // { outcome: 'delivered' }
 */
export async function deliver({ id, message, address }: Parcel, reach: Reach, nowMs: number, signal: AbortSignal): Promise<Sent> {
  switch (address.kind) {
    case 'webhook': {
      const body = JSON.stringify({ id, ...message })
      const seconds = Math.floor(nowMs / 1000)
      return post(new URL(address.url), signedHeaders({ id, secret: address.secret, body, seconds }), body, reach, signal)
    }
    case 'slack':
      return post(new URL(address.url), {}, JSON.stringify(slackBody(message)), reach, signal)
    case 'email':
      return mail({ id, message }, address, reach, signal)
  }
}
