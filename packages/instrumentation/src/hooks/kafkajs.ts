import type { Scope } from '../scope.ts'
import type { Tracer } from '../tracer.ts'
import type { Patch } from '../when-loaded.ts'
import { beginProcess, beginSend, headersOf, type MessageHeaders } from './kafka.ts'

interface Message {
  readonly headers?: MessageHeaders
}

interface TopicMessages {
  readonly topic: string
  readonly messages: readonly Message[]
}

type Send = (record: TopicMessages) => Promise<unknown>
type SendBatch = (batch: { readonly topicMessages?: readonly TopicMessages[] }) => Promise<unknown>

interface Producer {
  send: Send
  sendBatch: SendBatch
  transaction?: (...args: unknown[]) => Promise<Producer>
}

interface EachMessage {
  readonly topic: string
  readonly message: Message
}

interface EachBatch {
  readonly batch: { readonly topic: string; readonly messages: readonly Message[] }
}

interface Handlers {
  readonly eachMessage?: (payload: EachMessage) => Promise<void>
  readonly eachBatch?: (payload: EachBatch) => Promise<void>
}

interface Consumer {
  run(handlers?: Handlers): Promise<void>
}

interface Kafka {
  producer(...args: unknown[]): Producer
  consumer(...args: unknown[]): Consumer
}

/** Messages by kafkajs: sent alone, in batches and in transactions; taken one by one or in batches. */
export function kafkajsPatches(tracer: Tracer): readonly (readonly [string, Patch])[] {
  return [['kafkajs/src/index.js', ({ prototype }: { readonly prototype: Kafka }) => patchKafka(tracer, prototype)]]
}

function patchKafka(tracer: Tracer, prototype: Kafka): void {
  const { producer, consumer } = prototype
  prototype.producer = function tracedProducer(...args) {
    return traceProducer(tracer, Reflect.apply(producer, this, args))
  }
  prototype.consumer = function tracedConsumer(...args) {
    const made = Reflect.apply(consumer, this, args)
    const run = made.run
    made.run = (handlers) => Reflect.apply(run, made, [handlers === undefined ? handlers : tracedHandlers(tracer, handlers)])
    return made
  }
}

function traceProducer(tracer: Tracer, producer: Producer): Producer {
  // `send` of kafkajs is its `sendBatch` with one topic, called inside: so each is traced where the app calls it.
  const { send, sendBatch, transaction } = producer
  producer.send = (record) => sending(tracer, [record], ([traced]) => send(traced ?? record))
  producer.sendBatch = (batch) =>
    sending(tracer, batch?.topicMessages ?? [], (topicMessages) => sendBatch(batch === undefined ? batch : { ...batch, topicMessages }))
  if (transaction !== undefined) producer.transaction = async (...args) => traceProducer(tracer, await transaction(...args))
  return producer
}

async function sending(tracer: Tracer, topics: readonly TopicMessages[], send: (topics: readonly TopicMessages[]) => Promise<unknown>): Promise<unknown> {
  const asker = tracer.scope
  const { scopes, traced } = tracer.idle ? { scopes: [], traced: topics } : prepared(tracer, topics)
  const spans = scopes.flatMap(({ span }) => (span === null || span === asker?.span ? [] : [span]))
  try {
    return await send(traced)
  } catch (error) {
    for (const span of spans) span.failWith(error)
    throw error
  } finally {
    for (const span of spans) span.end()
  }
}

function prepared(tracer: Tracer, topics: readonly TopicMessages[]): { scopes: Scope[]; traced: readonly TopicMessages[] } {
  try {
    const scopes = topics.map(({ topic, messages }) => beginSend(tracer, topic, messages.length))
    const traced = topics.map((record, index) => {
      const scope = scopes[index]
      return scope === undefined
        ? record
        : { ...record, messages: record.messages.map((message) => ({ ...message, headers: headersOf(scope, message.headers ?? {}) })) }
    })
    return { scopes, traced }
  } catch (error) {
    tracer.trouble('kafkajs', error)
    return { scopes: [], traced: topics }
  }
}

function tracedHandlers(tracer: Tracer, handlers: Handlers): Handlers {
  const { eachMessage, eachBatch } = handlers
  return {
    ...handlers,
    ...(eachMessage && {
      eachMessage: (payload) =>
        processing(
          tracer,
          () => [payload.topic, [payload.message]],
          () => eachMessage(payload),
        ),
    }),
    ...(eachBatch && {
      eachBatch: (payload) =>
        processing(
          tracer,
          () => [payload.batch.topic, payload.batch.messages],
          () => eachBatch(payload),
        ),
    }),
  }
}

async function processing(tracer: Tracer, about: () => [string, readonly Message[]], work: () => Promise<void>): Promise<void> {
  if (tracer.idle) return work()
  let scope: Scope
  try {
    const [topic, messages] = about()
    scope = beginProcess(
      tracer,
      'process',
      topic,
      messages.map(({ headers }) => headers ?? {}),
    )
  } catch (error) {
    tracer.trouble('kafkajs', error)
    return work()
  }
  try {
    await tracer.scopes.run(scope, work)
  } catch (error) {
    scope.span?.failWith(error)
    throw error
  } finally {
    scope.span?.end()
  }
}
