import { FIELD } from './otlp.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

/** JSON that is no OTLP: a text where a number should be, an id with a letter that is no digit. The sender is answered 400. */
export class MalformedJson extends Error {}

type Scalar = 'id' | 'text' | 'bytes' | 'bool' | 'uint' | 'enum' | 'int64' | 'fixed64' | 'sfixed64' | 'fixed32' | 'double'
type List = 'packedFixed64' | 'packedDouble'
/** `oneof`: written though it is zero. */
interface Rule {
  readonly field: number
  readonly type: Scalar | List | (() => Message)
  readonly oneof?: true
}
type Message = Readonly<Record<string, Rule>>

const rule = (field: number, type: Rule['type']): Rule => ({ field, type })
const member = (field: number, type: Rule['type']): Rule => ({ field, type, oneof: true })

const { span, event, link, status, log, metric, data, number, histogram } = FIELD

const anyValue: Message = {
  stringValue: member(1, 'text'),
  boolValue: member(2, 'bool'),
  intValue: member(3, 'int64'),
  doubleValue: member(4, 'double'),
  arrayValue: rule(5, () => arrayValue),
  kvlistValue: rule(6, () => keyValueList),
  bytesValue: member(7, 'bytes'),
}
const arrayValue: Message = { values: rule(1, () => anyValue) }
const keyValue: Message = { key: rule(1, 'text'), value: rule(2, () => anyValue) }
const keyValueList: Message = { values: rule(1, () => keyValue) }
const attributes = (field: number) => rule(field, () => keyValue)
const resource: Message = { attributes: attributes(1), droppedAttributesCount: rule(2, 'uint') }
const scope: Message = { name: rule(1, 'text'), version: rule(2, 'text'), attributes: attributes(3), droppedAttributesCount: rule(4, 'uint') }

const spanMessage: Message = {
  traceId: rule(span.trace, 'id'),
  spanId: rule(span.id, 'id'),
  traceState: rule(span.state, 'text'),
  parentSpanId: rule(span.parent, 'id'),
  name: rule(span.name, 'text'),
  kind: rule(span.kind, 'enum'),
  startTimeUnixNano: rule(span.start, 'fixed64'),
  endTimeUnixNano: rule(span.end, 'fixed64'),
  attributes: attributes(span.attributes),
  droppedAttributesCount: rule(span.droppedAttributes, 'uint'),
  events: rule(span.events, () => eventMessage),
  droppedEventsCount: rule(span.droppedEvents, 'uint'),
  links: rule(span.links, () => linkMessage),
  droppedLinksCount: rule(span.droppedLinks, 'uint'),
  status: rule(span.status, () => statusMessage),
  flags: rule(span.flags, 'fixed32'),
}
const eventMessage: Message = {
  timeUnixNano: rule(event.time, 'fixed64'),
  name: rule(event.name, 'text'),
  attributes: attributes(event.attributes),
  droppedAttributesCount: rule(event.droppedAttributes, 'uint'),
}
const linkMessage: Message = {
  traceId: rule(link.trace, 'id'),
  spanId: rule(link.id, 'id'),
  traceState: rule(link.state, 'text'),
  attributes: attributes(link.attributes),
  droppedAttributesCount: rule(link.droppedAttributes, 'uint'),
  flags: rule(link.flags, 'fixed32'),
}
const statusMessage: Message = { message: rule(status.message, 'text'), code: rule(status.code, 'enum') }

const logMessage: Message = {
  timeUnixNano: rule(log.time, 'fixed64'),
  observedTimeUnixNano: rule(log.observed, 'fixed64'),
  severityNumber: rule(log.severityNumber, 'enum'),
  severityText: rule(log.severityText, 'text'),
  body: rule(log.body, () => anyValue),
  attributes: attributes(log.attributes),
  droppedAttributesCount: rule(log.droppedAttributes, 'uint'),
  flags: rule(log.flags, 'fixed32'),
  traceId: rule(log.trace, 'id'),
  spanId: rule(log.span, 'id'),
  eventName: rule(log.eventName, 'text'),
}

