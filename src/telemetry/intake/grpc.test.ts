import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { type AddressInfo, connect } from 'node:net'
import { after, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { keyValues, requestOf } from '../window/testing.ts'
import { otlpFromJson } from '../wire/otlp-json.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import type { ReceptionOptions } from './reception.ts'
import { KEY, span, testIntake } from './testing.ts'

const TRACES = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
const METRICS = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
const LOGS = '/opentelemetry.proto.collector.logs.v1.LogsService/Export'
const closing: (() => Promise<unknown>)[] = []
after(() => Promise.all(closing.map((close) => close())))

function framed(message: Uint8Array, compressed = 0): Buffer {
  const prefix = Buffer.from([compressed, 0, 0, 0, 0])
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

interface Answer {
  readonly http: number
  readonly status: string | undefined
  readonly text: string
  readonly details: Buffer
  readonly body: Buffer
}

async function started(options: Partial<ReceptionOptions> = {}) {
  const test = testIntake(options)
  const { intake } = test
  const server = intake.grpcServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = connectHttp2(`http://127.0.0.1:${port}`)
  client.on('error', () => {})
  closing.push(() => {
    client.destroy()
    return intake.close()
  })
  const call = (path: string, body: Uint8Array, headers: Record<string, string> = KEY) => unary(client, path, [body], headers)
  return { ...test, client, port, call }
}

/** Sends the pieces one after the other. */
function unary(client: ClientHttp2Session, path: string, pieces: readonly Uint8Array[], headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = client.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers })
    let first: IncomingHttpHeaders = {}
    let trailers: IncomingHttpHeaders = {}
    const chunks: Buffer[] = []
    stream.on('response', (it) => (first = it))
    stream.on('trailers', (it) => (trailers = it))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () => {
      const last = { ...first, ...trailers }
      resolve({
        http: Number(first[':status']),
        status: last['grpc-status'] as string | undefined,
        text: decodeURIComponent(String(last['grpc-message'] ?? '')),
        details: Buffer.from(String(last['grpc-status-details-bin'] ?? ''), 'base64'),
        body: Buffer.concat(chunks),
      })
    })
    for (const piece of pieces) stream.write(piece)
    stream.end()
  })
}

