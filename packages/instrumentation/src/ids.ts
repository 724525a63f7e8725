import { Buffer } from 'node:buffer'

const pool = new Uint32Array(1024)
const SPAN_BYTES = 8
const ZERO = '0'.repeat(SPAN_BYTES * 2)

/** Hex digits that are handed out piece by piece: one call into native code for five hundred ids. */
let digits = ''
let at = 0

/** Ids need to differ, not to be unguessable, and V8 seeds `Math.random` for each process and thread: no loading of node:crypto. */
export function newSpanId(): string {
  if (at >= digits.length) refill()
  const id = digits.slice(at, at + SPAN_BYTES * 2)
  at += SPAN_BYTES * 2
  return id === ZERO ? newSpanId() : id
}

export function newTraceId(): string {
  return newSpanId() + newSpanId()
}

function refill(): void {
  for (let word = 0; word < pool.length; word++) pool[word] = Math.random() * 4_294_967_296
  digits = Buffer.from(pool.buffer).toString('hex')
  at = 0
}
