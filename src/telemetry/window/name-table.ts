import { randomInt } from 'node:crypto'
import type { Names } from '../../core/tracegraph/spans.ts'
import { textOf } from '../wire/protobuf-reader.ts'

/** Longer names are cut here, at the beginning of a character. */
const MAX_NAME_BYTES = 256
/** A name that meets more strangers than this on its way is not kept: made-up names with equal hashes must not cost time. */
const MAX_PROBES = 64

/**
 * Text ↔ number for everything in the window. A name is found by its bytes, so that text is made once a name and not once a span; equal
 * hashes are told apart by comparing. Names are never forgotten while the process lives; when the table is full, all new ones are `other`.
 *
 * @example
 * const names = new NameTable()
 * const id = names.intern(request, from, to)
 * names.text(id) // 'GET /users/:id'
 */
export class NameTable implements Names {
  /** Not there. */
  static readonly NONE = 0
  /** What stands for names that there was no room for. */
  static readonly OTHER = 1

  /** How often a name became `other` because the table is full. */
  turnedAway = 0
  readonly #maxNames: number
  readonly #maxBytes: number
  readonly #seed = randomInt(2 ** 31)
  #slots = new Uint32Array(4096)
  #hashes = new Uint32Array(2048)
  /** Name `id` is the bytes from ends[id − 1] to ends[id]. */
  #ends = new Uint32Array(2048)
  #bytes = new Uint8Array(64 * 1024)
  readonly #texts: string[] = []

  constructor({ maxNames = 200_000, maxBytes = 16 * 2 ** 20 }: { maxNames?: number; maxBytes?: number } = {}) {
    this.#maxNames = maxNames
    this.#maxBytes = maxBytes
    this.internText('')
    this.internText('other')
  }

  get size(): number {
    return this.#texts.length
  }

  get byteSize(): number {
    return this.#bytes.length + 4 * (this.#slots.length + this.#hashes.length + this.#ends.length)
  }

  text(id: number): string {
    return this.#texts[id] ?? ''
  }

  /** The number of the name that these bytes are, or −1. */
  find(bytes: Uint8Array, from: number, to: number): number {
    const end = cutAt(bytes, from, to)
    return (this.#slots[this.#slotOf(hash(bytes, from, end, this.#seed), bytes, from, end)] ?? 0) - 1
  }

  intern(bytes: Uint8Array, from: number, to: number): number {
    const end = cutAt(bytes, from, to)
    const hashed = hash(bytes, from, end, this.#seed)
    const slot = this.#slotOf(hashed, bytes, from, end)
    const id = this.#slots[slot] ?? 0
    return id > 0 ? id - 1 : this.#add(slot, hashed, bytes, from, end)
  }

  findText(text: string): number {
    const bytes = new TextEncoder().encode(text)
    return this.find(bytes, 0, bytes.length)
  }

  internText(text: string): number {
    const bytes = new TextEncoder().encode(text)
    return this.intern(bytes, 0, bytes.length)
  }

  /** Where the name is (its number + 1 stands there) or would be; an occupied slot of another name is never given back. */
  #slotOf(hashed: number, bytes: Uint8Array, from: number, to: number): number {
    const mask = this.#slots.length - 1
    let slot = hashed & mask
    for (let probe = 0; probe < MAX_PROBES; probe++) {
      const id = (this.#slots[slot] as number) - 1
      if (id === -1 || (this.#hashes[id] === hashed && this.#isSame(id, bytes, from, to))) return slot
      slot = (slot + 1) & mask
    }
    return this.#slots.length
  }

  #isSame(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    let at = id === 0 ? 0 : (this.#ends[id - 1] as number)
    if ((this.#ends[id] as number) - at !== to - from) return false
    for (let other = from; other < to; other++, at++) if (bytes[other] !== this.#bytes[at]) return false
    return true
  }

  #add(slot: number, hashed: number, bytes: Uint8Array, from: number, to: number): number {
    const id = this.#texts.length
    const begin = id === 0 ? 0 : (this.#ends[id - 1] as number)
    const end = begin + to - from
    if (id >= this.#maxNames || end > this.#maxBytes || slot === this.#slots.length) {
      this.turnedAway++
      return NameTable.OTHER
    }
    if (end > this.#bytes.length) this.#bytes = grown(this.#bytes, Math.max(end, this.#bytes.length * 2), Uint8Array)
    if (id >= this.#ends.length) {
      this.#ends = grown(this.#ends, id * 2, Uint32Array)
      this.#hashes = grown(this.#hashes, id * 2, Uint32Array)
    }
    this.#bytes.set(bytes.subarray(from, to), begin)
    this.#ends[id] = end
    this.#hashes[id] = hashed
    this.#slots[slot] = id + 1
    this.#texts.push(textOf(bytes, from, to))
    if (this.#texts.length * 4 > this.#slots.length) this.#rehash(this.#slots.length * 2)
    return id
  }

  #rehash(size: number): void {
    this.#slots = new Uint32Array(size)
    for (let id = 0; id < this.#texts.length; id++) {
      let slot = (this.#hashes[id] as number) & (size - 1)
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (size - 1)
      this.#slots[slot] = id + 1
    }
  }
}

/** FNV-1a from a seed that senders cannot know, with a last mix so that the low bits depend on all. */
export function hash(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let value = seed ^ 0x811c9dc5
  for (let at = from; at < to; at++) value = Math.imul(value ^ (bytes[at] as number), 0x01000193)
  value ^= value >>> 15
  value = Math.imul(value, 0x2c1b3c6d)
  return (value ^ (value >>> 13)) >>> 0
}

function cutAt(bytes: Uint8Array, from: number, to: number): number {
  if (to - from <= MAX_NAME_BYTES) return to
  let end = from + MAX_NAME_BYTES
  while (end > from && ((bytes[end] as number) & 0xc0) === 0x80) end--
  return end
}

function grown<T extends Uint8Array | Uint32Array>(old: T, size: number, Kind: new (size: number) => T): T {
  const larger = new Kind(size)
  larger.set(old)
  return larger
}
