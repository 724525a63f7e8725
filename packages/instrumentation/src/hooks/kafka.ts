import { Buffer } from 'node:buffer'
import { type HeadersOut, readCaller, writeHeaders } from '../propagation.ts'
import type { Scope } from '../scope.ts'
import { KIND, type SpanLink } from '../span.ts'
import type { Tracer } from '../tracer.ts'

/** A message's headers by name, whatever form its client has for them. */
export type MessageHeaders = Readonly<Record<string, unknown>>

/** A PRODUCER span for messages that go to one topic together; each message carries it. */
export function beginSend(tracer: Tracer, topic: string, count: number): Scope {
  const scope = tracer.start(KIND.producer, `send ${topic}`, tracer.scope)
  const { span } = scope
  if (span === null || span === tracer.scope?.span) return scope
  span.put('messaging.system', 'kafka')
  span.put('messaging.operation.name', 'send')
  span.put('messaging.operation.type', 'send')
  span.put('messaging.destination.name', topic)
  if (count > 1) span.put('messaging.batch.message_count', count)
  return scope
}

/** Headers of a message that an app sends, with those of the scope; the app's own object is left as it is. */
export function headersOf(scope: Scope, own: MessageHeaders): Record<string, unknown> {
  const headers = { ...own }
  const out: HeadersOut = { get: (name) => text(headers[name]), set: (name, value) => void (headers[name] = value) }
  writeHeaders(scope, out)
  return headers
}

/** A CONSUMER span for messages that are worked on together: a child of the first one's sender, linked to those of the others. */
export function beginProcess(tracer: Tracer, name: 'process' | 'receive', topic: string, messages: readonly MessageHeaders[]): Scope {
  const senders = messages.map((headers) => readCaller(inText(headers)))
  const scope = tracer.start(KIND.consumer, `${name} ${topic}`, senders[0] ?? undefined)
  const { span } = scope
  if (span === null) return scope
  span.put('messaging.system', 'kafka')
  span.put('messaging.operation.name', name)
  span.put('messaging.operation.type', name)
  span.put('messaging.destination.name', topic)
  if (messages.length > 1) span.put('messaging.batch.message_count', messages.length)
  for (const sender of senders.slice(1)) if (sender !== null && sender.traceId !== '') span.addLink({ context: sender satisfies SpanLink })
  return scope
}

const CARRIED = ['traceparent', 'tracestate', 'baggage', 'b3', 'x-b3-traceid', 'x-b3-spanid', 'x-b3-sampled']

function inText(headers: MessageHeaders): Record<string, string> {
  const found = Object.entries(headers).filter(([name]) => CARRIED.includes(name.toLowerCase()))
  return Object.fromEntries(found.map(([name, value]) => [name.toLowerCase(), text(value).replace(/^"(.*)"$/s, '$1')]))
}

/** Kafka's headers are bytes, and may come more than once: the last counts. */
function text(value: unknown): string {
  const last: unknown = Array.isArray(value) ? value.at(-1) : value
  if (Buffer.isBuffer(last)) return last.toString('utf8')
  return typeof last === 'string' ? last : ''
}
