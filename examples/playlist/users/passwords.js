import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'

/** `salt:digest`, both in hex. */
export function digest(password, salt = randomBytes(16).toString('hex')) {
  return `${salt}:${scryptSync(password, salt, 32).toString('hex')}`
}

export function matches(password, stored) {
  return timingSafeEqual(Buffer.from(digest(password, stored.split(':')[0])), Buffer.from(stored))
}
