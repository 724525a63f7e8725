import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import protobuf from 'protobufjs'

/** OTLP as its own definition says it, read by a decoder that is not ours. */
const PROTO = `
syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
message Scope { string name = 1; string version = 2; }
message KeyValue { string key = 1; AnyValue value = 2; }
message ArrayValue { repeated AnyValue values = 1; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; } }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  repeated Event events = 11; repeated Link links = 13; Status status = 15;
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; }
}
message Status { string message = 2; int32 code = 3; }`

const REQUEST = protobuf.parse(PROTO).root.lookupType('Request')

export interface SeenSpan {
  readonly service: unknown
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly tracestate: string
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  readonly startMs: number
  readonly durationMs: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[]
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status: number
  readonly message: string
}

export interface SeenBatch {
  readonly resource: Readonly<Record<string, unknown>>
  readonly library: string
  readonly spans: readonly SeenSpan[]
}

/* What protobufjs makes of the messages above. */
interface Wire {
  resourceSpans?: { resource?: { attributes?: Pair[] }; scopeSpans?: { scope?: { name?: string }; spans?: WireSpan[] }[] }[]
}
interface Pair {
  key: string
  value?: Value
}
interface Value {
  stringValue?: string
  boolValue?: boolean
  intValue?: string
  doubleValue?: number
  arrayValue?: { values?: Value[] }
}
interface WireSpan {
  traceId: Buffer
  spanId: Buffer
  parentSpanId?: Buffer
  traceState?: string
  name?: string
  kind?: number
  startTimeUnixNano?: string
  endTimeUnixNano?: string
  attributes?: Pair[]
  events?: { name?: string; attributes?: Pair[] }[]
  links?: { traceId: Buffer; spanId: Buffer }[]
  status?: { code?: number; message?: string }
}

const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const

export function decodeRequest(body: Uint8Array): SeenBatch[] {
  const message = REQUEST.toObject(REQUEST.decode(body), { longs: String, bytes: Buffer }) as Wire
  return (message.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) =>
    scopeSpans.map(({ scope, spans = [] }) => {
      const attributes = record(resource?.attributes)
      return { resource: attributes, library: scope?.name ?? '', spans: spans.map((span) => seen(span, attributes['service.name'])) }
    }),
  )
}

function seen(span: WireSpan, service: unknown): SeenSpan {
  const [start, end] = [BigInt(span.startTimeUnixNano ?? 0), BigInt(span.endTimeUnixNano ?? 0)]
  return {
    service,
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentId: span.parentSpanId?.toString('hex') ?? '',
    tracestate: span.traceState ?? '',
    name: span.name ?? '',
    kind: KINDS[span.kind ?? 0] ?? 'internal',
    startMs: Number(start / 1000n) / 1000,
    durationMs: Number(end - start) / 1e6,
    attributes: record(span.attributes),
    events: (span.events ?? []).map(({ name = '', attributes }) => ({ name, attributes: record(attributes) })),
    links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId: traceId.toString('hex'), spanId: spanId.toString('hex') })),
    status: span.status?.code ?? 0,
    message: span.status?.message ?? '',
  }
}

function record(pairs: readonly Pair[] = []): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value = {} }) => [key, plain(value)]))
}

function plain(value: Value): unknown {
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plain)
  return value.stringValue ?? value.boolValue ?? (value.intValue === undefined ? value.doubleValue : Number(value.intValue))
}

export interface Receiver {
  readonly url: string
  readonly batches: SeenBatch[]
  readonly requests: { readonly headers: IncomingHttpHeaders; readonly path: string; readonly bytes: number }[]
  readonly spans: () => SeenSpan[]
  /** What it answers; null: nothing at all. */
  answer: { readonly status: number; readonly headers?: Record<string, string> } | null
  /** Waits for spans until `enough`; says what it has when they do not come. */
  until(enough: (spans: readonly SeenSpan[]) => boolean, withinMs?: number): Promise<SeenSpan[]>
  /** Waits until nothing more comes of what was done before, and forgets it. */
  clear(): Promise<void>
  stop(): Promise<void>
}

/** A collector on loopback that keeps what it was sent. */
export async function startReceiver(): Promise<Receiver> {
  const server = createServer((request, response) => {
    if (request.method === 'GET') return void response.end() // for whoever needs something to ask
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      receiver.requests.push({ headers: request.headers, path: request.url ?? '', bytes: body.length })
      const { answer } = receiver
      if (answer === null) return
      if (answer.status === 200) receiver.batches.push(...decodeRequest(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body))
      response.writeHead(answer.status, answer.headers).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    batches: [],
    requests: [],
    spans: () => receiver.batches.flatMap(({ spans }) => spans),
    answer: { status: 200 },
    async until(enough, withinMs = 8000) {
      for (const end = performance.now() + withinMs; performance.now() < end; await delay(20)) if (enough(receiver.spans())) return receiver.spans()
      const have = receiver.spans().map(({ kind, name, attributes }) => `${kind} ${name} ${JSON.stringify(attributes)}`)
      throw new Error(`the spans did not come; there are:\n${have.join('\n')}`)
    },
    async clear() {
      for (let before = -1; before !== receiver.requests.length; await delay(150)) before = receiver.requests.length
      receiver.batches.length = 0
    },
    stop() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return receiver
}
