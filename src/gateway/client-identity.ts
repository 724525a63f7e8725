import { hash } from 'node:crypto'
import type { RequestHead } from './request-head.ts'

/** The cookie by which a browser stays in its group. It holds chance, not knowledge. */
export const CLIENT_COOKIE = 'weir-client'
const CLIENT_VALUE = /^[0-9a-f]{16}$/

export interface Identity {
  /** What stands for the client; leaves this process only as a keyed hash. */
  readonly client: string
  /** Value for a new cookie, when a browser came without one. */
  readonly newCookie: string | null
}

/**
 * Weir's cookie → `Authorization` → address. A browser (it asks for HTML) that has neither cookie nor `Authorization` gets a
 * cookie at once and is judged by it from this first request on, so that it does not change sides when it returns.
 */
export function identify(head: RequestHead, address: string, newValue: () => string): Identity {
  const cookie = cookieValue(head.cookie, CLIENT_COOKIE)
  if (cookie !== null && CLIENT_VALUE.test(cookie)) return { client: `cookie:${cookie}`, newCookie: null }
  if (head.authorization !== null) return { client: `authorization:${head.authorization}`, newCookie: null }
  if (head.accept?.includes('text/html')) {
    const value = newValue()
    return { client: `cookie:${value}`, newCookie: value }
  }
  return { client: `address:${address}`, newCookie: null }
}

/** Where a unit stands in a split, and its name in the evidence. */
export interface Draw {
  /** 0 ≤ position < 100, even over units, the same for ever. */
  readonly position: number
  /** 16 hex digits that say nothing of the position: a sample of them is a sample of both sides. */
  readonly client: string
}

/**
 * What a unit draws in the split of a rollout. Keyed, so that nobody outside can compute in which group an address or token is; salted
 * by the rollout, so that not always the same ones come first.
 */
export function drawOf(unit: string, rollout: string, key: string): Draw {
  const digest = hash('sha256', `${key}\n${rollout}\n${unit}`, 'hex')
  return { position: (Number.parseInt(digest.slice(0, 12), 16) / 2 ** 48) * 100, client: digest.slice(16, 32) }
}

/** The value of one cookie, or null. */
export function cookieValue(header: string | null, name: string): string | null {
  if (header === null || !header.includes(name)) return null
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return null
}
