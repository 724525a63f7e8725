import { FIELD, lengthDelimited, varintField } from './otlp.ts'
import type { ProtobufReader } from './protobuf-reader.ts'

const { span: SPAN, keyValue: KEY_VALUE, anyValue: ANY_VALUE } = FIELD

/** A peer is looked for among so many attributes of a span. */
const MAX_LOOKED_AT = 512
const MAX_PART = 120

/** Attributes that name a peer; older names behind today's. Their place in the list is their number below. */
const KEYS = [
  'peer.service',
  'messaging.system',
  'messaging.destination.name',
  'messaging.destination',
  'db.system.name',
  'db.system',
  'rpc.service',
  'server.address',
  'net.peer.name',
  'server.port',
  'net.peer.port',
] as const
const PEER_SERVICE = 0
const MESSAGING = [1] as const
const DESTINATION = [2, 3] as const
const DATABASE = [4, 5] as const
const RPC_SERVICE = 6
const ADDRESS = [7, 8] as const
const FIRST_PORT = 9
const NO_KEY = -1

/** Keys by their length: of an attribute that is none of them, mostly only the length is looked at. */
const BY_LENGTH: readonly (readonly { number: number; bytes: Uint8Array }[])[] = Array.from({ length: 32 }, (_, length) =>
  KEYS.flatMap((key, number) => (key.length === length ? [{ number, bytes: new TextEncoder().encode(key) }] : [])),
)

/**
 * Whom a client's span calls, from its attributes, in this order:
 *
 * | attributes | peer |
 * |---|---|
 * | peer.service | it |
 * | messaging.system, messaging.destination.name | `kafka:orders` |
 * | db.system.name, server.address | `postgresql:db.internal` |
 * | rpc.service | it |
 * | server.address, server.port | `api.example.com`, `127.0.0.1:8080` |
 *
 * The words are put together in `bytes[0 … length]`, without making text.
 */
export class PeerReader {
  readonly bytes = new Uint8Array(4 * MAX_PART)
  length = 0
  /** It is a database or broker, which makes no spans: no server will be heard of. */
  isSystem = false
  readonly #from = new Int32Array(KEYS.length)
  readonly #to = new Int32Array(KEYS.length)
  /** A bit for each key that was seen with a text. */
  #seen = 0
  #port = 0

  /** Reads the span's fields between the first and the last attribute. */
  read(reader: ProtobufReader, from: number, to: number): void {
    this.#seen = 0
    this.#port = 0
    this.length = 0
    this.isSystem = false
    reader.at = from
    for (let looked = 0; reader.at < to && looked < MAX_LOOKED_AT; looked++) {
      const tag = reader.tag(to)
      if (tag === lengthDelimited(SPAN.attributes)) this.#readOne(reader, reader.length(to))
      else reader.skip(tag, to)
    }
    if (this.#seen !== 0) this.#name(reader.bytes)
  }

  #readOne(reader: ProtobufReader, end: number): void {
    let key = NO_KEY
    while (reader.at < end) {
      const tag = reader.tag(end)
      if (tag === lengthDelimited(KEY_VALUE.key)) {
        const keyEnd = reader.length(end)
        key = keyOf(reader.bytes, reader.at, keyEnd)
        if (key === NO_KEY) {
          reader.at = end
          return
        }
        reader.at = keyEnd
      } else if (tag === lengthDelimited(KEY_VALUE.value) && key !== NO_KEY) this.#readValue(reader, reader.length(end), key)
      else reader.skip(tag, end)
    }
  }

  #readValue(reader: ProtobufReader, end: number, key: number): void {
    while (reader.at < end) {
      const tag = reader.tag(end)
      if (tag === lengthDelimited(ANY_VALUE.string)) {
        const valueEnd = reader.length(end)
        this.#from[key] = reader.at
        this.#to[key] = valueEnd
        if (valueEnd > reader.at) this.#seen |= 1 << key
        reader.at = valueEnd
      } else if (tag === varintField(ANY_VALUE.int)) {
        const port = reader.varint(end)
        if (key >= FIRST_PORT) this.#port = port
      } else reader.skip(tag, end)
    }
  }

  #name(source: Uint8Array): void {
    const system = this.#firstOf(MESSAGING)
    const database = this.#firstOf(DATABASE)
    const address = this.#firstOf(ADDRESS)
    if (this.#has(PEER_SERVICE)) this.#append(source, PEER_SERVICE)
    else if (system !== NO_KEY) this.#appendSystem(source, system, this.#firstOf(DESTINATION))
    else if (database !== NO_KEY) this.#appendSystem(source, database, address)
    else if (this.#has(RPC_SERVICE)) this.#append(source, RPC_SERVICE)
    else if (address !== NO_KEY) {
      this.#append(source, address)
      if (this.#port !== 0 && this.#port !== 80 && this.#port !== 443) this.#appendText(`:${Math.min(this.#port, 65_535)}`)
    }
  }

  #appendSystem(source: Uint8Array, system: number, where: number): void {
    this.isSystem = true
    this.#append(source, system)
    if (where === NO_KEY) return
    this.#appendText(':')
    this.#append(source, where)
  }

  #has(key: number): boolean {
    return (this.#seen & (1 << key)) !== 0
  }

  #firstOf(keys: readonly number[]): number {
    for (const key of keys) if (this.#has(key)) return key
    return NO_KEY
  }

  #append(source: Uint8Array, key: number): void {
    const from = this.#from[key] as number
    const to = Math.min(this.#to[key] as number, from + MAX_PART)
    for (let at = from; at < to; at++) this.bytes[this.length++] = source[at] as number
  }

  #appendText(text: string): void {
    for (let at = 0; at < text.length; at++) this.bytes[this.length++] = text.charCodeAt(at)
  }
}

function keyOf(bytes: Uint8Array, from: number, to: number): number {
  const candidates = BY_LENGTH[to - from]
  if (candidates === undefined) return NO_KEY
  for (const { number, bytes: wanted } of candidates) {
    let at = 0
    while (at < wanted.length && bytes[from + at] === wanted[at]) at++
    if (at === wanted.length) return number
  }
  return NO_KEY
}
