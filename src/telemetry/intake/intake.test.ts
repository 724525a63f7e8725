import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { keyValues, requestOf, spanId, traceId } from '../window/testing.ts'
import { otlpFromJson } from '../wire/otlp-json.ts'
import { ProtobufWriter } from '../wire/protobuf-writer.ts'
import type { ReceptionOptions } from './reception.ts'
import { KEY, span, testIntake } from './testing.ts'

const PROTOBUF = { 'content-type': 'application/x-protobuf' }
const JSON_TYPE = { 'content-type': 'application/json' }
const closing: (() => Promise<void>)[] = []
after(() => Promise.all(closing.map((close) => close())))

async function started(options: Partial<ReceptionOptions> = {}) {
  const test = testIntake(options)
  const { intake } = test
  const server = intake.server().listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => intake.close())
  const { port } = server.address() as AddressInfo
  const post = (path: string, body: Uint8Array | string, headers: Record<string, string>, method = 'POST') => send(port, path, body, headers, method)
  return { ...test, post, port }
}

function send(port: number, path: string, body: Uint8Array | string, headers: Record<string, string>, method: string) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

describe('Intake', () => {
  it('takes OTLP as protobuf, gzip or not, and as JSON, each answered in kind', async () => {
    const { post, window } = await started()
    const plain = await post('/v1/traces', requestOf([span(1)]), { ...PROTOBUF, ...KEY })
    assert.deepEqual([plain.status, plain.headers['content-type'], plain.body.length], [200, 'application/x-protobuf', 0])
    assert.equal((await post('/v1/traces', gzipSync(requestOf([span(2)])), { ...PROTOBUF, ...KEY, 'content-encoding': 'gzip' })).status, 200)
    const json = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: traceId(3), spanId: spanId(3), name: 'x' }] }] }] })
    const answer = await post('/v1/traces', json, { 'content-type': 'application/json; charset=utf-8', ...KEY })
    assert.deepEqual([answer.status, answer.body.toString()], [200, '{"partialSuccess":{}}'])
    assert.equal(window.health().spans, 3)
  })

  it('takes Zipkin spans with the key in the path, of clients that cannot send headers', async () => {
    const { post, told, pass } = await started()
    const list = [
      { traceId: 'a', id: '1', name: 'get', kind: 'CLIENT', timestamp: 1.7e15, duration: 1000, localEndpoint: { serviceName: 'web' } },
      { traceId: 'a', id: '1', name: 'get /x', kind: 'SERVER', shared: true, timestamp: 1.7e15, duration: 900, localEndpoint: { serviceName: 'api' } },
    ]
    const answer = await post('/k/right/api/v2/spans', JSON.stringify(list), JSON_TYPE)
    assert.deepEqual([answer.status, answer.body.length], [202, 0])
    pass(3000)
    assert.deepEqual(told[0]?.operations, ['get', 'get /x'], 'client and server share an id and are two spans')
    assert.equal(told[0]?.trace, traceId(10))
  })

  it('says how many spans it rejected, and why', async () => {
    const { post } = await started()
    const request = requestOf([span(1), { ...span(2), id: 'abcd' }])
    const { status, body } = await post('/v1/traces', request, { ...PROTOBUF, ...KEY })
    const expected = new ProtobufWriter()
    expected.message(1, () => {
      expected.varint(1, 1)
      expected.text(2, '1 with a trace or span id of wrong length or of zeros')
    })
    assert.deepEqual([status, new Uint8Array(body)], [200, expected.finish()])
  })

  it('gives logs and metrics to whom they belong', async () => {
    const { post, logs, points } = await started()
    const resource = (service: string, namespace: string) => ({ attributes: keyValues({ 'service.name': service, 'service.namespace': namespace }) })
    const record = { body: { stringValue: 'hello' } }
    const resourceLogs = [
      { resource: resource('web', 'shop'), scopeLogs: [{ logRecords: [record] }] },
      { resource: resource('web', 'other'), scopeLogs: [{ logRecords: [record] }] },
    ]
    const answer = await post('/v1/logs', JSON.stringify({ resourceLogs }), { ...JSON_TYPE, 'x-weir-key': 'claims' })
    assert.deepEqual(JSON.parse(answer.body.toString()).partialSuccess, { rejectedLogRecords: '1', errorMessage: '1 of no app that is known' })
    assert.deepEqual(logs, ['5 web hello'])
    const metric = { name: 'load', gauge: { dataPoints: [{ asDouble: 0.5 }] } }
    await post('/v1/metrics', otlpFromJson('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] }), { ...PROTOBUF, ...KEY })
    assert.deepEqual(points, ['7 load gauge'])
  })

  it('refuses what it cannot take with the status that says why, and counts it', async () => {
    const { post, window } = await started()
    const good = requestOf([span(1)])
    const statusOf = async (...[path, body, headers, method]: Parameters<typeof post>) => (await post(path, body, headers, method)).status
    assert.equal(await statusOf('/v1/traces', good, PROTOBUF), 401)
    assert.equal(await statusOf('/v1/traces', good, { ...PROTOBUF, 'x-weir-key': 'wrong' }), 401)
    assert.equal(await statusOf('/k/wrong/v1/traces', good, PROTOBUF), 401)
    assert.equal(await statusOf('/v1/other', good, { ...PROTOBUF, ...KEY }), 404)
    assert.equal(await statusOf('/v1/traces', '', KEY, 'GET'), 405)
    assert.equal(await statusOf('/v1/traces', good, { ...KEY, 'content-type': 'text/plain' }), 415)
    assert.equal(await statusOf('/v1/traces', good, { ...PROTOBUF, ...KEY, 'content-encoding': 'br' }), 415)
    assert.equal(await statusOf('/v1/traces', good, { ...PROTOBUF, ...KEY, 'content-encoding': 'gzip' }), 400)
    assert.equal(await statusOf('/v1/traces', good.subarray(0, 40), { ...PROTOBUF, ...KEY }), 400)
    assert.equal(await statusOf('/v1/traces', '{', { ...JSON_TYPE, ...KEY }), 400)
    assert.equal(await statusOf('/api/v2/spans', '{}', { ...JSON_TYPE, ...KEY }), 400)
    assert.deepEqual([window.losses.of(0, 'refused-key'), window.losses.of(7, 'malformed')], [3, 6])
    assert.equal(window.health().spans, 0)
  })

  it('does not unpack a gzip bomb, and takes no body without end', async () => {
    const { post, window, port } = await started()
    const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20), { level: 9 })
    const before = process.memoryUsage().rss
    assert.equal((await post('/v1/traces', bomb, { ...PROTOBUF, ...KEY, 'content-encoding': 'gzip' })).status, 413)
    assert.ok(process.memoryUsage().rss - before < 150 * 2 ** 20)
    assert.equal((await post('/v1/traces', '', { ...PROTOBUF, ...KEY, 'content-length': String(10 ** 9) }).catch(() => ({ status: 413 }))).status, 413)
    const endless = httpRequest({ host: '127.0.0.1', port, path: '/v1/traces', method: 'POST', headers: { ...PROTOBUF, ...KEY } })
    const answered = once(endless, 'response')
    endless.on('error', () => {})
    const chunk = Buffer.alloc(2 ** 20)
    const feeding = setInterval(() => endless.write(chunk), 1)
    const [response] = await answered.finally(() => {
      clearInterval(feeding)
      endless.destroy()
    })
    assert.equal(response.statusCode, 413)
    assert.equal(window.losses.of(7, 'refused-size'), 3)
  })

  it('sends away what there is no room for, to come back in a second, and counts each', async () => {
    const { post, window, pass } = await started()
    let sent = 0
    let answer = await post('/v1/traces', requestOf([span(1)]), { ...PROTOBUF, ...KEY })
    for (; answer.status === 200; sent++) {
      const spans = Array.from({ length: 100 }, (_, n) => span(1000 * sent + n + 1))
      answer = await post('/v1/traces', requestOf(spans), { ...PROTOBUF, ...KEY })
      assert.ok(sent < 20)
    }
    assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1'])
    assert.deepEqual([window.losses.of(7, 'refused-busy'), window.losses.of(7, 'window-full')], [1, 0])
    pass(3000)
    assert.equal((await post('/v1/traces', requestOf([span(1)]), { ...PROTOBUF, ...KEY })).status, 200)
  })

  it('sends away logs that the store has no room for, and takes spans all the same', async () => {
    const { post, window } = await started({ hasRoomFor: (signal) => signal !== 'logs' })
    const statusOf = async (path: string) => (await post(path, '{}', { ...JSON_TYPE, ...KEY })).status
    assert.deepEqual([await statusOf('/v1/logs'), await statusOf('/v1/metrics'), await statusOf('/v1/traces')], [503, 200, 200])
    assert.equal(window.losses.of(7, 'refused-busy'), 1)
  })

  it('keeps room for bodies that do not say how large they are, so that many of them do not fill the memory', async () => {
    const { post, window, port } = await started()
    const open = Array.from({ length: 3 }, () => httpRequest({ host: '127.0.0.1', port, path: '/v1/traces', method: 'POST', headers: { ...PROTOBUF, ...KEY } }))
    const answers = open.map((it) => once(it, 'response').then(([response]) => response.statusCode as number))
    for (const it of open) for (let n = 0; n < 7; n++) it.write(Buffer.alloc(2 ** 20))
    assert.equal(await Promise.race(answers), 503, 'three times seven of sixteen megabytes')
    assert.ok(window.losses.of(7, 'refused-busy') > 0)
    for (const it of open) it.on('error', () => {}).destroy()
    await Promise.allSettled(answers)
    for (let tries = 0; (await post('/v1/traces', requestOf([span(1)]), { ...PROTOBUF, ...KEY })).status !== 200; tries++) assert.ok(tries < 100)
  })

  it('refuses JSON that would be a hundred times as large in memory', async () => {
    const { post, window } = await started()
    for (const path of ['/v1/traces', '/api/v2/spans']) {
      const answer = await post(path, gzipSync(`[${'{},'.repeat(2_000_000)}{}]`), { ...JSON_TYPE, ...KEY, 'content-encoding': 'gzip' })
      assert.equal(answer.status, 400)
      assert.match(answer.body.toString(), /holds 4000002 values/)
    }
    assert.equal(window.losses.of(7, 'malformed'), 2)
  })

  it('counts points beyond what one request may hold', async () => {
    const { post, points, window } = await started()
    const metric = { gauge: { dataPoints: Array.from({ length: 120_000 }, () => ({})) } }
    await post('/v1/metrics', otlpFromJson('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }] }), { ...PROTOBUF, ...KEY })
    assert.deepEqual([points.length, window.losses.of(7, 'over-limit')], [100_000, 20_000])
  })

  it('answers and goes on when something fails that should not', async () => {
    const told: string[] = []
    const fails = () => {
      throw new RangeError('no such thing')
    }
    const { post, window } = await started({ onLogs: fails, log: (line) => told.push(line) })
    const resourceLogs = [{ scopeLogs: [{ logRecords: [{ body: { stringValue: 'hello' } }] }] }]
    assert.equal((await post('/v1/logs', JSON.stringify({ resourceLogs }), { ...JSON_TYPE, ...KEY })).status, 500)
    assert.match(told.join(), /RangeError: no such thing/)
    assert.equal(window.losses.of(7, 'failed'), 1)
    assert.equal((await post('/v1/traces', requestOf([span(1)]), { ...PROTOBUF, ...KEY })).status, 200)
  })
})
