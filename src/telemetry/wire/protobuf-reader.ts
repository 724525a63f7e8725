/** Bytes that are no message: an end inside a field, a varint that does not end, a wire type that there is not. The sender is answered 400. */
export class MalformedProtobuf extends Error {}

/** How the value of a field is laid out: the low three bits of its tag. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const

/** Groups are not used since 2008, but may be skipped; within each other only so far. */
const MAX_GROUP_DEPTH = 16
const TWO_32 = 2 ** 32

/**
 * Walks over protobuf without making objects. A message is the bytes from `at` to an `end` that the caller keeps: one reader goes
 * through all levels, and nothing outside of `bytes` is ever read, whatever the lengths in it say.
 *
 * @example
 * const reader = new ProtobufReader(bytes)
 * while (reader.at < end) {
 *   const tag = reader.tag(end)
 *   if (tag === ((5 << 3) | WIRE.bytes)) name = reader.text(reader.length(end))
 *   else reader.skip(tag, end)
 * }
 */
export class ProtobufReader {
  bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /** Field number and wire type. */
  tag(end: number): number {
    const first = this.bytes[this.at] as number
    if (this.at < end && first < 0x80 && first >= 8) {
      this.at++
      return first
    }
    const tag = this.varint(end)
    if (tag < 8 || tag >= TWO_32) throw new MalformedProtobuf(`tag ${tag} at byte ${this.at}`)
    return tag | 0
  }

  /** An unsigned varint; what is over 2^53 comes rounded. */
  varint(end: number): number {
    const { bytes } = this
    let at = this.at
    let value = 0
    let factor = 1
    for (let read = 0; read < 10; read++) {
      if (at >= end) throw new MalformedProtobuf(`the message ends inside a number at byte ${at}`)
      const byte = bytes[at++] as number
      value += (byte & 0x7f) * factor
      if (byte < 0x80) {
        this.at = at
        return value
      }
      factor *= 128
    }
    throw new MalformedProtobuf(`a number of more than ten bytes at byte ${at}`)
  }

  /** A varint with sign (int32, int64): negative ones are sent as 2^64 − n. What is beyond ±2^53 comes rounded. */
  signedVarint(end: number): number {
    const { bytes } = this
    let at = this.at
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) throw new MalformedProtobuf(`the message ends inside a number at byte ${at}`)
      const byte = bytes[at++] as number
      const part = byte & 0x7f
      if (shift < 28) low |= part << shift
      else if (shift === 28) {
        low |= part << 28
        high |= part >>> 4
      } else high |= part << (shift - 32)
      if (byte < 0x80) {
        this.at = at
        return (high | 0) * TWO_32 + (low >>> 0)
      }
    }
    throw new MalformedProtobuf(`a number of more than ten bytes at byte ${at}`)
  }

  /** Where the length-delimited value that begins here ends; `at` moves to its first byte. */
  length(end: number): number {
    const length = this.varint(end)
    if (length > end - this.at) throw new MalformedProtobuf(`${length} bytes announced, ${end - this.at} there, at byte ${this.at}`)
    return this.at + length
  }

  /** Four bytes, the lowest first. Two of them make a fixed64: low word, then high word. */
  fixed32(end: number): number {
    const { bytes, at } = this
    if (end - at < 4) throw new MalformedProtobuf(`the message ends inside a number at byte ${at}`)
    this.at = at + 4
    return ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0
  }

  /** Unsigned 64 bits as a double: times of today in nanoseconds come rounded to 256 ns. */
  fixed64(end: number): number {
    const low = this.fixed32(end)
    return this.fixed32(end) * TWO_32 + low
  }

  /** Signed 64 bits as a double. */
  sfixed64(end: number): number {
    const low = this.fixed32(end)
    return (this.fixed32(end) | 0) * TWO_32 + low
  }

  double(end: number): number {
    if (end - this.at < 8) throw new MalformedProtobuf(`the message ends inside a number at byte ${this.at}`)
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + this.at, 8)
    this.at += 8
    return view.getFloat64(0, true)
  }

  /** The text from here to `to`. Bytes that are no UTF-8 come as U+FFFD, and so does a zero, which PostgreSQL does not store. */
  text(to: number): string {
    const text = textOf(this.bytes, this.at, to)
    this.at = to
    return text
  }

  /** Goes over the value of a field that nobody asked for. */
  skip(tag: number, end: number): void {
    switch (tag & 7) {
      case WIRE.varint:
        this.varint(end)
        return
      case WIRE.fixed64:
        return this.#advance(8, end)
      case WIRE.bytes:
        this.at = this.length(end)
        return
      case WIRE.fixed32:
        return this.#advance(4, end)
      case WIRE.groupStart:
        return this.#skipGroup(tag, end)
      default:
        throw new MalformedProtobuf(`wire type ${tag & 7} at byte ${this.at}`)
    }
  }

  #advance(count: number, end: number): void {
    if (end - this.at < count) throw new MalformedProtobuf(`the message ends inside a number at byte ${this.at}`)
    this.at += count
  }

  #skipGroup(tag: number, end: number): void {
    const open = [tag]
    while (open.length > 0) {
      const inner = this.tag(end)
      if ((inner & 7) === WIRE.groupStart) {
        if (open.push(inner) > MAX_GROUP_DEPTH) throw new MalformedProtobuf(`groups deeper than ${MAX_GROUP_DEPTH} at byte ${this.at}`)
      } else if ((inner & 7) === WIRE.groupEnd) {
        if (inner >>> 3 !== (open.pop() as number) >>> 3) throw new MalformedProtobuf(`the end of a group that is not open at byte ${this.at}`)
      } else this.skip(inner, end)
    }
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The text of bytes `from` to `to`, short ASCII without the price of a decoder. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= 32) {
    let text = ''
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number
      if (byte === 0 || byte >= 0x80) return decodeText(bytes, from, to)
      text += String.fromCharCode(byte)
    }
    return text
  }
  return decodeText(bytes, from, to)
}

function decodeText(bytes: Uint8Array, from: number, to: number): string {
  return decoder.decode(bytes.subarray(from, to)).replaceAll('\0', '\ufffd')
}
