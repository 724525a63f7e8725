import { Buffer } from 'node:buffer'

/** Protobuf's wire types. */
const VARINT = 0
const FIXED64 = 1
const BYTES = 2

/**
 * Writes protobuf from the end to the beginning: when a message's length is to be written, its content stands there already.
 * So a field is written before those that shall stand in front of it, and nothing is measured or copied twice.
 *
 * @example
 * const writer = new ProtobufWriter(1024)
 * writer.text(2, 'value')
 * writer.text(1, 'key')
 * writer.take() // { 1: 'key', 2: 'value' }
 */
export class ProtobufWriter {
  #bytes: Buffer
  #at: number

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity)
    this.#at = capacity
  }

  get length(): number {
    return this.#bytes.length - this.#at
  }

  /** What was written; the writer is empty afterwards. */
  take(): Buffer {
    const taken = this.#bytes.subarray(this.#at)
    this.#bytes = Buffer.allocUnsafeSlow(this.#bytes.length)
    this.#at = this.#bytes.length
    return taken
  }

  /** What was written since the writer was `before` long. */
  copy(before: number): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(this.#at, this.#bytes.length - before))
  }

  /** Forgets what was written since the writer was `before` long. */
  cutTo(before: number): void {
    this.#at = this.#bytes.length - before
  }

  /** Closes the message that began when the writer was `before` long. */
  message(field: number, before: number): void {
    this.#varint(this.length - before)
    this.#tag(field, BYTES)
  }

  text(field: number, value: string): void {
    const size = value.length
    this.#reserve(size * 3)
    const from = this.#at - size
    const bytes = this.#bytes
    let index = 0
    for (; index < size; index++) {
      const code = value.charCodeAt(index)
      if (code > 0x7f) break
      bytes[from + index] = code
    }
    if (index === size) this.#at = from
    else {
      const length = Buffer.byteLength(value)
      this.#at -= length
      bytes.write(value, this.#at, length, 'utf8')
    }
    this.#varint(index === size ? size : Buffer.byteLength(value))
    this.#tag(field, BYTES)
  }

  /** Lower-case hex digits as the bytes they stand for. */
  hex(field: number, digits: string): void {
    const size = digits.length >>> 1
    this.#reserve(size)
    this.#at -= size
    this.#bytes.write(digits, this.#at, size, 'hex')
    this.#varint(size)
    this.#tag(field, BYTES)
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#at -= bytes.length
    this.#bytes.set(bytes, this.#at)
  }

  /** A whole number; one below 0 in two's complement of 64 bits, as protobuf's int64 wants it. */
  int(field: number, value: number): void {
    if (value >= 0) this.#varint(value)
    else this.#bigVarint(BigInt.asUintN(64, BigInt(value)))
    this.#tag(field, VARINT)
  }

  double(field: number, value: number): void {
    this.#reserve(8)
    this.#at -= 8
    this.#bytes.writeDoubleLE(value, this.#at)
    this.#tag(field, FIXED64)
  }

  /** Milliseconds with a fraction, as nanoseconds since 1970. A double does not hold those, so they are made in two halves from microseconds. */
  nanoseconds(field: number, ms: number): void {
    const us = Math.round(ms * 1000)
    const low = (us % 4_294_967_296) * 1000
    this.#reserve(8)
    this.#at -= 8
    this.#word(this.#at, low % 4_294_967_296)
    this.#word(this.#at + 4, Math.floor(us / 4_294_967_296) * 1000 + Math.floor(low / 4_294_967_296))
    this.#tag(field, FIXED64)
  }

  #word(at: number, value: number): void {
    const bytes = this.#bytes
    bytes[at] = value
    bytes[at + 1] = value >>> 8
    bytes[at + 2] = value >>> 16
    bytes[at + 3] = value >>> 24
  }

  #tag(field: number, type: number): void {
    this.#varint(field * 8 + type)
  }

  #varint(value: number): void {
    if (this.#at < 10) this.#reserve(10)
    if (value < 0x80) {
      this.#bytes[--this.#at] = value
      return
    }
    let size = 2
    for (let rest = value / 0x4000; rest >= 1; rest /= 0x80) size++
    this.#at -= size
    let rest = value
    for (let index = 0; index < size - 1; index++) {
      this.#bytes[this.#at + index] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#at + size - 1] = rest
  }

  #bigVarint(value: bigint): void {
    const bytes: number[] = []
    let rest = value
    for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
    bytes.push(Number(rest))
    this.raw(Uint8Array.from(bytes))
  }

  #reserve(size: number): void {
    if (this.#at >= size) return
    const length = this.length
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, length + size + 64))
    this.#bytes.copy(grown, grown.length - length, this.#at)
    this.#at = grown.length - length
    this.#bytes = grown
  }
}
