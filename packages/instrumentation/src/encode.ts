import type { ProtobufWriter } from './protobuf.ts'
import type { AttributeValue, Span, SpanEvent } from './span.ts'

/** A longer text says nothing more, and would fill the batch alone. */
const MOST_TEXT = 4096

/** One span, as an entry of `ScopeSpans.spans` (field 2). Fields stand in the message of opentelemetry/proto/trace/v1/trace.proto. */
export function encodeSpan(writer: ProtobufWriter, span: Span): void {
  const before = writer.length
  if (span.status !== 0) {
    const status = writer.length
    writer.int(3, span.status)
    if (span.statusMessage !== '') writer.text(2, span.statusMessage)
    writer.message(15, status)
  }
  for (const link of backwards(span.links)) {
    const mark = writer.length
    writer.hex(2, link.spanId)
    writer.hex(1, link.traceId)
    writer.message(13, mark)
  }
  for (const event of backwards(span.events)) encodeEvent(writer, event)
  encodeAttributes(writer, 9, span.attributes)
  writer.nanoseconds(8, span.endMs)
  writer.nanoseconds(7, span.startMs)
  writer.int(6, span.kind)
  writer.text(5, span.name)
  if (span.parentId !== '') writer.hex(4, span.parentId)
  if (span.tracestate !== '') writer.text(3, span.tracestate)
  writer.hex(2, span.spanId)
  writer.hex(1, span.traceId)
  writer.message(2, before)
}

function backwards<T>(list: readonly T[] | null): readonly T[] {
  return list === null ? [] : [...list].reverse()
}

function encodeEvent(writer: ProtobufWriter, { name, timeMs, attributes }: SpanEvent): void {
  const before = writer.length
  encodeAttributes(writer, 3, attributes)
  writer.text(2, name)
  writer.nanoseconds(1, timeMs)
  writer.message(11, before)
}

/** Written from the end, so the last pair first. */
export function encodeAttributes(writer: ProtobufWriter, field: number, attributes: readonly (string | AttributeValue)[]): void {
  for (let at = attributes.length - 2; at >= 0; at -= 2) {
    const before = writer.length
    const key = attributes[at] as string
    const value = attributes[at + 1]
    const known = remembered.get(key)?.get(value)
    if (known !== undefined) writer.raw(known)
    else encodePair(writer, key, value)
    writer.message(field, before)
  }
}

/** Most attributes have one of few values: method, route, address, status. What they look like in bytes is remembered, within bounds. */
const remembered = new Map<string, Map<unknown, Uint8Array>>()
const MOST_KEYS = 100
const MOST_VALUES = 100
const MOST_REMEMBERED_TEXT = 512

function encodePair(writer: ProtobufWriter, key: string, value: unknown): void {
  const before = writer.length
  encodeValue(writer, 2, value)
  writer.text(1, key)
  if (typeof value !== 'number' && (typeof value !== 'string' || value.length > MOST_REMEMBERED_TEXT)) return
  let values = remembered.get(key)
  if (values === undefined && remembered.size < MOST_KEYS) remembered.set(key, (values = new Map()))
  if (values !== undefined && values.size < MOST_VALUES) values.set(value, writer.copy(before))
}

function encodeValue(writer: ProtobufWriter, field: number, value: unknown): void {
  const before = writer.length
  if (typeof value === 'string') writer.text(1, value.length > MOST_TEXT ? value.slice(0, MOST_TEXT) : value)
  else if (typeof value === 'boolean') writer.int(2, value ? 1 : 0)
  else if (typeof value === 'number' && Number.isSafeInteger(value)) writer.int(3, value)
  else if (typeof value === 'number') writer.double(4, value)
  else if (Array.isArray(value)) {
    const list = writer.length
    for (const item of value.slice(0, 64).reverse()) encodeValue(writer, 1, item)
    writer.message(5, list)
  }
  writer.message(field, before)
}

/** Closes the spans written so far into one ExportTraceServiceRequest of one resource. */
export function encodeRequest(writer: ProtobufWriter, library: Uint8Array, resource: readonly (string | AttributeValue)[]): Uint8Array {
  writer.raw(library)
  writer.message(2, 0)
  const before = writer.length
  encodeAttributes(writer, 1, resource)
  writer.message(1, before)
  writer.message(1, 0)
  return writer.take()
}

/** `ScopeSpans.scope`: who made the spans. */
export function encodeLibrary(writer: ProtobufWriter, name: string, version: string): Uint8Array {
  writer.text(2, version)
  writer.text(1, name)
  writer.message(1, 0)
  return writer.take()
}
