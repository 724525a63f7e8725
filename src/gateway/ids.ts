import { randomBytes } from 'node:crypto'

/** Request and trace ids: unique, not secret; drawn from a pool so that a request does not pay for a system call. */
const POOL_BYTES = 4096
let pool = ''
let at = 0

/** @example hexId(8) // '9f1c2b3a4d5e6f70' */
export function hexId(bytes: number): string {
  const length = bytes * 2
  if (at + length > pool.length) {
    pool = randomBytes(POOL_BYTES).toString('hex')
    at = 0
  }
  const id = pool.slice(at, at + length)
  at += length
  return id
}
