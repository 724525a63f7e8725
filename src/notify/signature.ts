import { createHmac } from 'node:crypto'

/**
 * Headers of a signed webhook, as standardwebhooks.com has them: HMAC-SHA256 over id, time and body. Receivers refuse what is older than
 * five minutes; each try is signed anew.
 *
 * @example signedHeaders({ id: 'd1', secret: 'whsec_…', body: '{}', seconds: 1_763_800_000 })['webhook-signature'] // 'v1,K5oZ…='
 */
export function signedHeaders(parcel: {
  readonly id: string
  readonly secret: string
  readonly body: string
  readonly seconds: number
}): Readonly<Record<string, string>> {
  const { id, secret, body, seconds } = parcel
  const signature = createHmac('sha256', keyOf(secret)).update(`${id}.${seconds}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${signature}` }
}

/** `whsec_` and base64, as libraries for receivers take it; any other text counts byte by byte. */
function keyOf(secret: string): Buffer {
  return secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret, 'utf8')
}
