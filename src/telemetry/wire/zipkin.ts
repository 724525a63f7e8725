import { MalformedJson, otlpFromJson } from './otlp-json.ts'

const KINDS: Readonly<Record<string, number>> = { SERVER: 2, CLIENT: 3, PRODUCER: 4, CONSUMER: 5 }
const INTERNAL = 1
const ERROR = 2

/**
 * The OTLP protobuf of a Zipkin v2 list of spans. A trace id of 64 bits gets zeros in front. Client and server may share a span's id; they stay
 * two spans with one id, told apart by their kinds. What is no list of objects is malformed; an odd member of a span is left out, and a span
 * without proper ids is rejected where all such are.
 *
 * @example window.accept(12, otlpFromZipkin(JSON.parse(body)))
 * @throws MalformedJson
 */
export function otlpFromZipkin(json: unknown): Uint8Array {
  if (!Array.isArray(json)) throw new MalformedJson('a list of spans is expected')
  const byService = new Map<string, unknown[]>()
  for (const span of json as unknown[]) {
    if (!isObject(span)) throw new MalformedJson('a list of spans is expected')
    const service = textOf(object(span['localEndpoint'])['serviceName'])
    const spans = byService.get(service)
    if (spans) spans.push(otlpSpan(span))
    else byService.set(service, [otlpSpan(span)])
  }
  return otlpFromJson('traces', {
    resourceSpans: [...byService].map(([service, spans]) => ({
      resource: { attributes: service === '' ? [] : [attribute('service.name', service)] },
      scopeSpans: [{ spans }],
    })),
  })
}

type Json = Readonly<Record<string, unknown>>

function otlpSpan(span: Json) {
  const tags = object(span['tags'])
  const startUs = wholeOf(span['timestamp'])
  return {
    traceId: hexOf(span['traceId'], 32),
    spanId: hexOf(span['id'], 16),
    parentSpanId: hexOf(span['parentId'], 16),
    name: textOf(span['name']),
    kind: KINDS[textOf(span['kind']).toUpperCase()] ?? INTERNAL,
    startTimeUnixNano: nanoseconds(startUs),
    endTimeUnixNano: nanoseconds(startUs + wholeOf(span['duration'])),
    attributes: [...Object.entries(tags).map(([key, value]) => attribute(key, textOf(value))), ...remote(object(span['remoteEndpoint']))],
    events: (Array.isArray(span['annotations']) ? span['annotations'] : []).filter(isObject).map((annotation) => ({
      timeUnixNano: nanoseconds(wholeOf(annotation['timestamp'])),
      name: textOf(annotation['value']),
    })),
    status: Object.hasOwn(tags, 'error') && tags['error'] !== 'false' ? { code: ERROR, message: textOf(tags['error']) } : {},
  }
}

function remote(endpoint: Json) {
  const service = textOf(endpoint['serviceName'])
  const address = textOf(endpoint['ipv4']) || textOf(endpoint['ipv6'])
  const port = wholeOf(endpoint['port'])
  return [
    ...(service === '' ? [] : [attribute('peer.service', service)]),
    ...(address === '' ? [] : [attribute('server.address', address)]),
    ...(port === 0 ? [] : [{ key: 'server.port', value: { intValue: port } }]),
  ]
}

function attribute(key: string, stringValue: string) {
  return { key, value: { stringValue } }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function object(value: unknown): Json {
  return isObject(value) ? value : {}
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

function hexOf(value: unknown, digits: number): string {
  const text = textOf(value)
  return /^[0-9a-f]+$/i.test(text) && text.length <= digits ? text.padStart(digits, '0') : ''
}

/** Microseconds; 0 of what is no such number. */
function wholeOf(value: unknown): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof number === 'number' && number >= 0 && number <= Number.MAX_SAFE_INTEGER ? Math.round(number) : 0
}

function nanoseconds(us: number): string {
  return us > 0 && us < 1e16 ? `${us}000` : '0'
}
