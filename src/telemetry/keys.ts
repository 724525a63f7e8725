import { createHmac, timingSafeEqual } from 'node:crypto'

/** The header in which a replica shows its key. */
export const KEY_HEADER = 'x-weir-key'

/**
 * What lets a replica write into the telemetry of its environment and of no other: the environment's id, and a MAC of it. Nothing is
 * stored: whoever has the secret (the runner, which hands keys out, and the intake, which checks them) makes the same key again.
 *
 * @example intakeKey(secret, 'e12') // 'e12.9f1c…' (64 hex digits)
 */
export function intakeKey(secret: Uint8Array, environment: string): string {
  return `${environment}.${macOf(secret, environment).toString('hex')}`
}

/** The environment that the key is good for; null: for none. Takes as long for a wrong key as for a right one. */
export function environmentOfKey(secret: Uint8Array, key: string): string | null {
  const match = KEY.exec(key)
  if (!match) return null
  const [, environment = '', mac = ''] = match
  return timingSafeEqual(Buffer.from(mac, 'hex'), macOf(secret, environment)) ? environment : null
}

const KEY = /^(e[1-9]\d{0,14})\.([0-9a-f]{64})$/

function macOf(secret: Uint8Array, environment: string): Buffer {
  return createHmac('sha256', secret).update(`weir intake ${environment}`).digest()
}
