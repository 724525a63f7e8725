import { type Attributes, readAttributes } from './attributes.ts'
import { FIELD, lengthDelimited } from './otlp.ts'
import type { ProtobufReader } from './protobuf-reader.ts'

const { request: REQUEST, perResource: PER_RESOURCE, perScope: PER_SCOPE } = FIELD

/** Log records, or points of metrics, of one request that are read; the rest is rejected. */
export const MAX_RECORDS = 100_000

/** What all records of a resource share. */
export interface Maker {
  readonly service: string
  readonly release: string
  readonly instance: string
  /** Of the resource. */
  readonly attributes: Attributes
}

/** Goes over the log records or metrics of an export request: `begin` is told of each resource, `item` reads one message up to `end`. */
export function eachRecord(reader: ProtobufReader, end: number, begin: (maker: Maker) => void, item: (end: number) => void): void {
  const perScope = (scopeEnd: number) => {
    while (reader.at < scopeEnd) {
      const tag = reader.tag(scopeEnd)
      if (tag !== lengthDelimited(PER_SCOPE.items)) reader.skip(tag, scopeEnd)
      else {
        const itemEnd = reader.length(scopeEnd)
        item(itemEnd)
        reader.at = itemEnd
      }
    }
  }
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag !== lengthDelimited(REQUEST.perResource)) {
      reader.skip(tag, end)
      continue
    }
    const resourceEnd = reader.length(end)
    const from = reader.at
    begin(makerOf(readResource(reader, resourceEnd)))
    reader.at = from
    while (reader.at < resourceEnd) {
      const inner = reader.tag(resourceEnd)
      if (inner === lengthDelimited(PER_RESOURCE.perScope)) perScope(reader.length(resourceEnd))
      else reader.skip(inner, resourceEnd)
    }
  }
}

/** The resource may stand behind what it made. */
function readResource(reader: ProtobufReader, end: number): Attributes {
  let attributes: Attributes = {}
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === lengthDelimited(PER_RESOURCE.resource)) attributes = readAttributes(reader, reader.length(end), FIELD.resource.attributes)
    else reader.skip(tag, end)
  }
  return attributes
}

function makerOf(attributes: Attributes): Maker {
  return {
    service: textOf(attributes['service.name']) || 'unknown_service',
    release: textOf(attributes['service.version']),
    instance: textOf(attributes['service.instance.id']),
    attributes,
  }
}

function textOf(value: Attributes[string] | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}
