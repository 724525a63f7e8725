import { AttributeReader, type Attributes, type AttributeValue, MAX_VALUES, type Room, readId, readValue } from './attributes.ts'
import { FIELD, fixed64Field, lengthDelimited, varintField } from './otlp.ts'
import type { ProtobufReader } from './protobuf-reader.ts'
import { eachRecord, MAX_RECORDS, type Maker } from './records.ts'

const { log: LOG } = FIELD
const NS_PER_MS = 1e6

/** One OTLP log record, with what made it. */
export interface LogRecord {
  /** When it happened, else when it was seen, else 0; milliseconds since 1970. */
  readonly atMs: number
  readonly maker: Maker
  /** 1 … 24; 0: not said. */
  readonly severity: number
  /** Hex digits, 32 and 16; '': none. */
  readonly trace: string
  readonly span: string
  readonly text: string
  readonly attributes: Attributes
}

/**
 * Reads an ExportLogsServiceRequest from `reader.at` to `end`; `tooMany` are those that would be over the limits of a request.
 *
 * @example readLogs(new ProtobufReader(request), request.length).records[0].text
 * @throws MalformedProtobuf
 */
export function readLogs(reader: ProtobufReader, end: number): { records: LogRecord[]; tooMany: number } {
  const records: LogRecord[] = []
  const room = { left: MAX_VALUES }
  let tooMany = 0
  let maker: Maker
  eachRecord(
    reader,
    end,
    (its) => {
      maker = its
    },
    (itemEnd) => {
      if (records.length < MAX_RECORDS && room.left > 0) records.push(readRecord(reader, itemEnd, maker, room))
      else tooMany++
    },
  )
  return { records, tooMany }
}

function readRecord(reader: ProtobufReader, end: number, maker: Maker, room: Room): LogRecord {
  const attributes = new AttributeReader(room)
  let atNs = 0
  let observedNs = 0
  let severity = 0
  let trace = ''
  let span = ''
  let body: AttributeValue = ''
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === fixed64Field(LOG.time)) atNs = reader.fixed64(end)
    else if (tag === fixed64Field(LOG.observed)) observedNs = reader.fixed64(end)
    else if (tag === varintField(LOG.severityNumber)) severity = reader.varint(end)
    else if (tag === lengthDelimited(LOG.body)) body = readValue(reader, reader.length(end), room)
    else if (tag === lengthDelimited(LOG.attributes)) attributes.read(reader, reader.length(end))
    else if (tag === lengthDelimited(LOG.trace)) trace = hexOf(reader, reader.length(end), 16)
    else if (tag === lengthDelimited(LOG.span)) span = hexOf(reader, reader.length(end), 8)
    else reader.skip(tag, end)
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { atMs: (atNs || observedNs) / NS_PER_MS, maker, severity: severity > 24 ? 0 : severity, trace, span, text, attributes: attributes.all }
}

function hexOf(reader: ProtobufReader, to: number, length: number): string {
  const id = readId(reader.bytes, reader.at, to, length) ?? ''
  reader.at = to
  return id
}
