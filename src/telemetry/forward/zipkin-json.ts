import { type Attributes, type AttributeValue, readAttributes } from '../wire/attributes.ts'
import { FIELD, fixed64Field, lengthDelimited } from '../wire/otlp.ts'
import { ProtobufReader } from '../wire/protobuf-reader.ts'
import { readSpans, type SpanPlaces } from '../wire/span-reader.ts'

const KINDS = [undefined, undefined, 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const
/** Of the resource, those that tell replicas apart; the rest would be repeated with each span. */
const OF_RESOURCE = ['service.namespace', 'service.version', 'service.instance.id', 'deployment.environment.name']

/** What Zipkin takes at `/api/v2/spans`. */
export interface ZipkinSpan {
  readonly traceId: string
  readonly id: string
  readonly parentId?: string
  readonly name: string
  readonly kind?: string
  /** Microseconds since 1970. */
  readonly timestamp?: number
  /** Microseconds; at least 1, since 0 means unknown. */
  readonly duration: number
  readonly localEndpoint: { readonly serviceName: string }
  readonly remoteEndpoint?: { readonly serviceName: string }
  readonly annotations?: readonly { readonly timestamp: number; readonly value: string }[]
  readonly tags: Readonly<Record<string, string>>
}

/**
 * The spans of an OTLP request as Zipkin has them, by the rules of OpenTelemetry for exporters to Zipkin.
 *
 * @example JSON.stringify(zipkinFromOtlp(request)) // '[{"traceId":"…","kind":"SERVER",…}]'
 * @throws MalformedProtobuf
 */
export function zipkinFromOtlp(request: Uint8Array): ZipkinSpan[] {
  const spans: ZipkinSpan[] = []
  let resource: Attributes = {}
  readSpans(new ProtobufReader(request), request.length, {
    resource: (from, to) => (resource = readAttributes(new ProtobufReader(request, from), to, FIELD.resource.attributes)),
    span: (places) => spans.push(zipkinSpan(request, places, resource)),
  })
  return spans
}

function zipkinSpan(request: Uint8Array, places: SpanPlaces, resource: Attributes): ZipkinSpan {
  const own = readAttributes(new ProtobufReader(request, places.from), places.to, FIELD.span.attributes)
  const startUs = microseconds(places.startHigh, places.startLow)
  const parentId = hex(request, places.parentFrom, places.parentTo)
  const kind = KINDS[places.kind]
  const peer = own['peer.service'] ?? own['server.address']
  const annotations = events(request, places)
  return {
    traceId: hex(request, places.traceFrom, places.traceTo),
    id: hex(request, places.idFrom, places.idTo),
    ...(parentId === '' ? {} : { parentId }),
    name: text(request, places.nameFrom, places.nameTo),
    ...(kind === undefined ? {} : { kind }),
    ...(startUs === 0 ? {} : { timestamp: startUs }),
    duration: Math.max(1, microseconds(places.endHigh, places.endLow) - startUs),
    localEndpoint: { serviceName: textOf(resource['service.name'] ?? 'unknown_service') },
    ...(asks(kind) && peer !== undefined && peer !== null ? { remoteEndpoint: { serviceName: textOf(peer) } } : {}),
    ...(annotations.length === 0 ? {} : { annotations }),
    tags: tagsOf(own, resource, places.failed === 1),
  }
}

function asks(kind: string | undefined): boolean {
  return kind === 'CLIENT' || kind === 'PRODUCER'
}

function tagsOf(own: Attributes, resource: Attributes, failed: boolean): Record<string, string> {
  const tags = new Map<string, string>()
  for (const key of OF_RESOURCE) if (resource[key] !== undefined) tags.set(key, textOf(resource[key]))
  for (const [key, value] of Object.entries(own)) tags.set(key, textOf(value))
  if (failed) tags.set('otel.status_code', 'ERROR')
  // To Zipkin any value of `error` means that it failed.
  if (failed) tags.set('error', tags.get('error') ?? tags.get('error.type') ?? 'true')
  else tags.delete('error')
  return Object.fromEntries(tags)
}

function events(request: Uint8Array, { from, to }: SpanPlaces): { timestamp: number; value: string }[] {
  const found: { timestamp: number; value: string }[] = []
  const reader = new ProtobufReader(request, from)
  while (reader.at < to) {
    const tag = reader.tag(to)
    if (tag === lengthDelimited(FIELD.span.events)) found.push(event(reader, reader.length(to)))
    else reader.skip(tag, to)
  }
  return found
}

function event(reader: ProtobufReader, end: number): { timestamp: number; value: string } {
  let timestamp = 0
  let value = ''
  while (reader.at < end) {
    const tag = reader.tag(end)
    if (tag === fixed64Field(FIELD.event.time)) {
      const low = reader.fixed32(end)
      timestamp = microseconds(reader.fixed32(end), low)
    } else if (tag === lengthDelimited(FIELD.event.name)) value = reader.text(reader.length(end))
    else reader.skip(tag, end)
  }
  return { timestamp, value }
}

/** Of nanoseconds in two words. */
function microseconds(high: number, low: number): number {
  return Number(((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)) / 1000n)
}

function hex(bytes: Uint8Array, from: number, to: number): string {
  return from === -1 ? '' : Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('hex')
}

function text(bytes: Uint8Array, from: number, to: number): string {
  return from === -1 ? '' : Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString()
}

function textOf(value: AttributeValue | undefined): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
