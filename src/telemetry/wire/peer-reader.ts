import { FIELD, lengthDelimited, varintField } from './otlp.ts'
import type { ProtobufReader } from './protobuf-reader.ts'

const { span: SPAN, keyValue: KEY_VALUE, anyValue: ANY_VALUE } = FIELD

/** A peer is looked for among so many attributes of a span. */
const MAX_LOOKED_AT = 512
const MAX_PART = 120

const KEYS = [
  'peer.service',
  'db.system.name',
  'db.system',
  'messaging.system',
  'messaging.destination.name',
  'messaging.destination',
  'rpc.service',
  'server.address',
  'net.peer.name',
  'server.port',
  'net.peer.port',
] as const
type Key = (typeof KEYS)[number]

/** Keys by their length: of an attribute that is none of them, mostly only the length is looked at. */
const BY_LENGTH: readonly (readonly { key: Key; bytes: Uint8Array }[])[] = Array.from({ length: 32 }, (_, length) =>
  KEYS.filter((key) => key.length === length).map((key) => ({ key, bytes: new TextEncoder().encode(key) })),
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
  readonly #from: Record<Key, number> = Object.fromEntries(KEYS.map((key) => [key, -1])) as Record<Key, number>
  readonly #to: Record<Key, number> = { ...this.#from }
  #port = 0

  /** Reads the span's fields between the first and the last attribute. */
  read(reader: ProtobufReader, from: number, to: number): void {
    for (const key of KEYS) this.#from[key] = -1
    this.#port = 0
    this.length = 0
    this.isSystem = false
    if (from === -1) return
    reader.at = from
    for (let looked = 0; reader.at < to && looked < MAX_LOOKED_AT; looked++) {
      const tag = reader.tag(to)
      if (tag === lengthDelimited(SPAN.attributes)) this.#readOne(reader, reader.length(to))
      else reader.skip(tag, to)
    }
    this.#name(reader.bytes)
  }

  #readOne(reader: ProtobufReader, end: number): void {
    let key: Key | null = null
    while (reader.at < end) {
      const tag = reader.tag(end)
      if (tag === lengthDelimited(KEY_VALUE.key)) {
        const keyEnd = reader.length(end)
        key = keyOf(reader.bytes, reader.at, keyEnd)
        if (key === null) {
          reader.at = end
          return
        }
        reader.at = keyEnd
      } else if (tag === lengthDelimited(KEY_VALUE.value) && key !== null) this.#readValue(reader, reader.length(end), key)
      else reader.skip(tag, end)
    }
  }

  #readValue(reader: ProtobufReader, end: number, key: Key): void {
    while (reader.at < end) {
      const tag = reader.tag(end)
      if (tag === lengthDelimited(ANY_VALUE.string)) {
        const valueEnd = reader.length(end)
        this.#from[key] = reader.at
        this.#to[key] = valueEnd
        reader.at = valueEnd
      } else if (tag === varintField(ANY_VALUE.int)) {
        const port = reader.varint(end)
        if (key === 'server.port' || key === 'net.peer.port') this.#port = port
      } else reader.skip(tag, end)
    }
  }

  #name(source: Uint8Array): void {
    const address = this.#has('server.address') ? 'server.address' : 'net.peer.name'
    const database = this.#has('db.system.name') ? 'db.system.name' : 'db.system'
    const destination = this.#has('messaging.destination.name') ? 'messaging.destination.name' : 'messaging.destination'
    if (this.#has('peer.service')) this.#append(source, 'peer.service')
    else if (this.#has('messaging.system')) this.#appendSystem(source, 'messaging.system', destination)
    else if (this.#has(database)) this.#appendSystem(source, database, address)
    else if (this.#has('rpc.service')) this.#append(source, 'rpc.service')
    else if (this.#has(address)) {
      this.#append(source, address)
      if (this.#port !== 0 && this.#port !== 80 && this.#port !== 443) this.#appendText(`:${Math.min(this.#port, 65_535)}`)
    }
  }

  #appendSystem(source: Uint8Array, system: Key, where: Key): void {
    this.isSystem = true
    this.#append(source, system)
    if (!this.#has(where)) return
    this.#appendText(':')
    this.#append(source, where)
  }

  #has(key: Key): boolean {
    return this.#from[key] !== -1 && this.#to[key] > this.#from[key]
  }

  #append(source: Uint8Array, key: Key): void {
    const to = Math.min(this.#to[key], this.#from[key] + MAX_PART)
    for (let at = this.#from[key]; at < to; at++) this.bytes[this.length++] = source[at] as number
  }

  #appendText(text: string): void {
    for (let at = 0; at < text.length; at++) this.bytes[this.length++] = text.charCodeAt(at)
  }
}

function keyOf(bytes: Uint8Array, from: number, to: number): Key | null {
  const candidates = BY_LENGTH[to - from]
  if (candidates === undefined) return null
  for (const { key, bytes: wanted } of candidates) {
    let at = 0
    while (at < wanted.length && bytes[from + at] === wanted[at]) at++
    if (at === wanted.length) return key
  }
  return null
}
