import { FIELD, fixed64Field, lengthDelimited, varintField } from './otlp.ts'
import { MalformedProtobuf, type ProtobufReader } from './protobuf-reader.ts'

const { keyValue: KEY_VALUE, anyValue: ANY_VALUE, values: VALUES } = FIELD

export type AttributeValue = string | number | boolean | null | readonly AttributeValue[] | { readonly [key: string]: AttributeValue }
export type Attributes = Record<string, AttributeValue>

/** Attributes of one thing that are kept; the rest is skipped. */
export const MAX_ATTRIBUTES = 256
/** Values of all attributes of one request together, those in lists too: each takes a hundred bytes and more once it is read. */
export const MAX_VALUES = 500_000
/** Lists in lists: deeper ones become null. */
const MAX_DEPTH = 8

/** How many values may still be read, of whatever has this room in common. */
export interface Room {
  left: number
}

/**
 * Reads one KeyValue after the other into attributes that the caller gets at the end.
 *
 * @example
 * const attributes = new AttributeReader({ left: MAX_VALUES })
 * while (reader.at < end) if (reader.tag(end) === lengthDelimited(9)) attributes.read(reader, reader.length(end))
 * attributes.all // { 'http.route': '/users/:id' }
 */
export class AttributeReader {
  readonly all: Attributes = emptyAttributes()
  readonly #room: Room
  #count = 0

  constructor(room: Room) {
    this.#room = room
  }

  read(reader: ProtobufReader, end: number): void {
    addAttribute(reader, end, this.all, this.#count++, 0, this.#room)
  }
}

/** All attributes of a message (a Resource, a Span, …) in which they have the number `field`. */
export function readAttributes(reader: ProtobufReader, end: number, field: number): Attributes {
  const attributes = new AttributeReader({ left: MAX_VALUES })
  readInto(attributes, reader, end, field)
  return attributes.all
}

/**
 * The same of bytes that were taken in unread, as those of most spans are: an attribute that cannot be read ends the list.
 *
 * @example readableAttributes(new ProtobufReader(span), span.length, FIELD.span.attributes)
 */
export function readableAttributes(reader: ProtobufReader, end: number, field: number): Attributes {
  const attributes = new AttributeReader({ left: MAX_VALUES })
  try {
    readInto(attributes, reader, end, field)
  } catch (error) {
    if (!(error instanceof MalformedProtobuf)) throw error
  }
  return attributes.all
}

function readInto(attributes: AttributeReader, reader: ProtobufReader, end: number, field: number): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(field)) attributes.read(reader, reader.length(end))
    else reader.skip(tag, end)
  }
}

/** Without a prototype: a key may be `__proto__`. */
function emptyAttributes(): Attributes {
  return Object.create(null) as Attributes
}

function addAttribute(reader: ProtobufReader, end: number, attributes: Attributes, count: number, depth: number, room: Room): void {
  if (count >= MAX_ATTRIBUTES || room.left <= 0) {
    reader.at = end
    return
  }
  room.left--
  let key = ''
  let value: AttributeValue = null
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(KEY_VALUE.key)) key = reader.text(reader.length(end))
    else if (tag === lengthDelimited(KEY_VALUE.value)) value = readValue(reader, reader.length(end), room, depth)
    else reader.skip(tag, end)
  }
  attributes[key] = value
}

/** Reads an AnyValue. */
export function readValue(reader: ProtobufReader, end: number, room: Room, depth = 0): AttributeValue {
  let value: AttributeValue = null
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(ANY_VALUE.string)) value = reader.text(reader.length(end))
    else if (tag === varintField(ANY_VALUE.bool)) value = reader.varint(end) !== 0
    else if (tag === varintField(ANY_VALUE.int)) value = reader.signedVarint(end)
    else if (tag === fixed64Field(ANY_VALUE.double)) value = reader.double(end)
    else if (tag === lengthDelimited(ANY_VALUE.bytes)) value = readBase64(reader, reader.length(end))
    else if (tag === lengthDelimited(ANY_VALUE.array) && depth < MAX_DEPTH) value = readArray(reader, reader.length(end), room, depth + 1)
    else if (tag === lengthDelimited(ANY_VALUE.list) && depth < MAX_DEPTH) value = readList(reader, reader.length(end), room, depth + 1)
    else reader.skip(tag, end)
  }
  return value
}

function readArray(reader: ProtobufReader, end: number, room: Room, depth: number): AttributeValue[] {
  const values: AttributeValue[] = []
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(VALUES.values) && values.length < MAX_ATTRIBUTES && room.left-- > 0) {
      values.push(readValue(reader, reader.length(end), room, depth))
    } else reader.skip(tag, end)
  }
  return values
}

function readList(reader: ProtobufReader, end: number, room: Room, depth: number): Attributes {
  const list = emptyAttributes()
  let count = 0
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(VALUES.values)) addAttribute(reader, reader.length(end), list, count++, depth, room)
    else reader.skip(tag, end)
  }
  return list
}

function readBase64(reader: ProtobufReader, end: number): string {
  const { buffer, byteOffset } = reader.bytes
  const text = Buffer.from(buffer, byteOffset + reader.at, end - reader.at).toString('base64')
  reader.at = end
  return text
}

/** Hex digits of an id; null of one whose length is wrong or that is all zeros. */
export function readId(bytes: Uint8Array, from: number, to: number, length: number): string | null {
  if (to - from !== length) return null
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset + from, length).toString('hex')
  return /^0+$/.test(hex) ? null : hex
}
