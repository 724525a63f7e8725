import { createHash, randomBytes } from 'node:crypto'

/** The prefix lets scanners for leaked credentials recognise it. */
const PREFIX = 'weir_'
const FORM = /^weir_[\w-]{43}$/

/** 256 bits of chance, shown once; the store gets only the hash. A slow hash would add nothing to that much chance. */
export function mintToken(): { readonly secret: string; readonly hash: Uint8Array } {
  const secret = PREFIX + randomBytes(32).toString('base64url')
  return { secret, hash: hashOf(secret) }
}

/** null: not of the form of a token, so not worth asking the store. */
export function tokenHash(secret: string): Uint8Array | null {
  return FORM.test(secret) ? hashOf(secret) : null
}

function hashOf(secret: string): Uint8Array {
  return createHash('sha256').update(secret).digest()
}