const numberPoint: Message = {
  startTimeUnixNano: rule(number.start, 'fixed64'),
  timeUnixNano: rule(number.time, 'fixed64'),
  asDouble: member(number.double, 'double'),
  asInt: member(number.int, 'sfixed64'),
  attributes: attributes(number.attributes),
  flags: rule(number.flags, 'uint'),
}
const histogramPoint: Message = {
  startTimeUnixNano: rule(histogram.start, 'fixed64'),
  timeUnixNano: rule(histogram.time, 'fixed64'),
  count: rule(histogram.count, 'fixed64'),
  sum: member(histogram.sum, 'double'),
  bucketCounts: rule(histogram.bucketCounts, 'packedFixed64'),
  explicitBounds: rule(histogram.bounds, 'packedDouble'),
  attributes: attributes(histogram.attributes),
  flags: rule(histogram.flags, 'uint'),
  min: member(histogram.min, 'double'),
  max: member(histogram.max, 'double'),
}
const gauge: Message = { dataPoints: rule(data.points, () => numberPoint) }
const sum: Message = { ...gauge, aggregationTemporality: rule(data.temporality, 'enum'), isMonotonic: rule(data.monotonic, 'bool') }
const histogramData: Message = { dataPoints: rule(data.points, () => histogramPoint), aggregationTemporality: rule(data.temporality, 'enum') }
const metricMessage: Message = {
  name: rule(metric.name, 'text'),
  description: rule(metric.description, 'text'),
  unit: rule(metric.unit, 'text'),
  gauge: rule(metric.gauge, () => gauge),
  sum: rule(metric.sum, () => sum),
  histogram: rule(metric.histogram, () => histogramData),
}

const request = (perResource: string, perScope: string, items: string, item: Message): Message => {
  const scopeMessage: Message = { scope: rule(1, () => scope), [items]: rule(2, () => item), schemaUrl: rule(3, 'text') }
  const resourceMessage: Message = { resource: rule(1, () => resource), [perScope]: rule(2, () => scopeMessage), schemaUrl: rule(3, 'text') }
  return { [perResource]: rule(1, () => resourceMessage) }
}
const REQUESTS = {
  traces: request('resourceSpans', 'scopeSpans', 'spans', spanMessage),
  logs: request('resourceLogs', 'scopeLogs', 'logRecords', logMessage),
  metrics: request('resourceMetrics', 'scopeMetrics', 'metrics', metricMessage),
} as const
export type Signal = keyof typeof REQUESTS

/** AnyValues within each other. */
const MAX_DEPTH = 32

/**
 * The protobuf of an OTLP/JSON export request: ids in hex, 64-bit numbers as text or number, enums as number or name. Unknown members are
 * left out, as the standard asks.
 *
 * @example window.accept(12, otlpFromJson('traces', JSON.parse(body)))
 * @throws MalformedJson
 */
export function otlpFromJson(signal: Signal, json: unknown): Uint8Array {
  const writer = new ProtobufWriter(4096)
  writeMessage(writer, REQUESTS[signal], json, signal, 0)
  return writer.finish()
}

function writeMessage(writer: ProtobufWriter, message: Message, json: unknown, path: string, depth: number): void {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new MalformedJson(`${path}: an object is expected`)
  if (depth > MAX_DEPTH) throw new MalformedJson(`${path}: nested deeper than ${MAX_DEPTH}`)
  for (const [name, value] of Object.entries(json)) {
    const found = Object.hasOwn(message, name) ? message[name] : undefined
    if (found && value !== null && value !== undefined) writeMember(writer, found, value, `${path}.${name}`, depth)
  }
}

function writeMember(writer: ProtobufWriter, { field, type, oneof }: Rule, value: unknown, path: string, depth: number): void {
  if (typeof type === 'function') {
    for (const one of Array.isArray(value) ? value : [value]) writer.message(field, () => writeMessage(writer, type(), one, path, depth + 1))
  } else if (type === 'packedFixed64' || type === 'packedDouble') {
    if (!Array.isArray(value)) throw new MalformedJson(`${path}: a list is expected`)
    writer.bytes(field, type === 'packedDouble' ? doubles(value, path) : words(value, path))
  } else writeScalar(writer, field, type, oneof === true, value, path)
}

