import { randomInt } from 'node:crypto'

const NONE = -1

/** A trace that was closed gets `open` again when a late span comes. */
export const STATE = { free: 0, open: 1, closed: 2 } as const

/**
 * The traces of the window, found by (scope, trace id): two tenants that use one id have two traces. A slot holds the list of the trace's
 * rows and when it was heard of; slots are used again.
 */
export class TraceTable {
  static readonly BYTES_PER_TRACE = 70

  readonly size: number
  /** How many slots are taken. */
  taken = 0
  readonly id: Uint32Array
  readonly scope: Uint32Array
  readonly state: Uint8Array
  readonly firstRow: Int32Array
  readonly lastRow: Int32Array
  readonly count: Int32Array
  /** Of the first of its rows this many were told of when the trace was closed before. */
  readonly counted: Int32Array
  /** 1: of those, some were written over since. */
  readonly torn: Uint8Array
  readonly firstMs: Float64Array
  readonly lastMs: Float64Array
  readonly wheelNext: Int32Array
  readonly wheelPrevious: Int32Array
  readonly #next: Int32Array
  readonly #heads: Int32Array
  readonly #seed = randomInt(2 ** 31)
  #free = NONE
  #untouched = 0

  constructor(size: number) {
    this.size = size
    this.id = new Uint32Array(4 * size)
    this.scope = new Uint32Array(size)
    this.state = new Uint8Array(size)
    this.firstRow = new Int32Array(size)
    this.lastRow = new Int32Array(size)
    this.count = new Int32Array(size)
    this.counted = new Int32Array(size)
    this.torn = new Uint8Array(size)
    this.firstMs = new Float64Array(size)
    this.lastMs = new Float64Array(size)
    this.wheelNext = new Int32Array(size)
    this.wheelPrevious = new Int32Array(size)
    this.#next = new Int32Array(size)
    this.#heads = new Int32Array(2 ** Math.ceil(Math.log2(size))).fill(NONE)
  }

  /** The slot of a trace, or −1. The id is four words, `ids[at]` and the three after it. */
  find(scope: number, ids: Uint32Array, at: number): number {
    const { id } = this
    for (let slot = this.#heads[this.#bucket(scope, ids, at)] as number; slot !== NONE; slot = this.#next[slot] as number) {
      const own = 4 * slot
      if (id[own + 3] === ids[at + 3] && id[own + 2] === ids[at + 2] && id[own + 1] === ids[at + 1] && id[own] === ids[at] && this.scope[slot] === scope)
        return slot
    }
    return NONE
  }

  /** The id of the trace in a slot, as 32 hex digits. */
  textOf(slot: number): string {
    return hexOf(this.id, 4 * slot, 4)
  }

  /** A slot for a trace that is not there yet; −1: all are taken. */
  add(scope: number, ids: Uint32Array, at: number, nowMs: number): number {
    const slot = this.#free === NONE ? (this.#untouched < this.size ? this.#untouched++ : NONE) : this.#free
    if (slot === NONE) return NONE
    if (slot === this.#free) this.#free = this.#next[slot] as number
    this.taken++
    for (let word = 0; word < 4; word++) this.id[4 * slot + word] = ids[at + word] as number
    this.scope[slot] = scope
    this.state[slot] = STATE.open
    this.firstRow[slot] = NONE
    this.lastRow[slot] = NONE
    this.count[slot] = 0
    this.counted[slot] = 0
    this.torn[slot] = 0
    this.firstMs[slot] = nowMs
    this.lastMs[slot] = nowMs
    const bucket = this.#bucket(scope, ids, at)
    this.#next[slot] = this.#heads[bucket] as number
    this.#heads[bucket] = slot
    return slot
  }

  remove(slot: number): void {
    const bucket = this.#bucket(this.scope[slot] as number, this.id, 4 * slot)
    if (this.#heads[bucket] === slot) this.#heads[bucket] = this.#next[slot] as number
    else {
      let before = this.#heads[bucket] as number
      while (this.#next[before] !== slot) before = this.#next[before] as number
      this.#next[before] = this.#next[slot] as number
    }
    this.state[slot] = STATE.free
    this.#next[slot] = this.#free
    this.#free = slot
    this.taken--
  }

  #bucket(scope: number, ids: Uint32Array, at: number): number {
    let mixed = Math.imul((ids[at + 3] as number) ^ this.#seed, 0x85ebca6b)
    mixed = Math.imul((mixed ^ (mixed >>> 15)) + (ids[at + 2] as number), 0xc2b2ae35)
    mixed = Math.imul((mixed ^ (mixed >>> 13)) + (ids[at + 1] as number), 0x9e3779b1)
    mixed = Math.imul((mixed ^ (mixed >>> 16)) + (ids[at] as number) + (scope | 0), 0x27d4eb2f)
    return ((mixed ^ (mixed >>> 15)) >>> 0) & (this.#heads.length - 1)
  }
}

/** Words of an id as hex digits. */
export function hexOf(words: Uint32Array, at: number, count: number): string {
  let text = ''
  for (let word = 0; word < count; word++) text += (words[at + word] as number).toString(16).padStart(8, '0')
  return text
}

/** The words of an id of hex digits, a short one with zeros in front; null: it is none. */
export function wordsOf(hex: string): Uint32Array | null {
  if (!/^[0-9a-f]{1,32}$/i.test(hex)) return null
  const whole = hex.padStart(32, '0')
  return Uint32Array.from([0, 8, 16, 24], (at) => Number.parseInt(whole.slice(at, at + 8), 16))
}
