const encoder = new TextEncoder()
const TWO_32 = 2 ** 32

/**
 * Writes protobuf into one buffer that grows. Zero and '' are not written, as proto3 has it.
 *
 * @example
 * const writer = new ProtobufWriter()
 * writer.message(1, () => writer.text(5, 'GET /'))
 * send(writer.finish())
 */
export class ProtobufWriter {
  #bytes: Uint8Array
  #at = 0

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity)
  }

  get size(): number {
    return this.#at
  }

  /** What was written; the writer begins again. */
  finish(): Uint8Array {
    const done = this.#bytes.slice(0, this.#at)
    this.#at = 0
    return done
  }

  /** An unsigned number or a boolean. */
  varint(field: number, value: number): void {
    if (value === 0) return
    this.#tag(field, 0)
    this.#varint(value)
  }

  /** A varint that is written though it is zero: a member of a oneof. */
  varintAlways(field: number, value: bigint): void {
    this.#tag(field, 0)
    this.#bigVarint(value)
  }

  /** 64 bits in two's complement. */
  fixed64(field: number, value: bigint): void {
    if (value === 0n) return
    this.fixed64Always(field, value)
  }

  fixed64Always(field: number, value: bigint): void {
    this.#tag(field, 1)
    this.#reserve(8)
    this.#view().setBigUint64(this.#at, BigInt.asUintN(64, value), true)
    this.#at += 8
  }

  fixed32(field: number, value: number): void {
    if (value === 0) return
    this.#tag(field, 5)
    this.#reserve(4)
    this.#view().setUint32(this.#at, value >>> 0, true)
    this.#at += 4
  }

  doubleAlways(field: number, value: number): void {
    this.#tag(field, 1)
    this.#reserve(8)
    this.#view().setFloat64(this.#at, value, true)
    this.#at += 8
  }

  text(field: number, text: string): void {
    if (text !== '') this.textAlways(field, text)
  }

  textAlways(field: number, text: string): void {
    this.#tag(field, 2)
    const most = text.length * 3
    if (most < 0x80) {
      this.#reserve(most + 1)
      const { written } = encoder.encodeInto(text, this.#bytes.subarray(this.#at + 1))
      this.#bytes[this.#at] = written
      this.#at += written + 1
    } else this.#lengthAndBytes(encoder.encode(text))
  }

  bytes(field: number, bytes: Uint8Array): void {
    if (bytes.length > 0) this.bytesAlways(field, bytes)
  }

  bytesAlways(field: number, bytes: Uint8Array): void {
    this.#tag(field, 2)
    this.#lengthAndBytes(bytes)
  }

  /** What `write` writes becomes a message of its own, an empty one too. */
  message(field: number, write: () => void): void {
    this.#tag(field, 2)
    this.#reserve(1)
    const from = ++this.#at
    write()
    const length = this.#at - from
    if (length < 0x80) {
      this.#bytes[from - 1] = length
      return
    }
    let extra = 0
    for (let rest = length; rest >= 0x80; rest = Math.floor(rest / 128)) extra++
    this.#reserve(extra)
    this.#bytes.copyWithin(from + extra, from, this.#at)
    this.#at = from - 1
    this.#varint(length)
    this.#at += length
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire)
  }

  #varint(value: number): void {
    this.#reserve(10)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80
      rest = rest < TWO_32 ? rest >>> 7 : Math.floor(rest / 128)
    }
    this.#bytes[this.#at++] = rest
  }

  #bigVarint(value: bigint): void {
    this.#reserve(10)
    let rest = BigInt.asUintN(64, value)
    while (rest >= 0x80n) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.#bytes[this.#at++] = Number(rest)
  }

  #lengthAndBytes(bytes: Uint8Array): void {
    this.#varint(bytes.length)
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #view(): DataView {
    return new DataView(this.#bytes.buffer)
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + count))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
  }
}