function writeScalar(writer: ProtobufWriter, field: number, type: Scalar, always: boolean, value: unknown, path: string): void {
  switch (type) {
    case 'id':
      return writer.bytes(field, idFrom(value, path))
    case 'text':
      return always ? writer.textAlways(field, textFrom(value, path)) : writer.text(field, textFrom(value, path))
    case 'bytes':
      return writer.bytesAlways(field, Buffer.from(textFrom(value, path), 'base64'))
    case 'bool':
      if (typeof value !== 'boolean') throw new MalformedJson(`${path}: true or false is expected`)
      return always ? writer.varintAlways(field, value ? 1n : 0n) : writer.varint(field, value ? 1 : 0)
    case 'uint':
    case 'enum':
      return writer.varint(field, typeof value === 'string' && type === 'enum' ? enumFrom(value, path) : smallFrom(value, path))
    case 'fixed32':
      return writer.fixed32(field, smallFrom(value, path))
    case 'int64':
      return writer.varintAlways(field, bigFrom(value, path))
    case 'fixed64':
      return writer.fixed64(field, bigFrom(value, path))
    case 'sfixed64':
      return writer.fixed64Always(field, bigFrom(value, path))
    case 'double':
      return writer.doubleAlways(field, doubleFrom(value, path))
  }
}

function textFrom(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new MalformedJson(`${path}: a text is expected`)
  return value
}

function idFrom(value: unknown, path: string): Uint8Array {
  const text = textFrom(value, path)
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new MalformedJson(`${path}: hex digits are expected`)
  return Buffer.from(text, 'hex')
}

function smallFrom(value: unknown, path: string): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number > 0xffffffff) throw new MalformedJson(`${path}: a number is expected`)
  return number
}

function bigFrom(value: unknown, path: string): bigint {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt.asIntN(64, BigInt(value))
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt.asIntN(64, BigInt(value))
  throw new MalformedJson(`${path}: a whole number is expected`)
}

function doubleFrom(value: unknown, path: string): number {
  const number = typeof value === 'string' && value !== '' ? Number(value.replace(/^(-?)Infinity$/, '$1Infinity')) : value
  if (typeof number !== 'number' || (Number.isNaN(number) && value !== 'NaN')) throw new MalformedJson(`${path}: a number is expected`)
  return number
}

const ENUMS: Readonly<Record<string, number>> = {
  SPAN_KIND_UNSPECIFIED: 0,
  SPAN_KIND_INTERNAL: 1,
  SPAN_KIND_SERVER: 2,
  SPAN_KIND_CLIENT: 3,
  SPAN_KIND_PRODUCER: 4,
  SPAN_KIND_CONSUMER: 5,
  STATUS_CODE_UNSET: 0,
  STATUS_CODE_OK: 1,
  STATUS_CODE_ERROR: 2,
  AGGREGATION_TEMPORALITY_UNSPECIFIED: 0,
  AGGREGATION_TEMPORALITY_DELTA: 1,
  AGGREGATION_TEMPORALITY_CUMULATIVE: 2,
}

function enumFrom(value: string, path: string): number {
  const severity = /^SEVERITY_NUMBER_(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)([234]?)$/.exec(value)
  if (severity) return 1 + 4 * ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].indexOf(severity[1] as string) + (Number(severity[2] || 1) - 1)
  return (Object.hasOwn(ENUMS, value) ? ENUMS[value] : undefined) ?? smallFrom(value, path)
}

function doubles(values: readonly unknown[], path: string): Uint8Array {
  return new Uint8Array(Float64Array.from(values, (value) => doubleFrom(value, path)).buffer)
}

function words(values: readonly unknown[], path: string): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values, (value) => BigInt.asUintN(64, bigFrom(value, path))).buffer)
}
