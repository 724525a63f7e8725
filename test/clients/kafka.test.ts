import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Producer as KafkaProducer, Producer } from '@platformatic/kafka'
import { KIND, type Names } from '../../src/core/tracegraph/spans.ts'
import { KafkaIntake } from '../../src/telemetry/kafka/kafka-intake.ts'
import type { ClosedTrace } from '../../src/telemetry/window/closed-trace.ts'
import { requestOf, spanId, testWindow, traceId } from '../../src/telemetry/window/testing.ts'
import { eventually } from '../e2e/installation.ts'
import { type Broker, jars, kafkaBroker, runJava, type Server } from './java.ts'
import { missing } from './tools.ts'

const SHOP = 7

describe('a real Kafka', { skip: missing('java', 'javac', 'mvn'), timeout: 240_000 }, () => {
  let classPath: readonly string[]
  let broker: Broker
  let server: Server
  let kafka: KafkaIntake
  let producer: KafkaProducer
  let sent = 100
  const log: string[] = []
  const calls: string[] = []
  const { window } = testWindow({
    now: Date.now,
    onClosed: (closed) => calls.push(...callsOf(closed, window.names)),
    scopeOf: ({ namespace, operation }) => (namespace === 'shop' || operation === 'acme/shop' ? SHOP : null),
  })
  const intake = () => new KafkaIntake({ brokers: broker.address, window, log: (line) => log.push(line), retryMs: { first: 100, most: 500 } })
  const topic = (name: string) => kafka.health().find((it) => it.topic === name)
  const reading = () => eventually('both topics are read', async () => kafka.health().every(({ problem }) => problem === null), 60_000)

  /** A message each. */
  const sendSpans = (count: number) => {
    const spans = Array.from({ length: count }, () =>
      requestOf([{ trace: traceId(sent), id: spanId(sent++), kind: 'server' }], { 'service.namespace': 'shop' }),
    )
    return producer.send({ messages: spans.map((value) => ({ topic: 'otlp_spans', value: Buffer.from(value) })) })
  }
  const ticking = setInterval(() => window.tick(Date.now()), 100)

  before(async () => {
    classPath = await jars()
    broker = await kafkaBroker(classPath)
    kafka = intake()
    kafka.start()
    await eventually('the broker that is not there is told of', async () => kafka.health().every(({ problem }) => /ECONNREFUSED|connect/i.test(problem ?? '')))
    server = broker.start()
    await reading()
    producer = new Producer({ clientId: 'test', bootstrapBrokers: [broker.address] })
  })
  after(async () => {
    clearInterval(ticking)
    await producer?.close()
    await kafka?.close()
    await server?.stop()
    broker?.remove()
  })

  test("spans of Zipkin's own tracer and reporter make the graph, client and server sharing one span id", async () => {
    await runJava(classPath, 'Report.java', [broker.address, 'acme/shop', '20'])
    await eventually('20 calls', async () => calls.filter((call) => call === 'web → reviews').length === 20)
    assert.equal(topic('zipkin')?.spans, 60)
    assert.equal(topic('zipkin')?.rejected, 0)
  })

  test('OTLP is read from its topic; garbage in both is counted and passed over', async () => {
    const garbage = [Buffer.from('[{"traceId'), Buffer.from('{}'), Buffer.alloc(0), Buffer.from([0xff, 0xff, 0xff]), Buffer.from('[1]')]
    await producer.send({ messages: garbage.flatMap((value) => ['zipkin', 'otlp_spans'].map((name) => ({ topic: name, value }))) })
    const call = [
      { trace: traceId(1), id: spanId(1), kind: 'client', service: 'cart' },
      { trace: traceId(1), id: spanId(2), parent: spanId(1), kind: 'server', service: 'stock' },
    ] as const
    const requests = ['shop', 'not-ours'].map((namespace) => requestOf(call, { 'service.namespace': namespace }))
    await producer.send({ messages: requests.map((request) => ({ topic: 'otlp_spans', value: Buffer.from(request) })) })
    await eventually('the call', async () => calls.includes('cart → stock') && topic('otlp_spans')?.rejected === 2)
    // An empty object is an export request without spans.
    assert.deepEqual([topic('zipkin')?.malformed, topic('otlp_spans')?.malformed], [5, 4])
    assert.equal(window.losses.of(0, 'unknown-scope'), 2)
    assert.equal(window.losses.of(0, 'malformed'), 9)
  })

  test('it goes on where it was after a restart of its own, and reads nothing twice', async () => {
    await sleep(1500) // offsets are committed each second
    await kafka.close()
    await sendSpans(5)
    kafka = intake()
    kafka.start()
    await eventually('what came meanwhile', async () => topic('otlp_spans')?.spans === 5)
    await sleep(300)
    assert.deepEqual(kafka.health(), [
      { topic: 'zipkin', problem: null, messages: 0, spans: 0, malformed: 0, rejected: 0 },
      { topic: 'otlp_spans', problem: null, messages: 5, spans: 5, malformed: 0, rejected: 0 },
    ])
  })

  test('a second reader joins and leaves: partitions move, every message is read once', async () => {
    const second = intake()
    second.start()
    await eventually('two readers', async () => second.health().every(({ problem }) => problem === null), 30_000)
    await sendSpans(20)
    const spans = () => (topic('otlp_spans')?.spans ?? 0) + (second.health()[1]?.spans ?? 0)
    await eventually('20 spans', async () => spans() >= 25, 30_000)
    await sleep(1500)
    await second.close()
    await sendSpans(20)
    await eventually('20 more', async () => spans() >= 45, 30_000)
    assert.equal(spans(), 45)
  })

  test('a broker that is killed is told of; when it is back, reading goes on', async () => {
    await server.stop()
    await eventually('it is told of', async () => kafka.health().every(({ problem }) => problem !== null), 30_000)
    server = broker.start()
    await reading()
    const from = topic('otlp_spans')?.spans ?? 0
    await eventually('the broker takes messages', () => sendSpans(5).then(() => true), 30_000)
    await eventually('5 spans', async () => (topic('otlp_spans')?.spans ?? 0) >= from + 5, 30_000)
    assert.ok(log.length > 0)
  })
})

/** `caller → callee` for each call of which both ends came. */
function callsOf({ rows, count, counted, columns, analysis }: ClosedTrace, names: Names): string[] {
  return [...rows.subarray(counted, count)].flatMap((row, at) => {
    const parent = analysis.parents[counted + at] ?? -1
    if (parent === -1 || columns.kind[row] !== KIND.server) return []
    const name = (of: number) => names.text(columns.service[of] as number)
    return [`${name(rows[parent] as number)} → ${name(row)}`]
  })
}
