import { type Attributes, type AttributeValue, emptyAttributes, readAttribute, readId, readValue } from './attributes.ts'
import { FIELD, fixed64Field, lengthDelimited, varintField } from './otlp.ts'
import type { ProtobufReader } from './protobuf-reader.ts'
import { eachRecord, type Maker } from './records.ts'

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
 * Reads an ExportLogsServiceRequest from `reader.at` to `end`.
 *
 * @example readLogs(new ProtobufReader(request), request.length).records[0].text
 * @throws MalformedProtobuf
 */
export function readLogs(reader: ProtobufReader, end: number): { records: LogRecord[]; tooMany: number } {
  const records: LogRecord[] = []
  let maker: Maker
  const tooMany = eachRecord(
    reader,
    end,
    (its) => {
      maker = its
    },
    (itemEnd) => records.push(readRecord(reader, itemEnd, maker)),
  )
  return { records, tooMany }
}

function readRecord(reader: ProtobufReader, end: number, maker: Maker): LogRecord {
  const attributes = emptyAttributes()
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
    else if (tag === lengthDelimited(LOG.body)) body = readValue(reader, reader.length(end))
    else if (tag === lengthDelimited(LOG.attributes)) readAttribute(reader, reader.length(end), attributes)
    else if (tag === lengthDelimited(LOG.trace)) trace = hexOf(reader, reader.length(end), 16)
    else if (tag === lengthDelimited(LOG.span)) span = hexOf(reader, reader.length(end), 8)
    else reader.skip(tag, end)
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { atMs: (atNs || observedNs) / NS_PER_MS, maker, severity: severity > 24 ? 0 : severity, trace, span, text, attributes }
}

function hexOf(reader: ProtobufReader, to: number, length: number): string {
  const id = readId(reader.bytes, reader.at, to, length) ?? ''
  reader.at = to
  return id
}
