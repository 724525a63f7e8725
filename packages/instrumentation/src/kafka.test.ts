import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { kafkajsPatches } from './hooks/kafkajs.ts'
import type { Span } from './span.ts'
import { built, startApp } from './testing/app.ts'
import { type Receiver, startReceiver } from './testing/receiver.ts'
import { Tracer } from './tracer.ts'

interface Sent {
  readonly topic: string
  readonly messages: readonly { readonly value: string; readonly headers?: Record<string, unknown> }[]
}

/** The shape of kafkajs with a broker in memory: what is sent is handed to the consumer at once, its headers as bytes. */
class Memory {
  run: (payload: object) => Promise<void> = async () => {}
  readonly sent: Sent[] = []

  producer() {
    const send = async (record: Sent) => {
      this.sent.push(record)
      if (record.topic === 'refused') throw new Error('no such topic')
      const messages = record.messages.map(({ value, headers = {} }) => ({
        value,
        headers: Object.fromEntries(Object.entries(headers).map(([name, it]) => [name, Buffer.from(String(it))])),
      }))
      await this.run({ topic: record.topic, message: messages[0], batch: { topic: record.topic, messages } })
    }
    const producer = {
      send,
      sendBatch: async ({ topicMessages }: { topicMessages: Sent[] }) => {
        for (const record of topicMessages) await send(record)
      },
      transaction: async () => ({ send, sendBatch: producer.sendBatch }),
    }
    return producer
  }

  consumer() {
    return {
      run: async ({ eachMessage, eachBatch }: { eachMessage?: (payload: object) => Promise<void>; eachBatch?: (payload: object) => Promise<void> }) => {
        this.run = eachMessage ?? eachBatch ?? this.run
      },
    }
  }
}

function traced(): { kafka: Memory; tracer: Tracer; spans: Span[] } {
  const spans: Span[] = []
  const tracer = new Tracer({ sample: () => true, ended: (span) => spans.push(span), trouble: (_where, error) => assert.fail(String(error)) })
  class Kafka extends Memory {}
  for (const [, patch] of kafkajsPatches(tracer)) patch(Kafka as never)
  return { kafka: new Kafka(), tracer, spans }
}

test('a message carries its sender’s trace and baggage to whoever works on it', async () => {
  const { kafka, tracer, spans } = traced()
  const request = tracer.start(2, 'GET /', undefined)
  let seen = ''
  await kafka.consumer().run({ eachMessage: async () => void (seen = tracer.scope?.baggage ?? '') })
  const own = { value: 'a', headers: { mine: '1' } }
  const scope = Object.assign(Object.create(request) as typeof request, { baggage: 'weir-track=canary' })
  await tracer.scopes.run(scope, () => kafka.producer().send({ topic: 'orders', messages: [own] }))

  const [process, send] = spans
  assert.deepEqual([send?.name, send?.kind, send?.parentId], ['send orders', 4, request.spanId])
  assert.deepEqual([process?.name, process?.kind, process?.traceId, process?.parentId], ['process orders', 5, request.traceId, send?.spanId])
  assert.equal(seen, 'weir-track=canary')
  assert.deepEqual(own.headers, { mine: '1' }, 'the app’s own object stays as it was')
  assert.deepEqual(Object.keys(kafka.sent[0]?.messages[0]?.headers ?? {}), ['mine', 'traceparent', 'baggage'])
})

test('a batch is a child of its first message’s sender, linked to those of the others', async () => {
  const { kafka, tracer, spans } = traced()
  await kafka.consumer().run({ eachBatch: async () => {} })
  const trace = (digit: string) => ({ traceparent: `00-${digit.repeat(32)}-${digit.repeat(16)}-01` })
  await kafka.run({ batch: { topic: 'orders', messages: [{ headers: trace('a') }, { headers: trace('b') }, {}] } })
  const [span] = spans
  assert.deepEqual([span?.traceId, span?.links], ['a'.repeat(32), [{ traceId: 'b'.repeat(32), spanId: 'b'.repeat(16) }]])
  assert.equal(tracer.scope, undefined)
})

test('batches and transactions send a span for each topic; one that is refused says why, to the app too', async () => {
  const { kafka, spans } = traced()
  const producer = kafka.producer()
  await producer.sendBatch({
    topicMessages: [
      { topic: 'a', messages: [{ value: '1' }, { value: '2' }] },
      { topic: 'b', messages: [{ value: '3' }] },
    ],
  })
  await (await producer.transaction()).send({ topic: 'c', messages: [{ value: '4' }] })
  await assert.rejects(producer.send({ topic: 'refused', messages: [{ value: '5' }] }), /no such topic/)
  assert.deepEqual(
    spans.map(({ name, statusMessage }) => [name, statusMessage]),
    [
      ['send a', ''],
      ['send b', ''],
      ['send c', ''],
      ['send refused', 'no such topic'],
    ],
  )
})

let register: Awaited<ReturnType<typeof built>>
let receiver: Receiver
before(async () => {
  register = await built()
  receiver = await startReceiver()
})
after(async () => {
  await receiver.stop()
  register.remove()
})

for (const client of ['kafkajs', 'platformatic']) {
  test(`the real client ${client} is traced where it sends, and its error comes through when there is no broker`, async (t) => {
    receiver.batches.length = 0
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'orders' }
    const app = await startApp('kafka.mjs', { register: register.file, env, args: [client], listens: false })
    t.after(() => app.stop())
    const [span] = await receiver.until((all) => all.length === 1)
    assert.deepEqual([span?.kind, span?.name, span?.status], ['producer', 'send orders', 2])
    assert.deepEqual(span?.attributes['messaging.system'], 'kafka')
    assert.equal((await app.ended).code, 0, app.output())
    assert.match(app.output(), /^refused: traceparent=00-[0-9a-f]{32}-[0-9a-f]{16}-01$/m)
  })
}
