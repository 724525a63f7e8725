import { Buffer } from 'node:buffer'
import { subscribe } from 'node:diagnostics_channel'
import { traceChannel } from '../channels.ts'
import type { Tracer } from '../tracer.ts'
import { beginProcess, beginSend, headersOf } from './kafka.ts'

type Headers = ReadonlyMap<unknown, unknown> | Readonly<Record<string, unknown>>

interface Message {
  readonly topic: string
  readonly headers?: Headers
}

interface Sending {
  readonly client: object
  readonly operation: string
  readonly options: { messages?: readonly Message[] }
}

interface Receiving {
  readonly raw?: { readonly headers?: Iterable<readonly [unknown, unknown]> }
  readonly result?: { readonly topic: string }
}

/**
 * Messages by @platformatic/kafka, which announces them on channels. It hands messages over as a stream, so how long the app works on one is
 * not known: a received message is a moment.
 */
export function tracePlatformaticKafka(tracer: Tracer): void {
  traceChannel<Sending>(tracer, {
    channel: 'plt:kafka:producer:sends',
    begin: ({ client, operation, options }) => {
      const { messages } = options
      const [first] = messages ?? []
      if (operation !== 'send' || messages === undefined || first === undefined) return null
      const scope = beginSend(tracer, first.topic, messages.length)
      const form = headerForm(client)
      if (form !== null) options.messages = messages.map((message) => ({ ...message, headers: withHeaders(message.headers, headersOf(scope, {}), form) }))
      return scope.span === tracer.scope?.span ? null : scope
    },
  })
  subscribe('tracing:plt:kafka:consumer:receives:asyncStart', (told) => {
    if (tracer.idle) return
    try {
      const { raw, result } = told as Receiving
      const headers = Object.fromEntries([...(raw?.headers ?? [])].map(([name, value]) => [String(name), value]))
      beginProcess(tracer, 'receive', result?.topic ?? '', [headers]).span?.end()
    } catch (error) {
      tracer.trouble('@platformatic/kafka', error)
    }
  })
}

/** Without serializers of its own it wants bytes, else what these take. Null: not to be seen, so nothing is added. */
function headerForm(client: object): ((text: string) => unknown) | null {
  const key = Object.getOwnPropertySymbols(client).find(({ description }) => description === 'plt.kafka.base.options')
  if (key === undefined) return null
  const { serializers } = (client as Record<symbol, { readonly serializers?: { readonly headerKey?: unknown } }>)[key] ?? {}
  return serializers?.headerKey === undefined ? (text) => Buffer.from(text) : (text) => text
}

function withHeaders(own: Headers | undefined, added: Readonly<Record<string, unknown>>, form: (text: string) => unknown): Map<unknown, unknown> {
  const entries: Iterable<[unknown, unknown]> = own instanceof Map ? own : Object.entries(own ?? {})
  const kept = [...entries].filter(([name]) => !(String(name) in added))
  return new Map([...kept, ...Object.entries(added).map(([name, value]): [unknown, unknown] => [form(name), form(String(value))])])
}