describe('OTLP/gRPC', () => {
  it('takes spans, compressed or not, in one piece or many, several calls on one connection', async () => {
    const { call, client, window, intake } = await started()
    const all = await Promise.all([
      call(TRACES, framed(requestOf([span(1)]))),
      call(TRACES, framed(gzipSync(requestOf([span(2)])), 1), { ...KEY, 'grpc-encoding': 'gzip' }),
      call(TRACES, framed(requestOf([span(3)])), { ...KEY, 'grpc-encoding': 'gzip', 'content-type': 'application/grpc+proto' }),
      unary(
        client,
        TRACES,
        [...framed(requestOf([span(4)]))].map((byte) => Buffer.from([byte])),
        KEY,
      ),
    ])
    for (const { http, status, body } of all) assert.deepEqual([http, status, [...body]], [200, '0', [0, 0, 0, 0, 0]])
    assert.equal(window.health().spans, 4)
    assert.equal(intake.counts().requests, 4)
  })

  it('says how many spans it rejected, and why', async () => {
    const { call } = await started()
    const { status, body } = await call(TRACES, framed(requestOf([span(1), { ...span(2), id: 'abcd' }])))
    const expected = new ProtobufWriter()
    expected.message(1, () => {
      expected.varint(1, 1)
      expected.text(2, '1 with a trace or span id of wrong length or of zeros')
    })
    assert.deepEqual([status, body], ['0', framed(expected.finish())])
  })

  it('gives logs and metrics to whom they belong', async () => {
    const { call, logs, points } = await started()
    const resource = { attributes: keyValues({ 'service.name': 'web', 'service.namespace': 'shop' }) }
    const resourceLogs = [{ resource, scopeLogs: [{ logRecords: [{ body: { stringValue: 'hello' } }] }] }]
    assert.equal((await call(LOGS, framed(otlpFromJson('logs', { resourceLogs })), { 'x-weir-key': 'claims' })).status, '0')
    const resourceMetrics = [{ scopeMetrics: [{ metrics: [{ name: 'load', gauge: { dataPoints: [{ asDouble: 0.5 }] } }] }] }]
    assert.equal((await call(METRICS, framed(otlpFromJson('metrics', { resourceMetrics })))).status, '0')
    assert.deepEqual([logs, points], [['5 web hello'], ['7 load gauge']])
  })

  it('refuses what it cannot take with the status that says why, and counts it', async () => {
    const { call, window } = await started()
    const good = framed(requestOf([span(1)]))
    const statusOf = async (...args: Parameters<typeof call>) => (await call(...args)).status
    assert.equal(await statusOf(TRACES, good, {}), '16')
    assert.equal(await statusOf(TRACES, good, { 'x-weir-key': 'wrong' }), '16')
    assert.equal(await statusOf('/opentelemetry.proto.collector.trace.v1.TraceService/Other', good), '12')
    assert.equal(await statusOf(TRACES, framed(good, 1), { ...KEY, 'grpc-encoding': 'snappy' }), '12')
    assert.equal(await statusOf(TRACES, framed(good, 1)), '3')
    assert.equal(await statusOf(TRACES, framed(good, 1), { ...KEY, 'grpc-encoding': 'gzip' }), '3')
    assert.equal(await statusOf(TRACES, framed(requestOf([span(1)]).subarray(0, 40))), '3')
    assert.equal(await statusOf(TRACES, good.subarray(0, -1)), '3')
    assert.equal(await statusOf(TRACES, Buffer.concat([good, good])), '3')
    assert.equal(await statusOf(TRACES, Buffer.alloc(0)), '3')
    const other = await call(TRACES, good, { ...KEY, 'content-type': 'application/json' })
    assert.deepEqual([other.http, other.status], [415, undefined])
    assert.deepEqual([window.losses.of(0, 'refused-key'), window.losses.of(7, 'malformed')], [2, 7])
    assert.equal(window.health().spans, 0)
  })

  it('takes no message that is too large, and unpacks no gzip bomb; neither is to be sent again', async () => {
    const { call, window } = await started()
    const large = await call(TRACES, Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]))
    assert.deepEqual([large.status, large.text, large.details.length], ['8', 'The message is over 16777216 bytes.', 0])
    const bomb = await call(TRACES, framed(gzipSync(Buffer.alloc(64 * 2 ** 20)), 1), { ...KEY, 'grpc-encoding': 'gzip' })
    assert.deepEqual([bomb.status, bomb.details.length], ['8', 0])
    assert.equal(window.losses.of(7, 'refused-size'), 2)
  })

  it('sends away what there is no room for, to come back in a second', async () => {
    const { call, window } = await started({ hasRoomFor: () => false })
    const { status, details } = await call(LOGS, framed(new Uint8Array(0)))
    assert.equal(status, '14')
    assert.ok(details.includes('type.googleapis.com/google.rpc.RetryInfo'))
    assert.deepEqual([...details.subarray(-6)], [0x12, 4, 0x0a, 2, 0x08, 1], 'a delay of one second')
    assert.equal(window.losses.of(7, 'refused-busy'), 1)
  })

  it('keeps room for what is announced, and gives it back when the sender goes away', async () => {
    const { call, client, window } = await started()
    const announced = Buffer.from([0, 1, 0, 0, 0]) // all that one environment may have
    const open = client.request({ ':method': 'POST', ':path': TRACES, 'content-type': 'application/grpc', ...KEY })
    open.on('error', () => {})
    open.write(announced)
    const statusIs = async (wanted: string) => {
      for (let tries = 0; tries < 100; tries++) {
        if ((await call(TRACES, framed(requestOf([span(tries + 1)])))).status === wanted) return
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      assert.fail(`never ${wanted}`)
    }
    await statusIs('14')
    open.close(8)
    await statusIs('0')
    assert.ok(window.losses.of(7, 'refused-busy') > 0)
  })

  it('lives on when what comes is no HTTP/2 at all', async () => {
    const { call, port } = await started()
    const stranger = connect(port, '127.0.0.1')
    stranger.on('error', () => {})
    stranger.write('POST /v1/traces HTTP/1.1\r\nhost: a\r\n\r\n')
    await once(stranger.resume(), 'close')
    assert.equal((await call(TRACES, framed(requestOf([span(1)])))).status, '0')
  })
})
