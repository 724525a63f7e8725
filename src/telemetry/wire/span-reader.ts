import { FIELD, lengthDelimited, STATUS_ERROR, varintField } from './otlp.ts'
import type { ProtobufReader } from './protobuf-reader.ts'

const { status: STATUS, perResource: PER_RESOURCE, perScope: PER_SCOPE, request: REQUEST } = FIELD

/** Where one span's fields are in the bytes: positions, not values, so that reading it makes nothing. −1: not there. */
export class SpanPlaces {
  from = 0
  to = 0
  traceFrom = -1
  traceTo = -1
  idFrom = -1
  idTo = -1
  parentFrom = -1
  parentTo = -1
  nameFrom = -1
  nameTo = -1
  stateFrom = -1
  stateTo = -1
  kind = 0
  startLow = 0
  startHigh = 0
  endLow = 0
  endHigh = 0
  failed = 0
  /** From the first attribute's tag to the end of the last one; other fields may lie between. */
  attributesFrom = -1
  attributesTo = -1
}

export interface SpanSink {
  /** The attributes of what made the following spans, as a Resource message; from = to: none were given. */
  resource(from: number, to: number): void
  span(places: SpanPlaces): void
}

const places = new SpanPlaces()

/**
 * Reads an ExportTraceServiceRequest from `reader.at` to `end` and tells `sink` of each resource and its spans.
 *
 * @example readSpans(new ProtobufReader(request), request.length, { resource() {}, span: ({ nameFrom, nameTo }) => … })
 * @throws MalformedProtobuf; the spans before it have been told of.
 */
export function readSpans(reader: ProtobufReader, end: number, sink: SpanSink): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(REQUEST.perResource)) readResourceSpans(reader, reader.length(end), sink)
    else reader.skip(tag, end)
  }
}

/** How many spans a request has, without looking into them: what is refused is counted too. */
export function countItems(reader: ProtobufReader, end: number): number {
  let count = 0
  eachScope(reader, end, (scopeEnd) => {
    while (reader.at < scopeEnd) {
      const tag = reader.tag(scopeEnd)
      if (tag === lengthDelimited(PER_SCOPE.items)) count++
      reader.skip(tag, scopeEnd)
    }
  })
  return count
}

function eachScope(reader: ProtobufReader, end: number, visit: (scopeEnd: number) => void): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag !== lengthDelimited(REQUEST.perResource)) {
      reader.skip(tag, end)
      continue
    }
    const resourceEnd = reader.length(end)
    while (reader.at < resourceEnd) {
      const inner = reader.tag(resourceEnd)
      if (inner === lengthDelimited(PER_RESOURCE.perScope)) visit(reader.length(resourceEnd))
      else reader.skip(inner, resourceEnd)
    }
  }
}

/** The resource may stand behind its spans, so it is looked for first: that skips whole scopes at a time. */
function readResourceSpans(reader: ProtobufReader, end: number, sink: SpanSink): void {
  const begin = reader.at
  let from = begin
  let to = begin
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(PER_RESOURCE.resource)) {
      to = reader.length(end)
      from = reader.at
      reader.at = to
    } else reader.skip(tag, end)
  }
  sink.resource(from, to)
  reader.at = begin
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(PER_RESOURCE.perScope)) readScopeSpans(reader, reader.length(end), sink)
    else reader.skip(tag, end)
  }
}

function readScopeSpans(reader: ProtobufReader, end: number, sink: SpanSink): void {
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(PER_SCOPE.items)) {
      readSpan(reader, reader.length(end), places)
      sink.span(places)
    } else reader.skip(tag, end)
  }
}

/**
 * Finds the fields of the Span message from `reader.at` to `end`; of a field that comes twice, the last counts. Tags are written out, as
 * `field << 3 | wire type`: a switch over plain numbers is a jump, and this one runs 25 times a span.
 */
export function readSpan(reader: ProtobufReader, end: number, into: SpanPlaces): void {
  clear(into)
  into.from = reader.at
  into.to = end
  while (reader.at < end) {
    const before = reader.at
    const tag = reader.tag(end)
    switch (tag) {
      case 10: // trace_id
        into.traceTo = reader.length(end)
        into.traceFrom = reader.at
        reader.at = into.traceTo
        break
      case 18: // span_id
        into.idTo = reader.length(end)
        into.idFrom = reader.at
        reader.at = into.idTo
        break
      case 26: // trace_state
        into.stateTo = reader.length(end)
        into.stateFrom = reader.at
        reader.at = into.stateTo
        break
      case 34: // parent_span_id
        into.parentTo = reader.length(end)
        into.parentFrom = reader.at
        reader.at = into.parentTo
        break
      case 42: // name
        into.nameTo = reader.length(end)
        into.nameFrom = reader.at
        reader.at = into.nameTo
        break
      case 48: // kind
        into.kind = reader.varint(end)
        break
      case 57: // start_time_unix_nano
        into.startLow = reader.fixed32(end)
        into.startHigh = reader.fixed32(end)
        break
      case 65: // end_time_unix_nano
        into.endLow = reader.fixed32(end)
        into.endHigh = reader.fixed32(end)
        break
      case 74: // attributes
        if (into.attributesFrom === -1) into.attributesFrom = before
        reader.at = reader.length(end)
        into.attributesTo = reader.at
        break
      case 122: // status
        into.failed = readFailed(reader, reader.length(end))
        break
      default:
        reader.skip(tag, end)
    }
  }
}

function readFailed(reader: ProtobufReader, end: number): number {
  let code = 0
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === varintField(STATUS.code)) code = reader.varint(end)
    else reader.skip(tag, end)
  }
  return code === STATUS_ERROR ? 1 : 0
}

function clear(into: SpanPlaces): void {
  into.traceFrom = into.traceTo = into.idFrom = into.idTo = into.parentFrom = into.parentTo = -1
  into.nameFrom = into.nameTo = into.stateFrom = into.stateTo = into.attributesFrom = into.attributesTo = -1
  into.kind = into.startLow = into.startHigh = into.endLow = into.endHigh = into.failed = 0
}
