import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { requestOf, spanId, traceId, withBrokenAttribute } from '../window/testing.ts'
import { deliveryAddress, Forwarder } from './forwarder.ts'
import { zipkinFromOtlp } from './zipkin-json.ts'

const retryMs = { first: 5, most: 20 }

/** Answers with the statuses in turn, the last one for ever. */
async function sink(t: TestContext, statuses: readonly number[]) {
  const bodies: Buffer[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const status = statuses[Math.min(bodies.length, statuses.length - 1)] ?? 200
      bodies.push(Buffer.concat(chunks))
      response.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => (server.closeAllConnections(), server.close()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies }
}

const request = (n: number) => requestOf([{ trace: traceId(n), id: spanId(1), kind: 'server', operation: `GET /${n}` }])

async function until(check: () => boolean): Promise<void> {
  const end = performance.now() + 3000
  while (!check()) {
    assert.ok(performance.now() < end, 'not in time')
    await sleep(2)
  }
}

test('requests that wait together are delivered together, in order', async (t) => {
  const { url, bodies } = await sink(t, [200])
  const forwarder = new Forwarder({ to: 'otlp', url, log: () => {}, retryMs })
  for (let n = 1; n <= 5; n++) forwarder.add(request(n), 1)
  await until(() => forwarder.health().spans === 5)
  assert.equal(bodies.length, 1)
  assert.deepEqual(
    zipkinFromOtlp(bodies[0] as Buffer).map(({ name }) => name),
    ['GET /1', 'GET /2', 'GET /3', 'GET /4', 'GET /5'],
  )
})

test('what cannot be taken now is tried again; what is refused is counted as lost', async (t) => {
  const { url, bodies } = await sink(t, [503, 429, 200, 400, 200])
  const log: string[] = []
  const forwarder = new Forwarder({ to: 'otlp', url, log: (line) => log.push(line), retryMs })
  forwarder.add(request(1), 1)
  await until(() => forwarder.health().spans === 1)
  assert.equal(bodies.length, 3)
  assert.equal(forwarder.health().problem, null)
  forwarder.add(request(2), 7)
  await until(() => forwarder.health().lost === 7)
  assert.match(forwarder.health().problem ?? '', /400/)
  forwarder.add(request(3), 1)
  await until(() => forwarder.health().spans === 2)
  assert.equal(log.length, 3)
})

test('spans with an attribute that cannot be read are counted as lost; what waits beside them goes on its way', async (t) => {
  const { url } = await sink(t, [200])
  const forwarder = new Forwarder({ to: 'zipkin', url, log: () => {}, retryMs })
  forwarder.add(request(1), 1)
  forwarder.add(withBrokenAttribute(), 1)
  forwarder.add(request(3), 1)
  await until(() => forwarder.health().spans + forwarder.health().lost === 3)
  assert.deepEqual([forwarder.health().spans, forwarder.health().lost], [2, 1])
})

test('a request that the other side will not have does not take its neighbours with it', async (t) => {
  const { url } = await sink(t, [400, 200, 400, 200])
  const forwarder = new Forwarder({ to: 'otlp', url, log: () => {}, retryMs })
  for (let n = 1; n <= 3; n++) forwarder.add(request(n), 1)
  await until(() => forwarder.health().spans + forwarder.health().lost === 3)
  assert.deepEqual([forwarder.health().spans, forwarder.health().lost], [2, 1])
})

test('it shows what the other side wants to see, as it is by now; an answer that repeats it is told without it', async (t) => {
  const seen: (string | undefined)[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(seen.length < 3 ? 503 : 200).end(`no room for ${request.headers.authorization}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => (server.closeAllConnections(), server.close()))
  const log: string[] = []
  let tokens = ['swordfish-1', null, 'swordfish-2', 'swordfish-3']
  const forwarder = new Forwarder({
    to: 'otlp',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log: (line) => log.push(line),
    retryMs,
    headers: () => {
      const [token] = tokens
      tokens = tokens.slice(1)
      if (token === null) throw new Error('credentials can be read by others')
      return { authorization: `Bearer ${token}` }
    },
  })
  forwarder.add(request(1), 1)
  await until(() => forwarder.health().spans === 1)
  assert.deepEqual(seen, ['Bearer swordfish-1', 'Bearer swordfish-2', 'Bearer swordfish-3'])
  assert.deepEqual([log.length, log.some((line) => line.includes('swordfish')), log.some((line) => line.includes('read by others'))], [3, false, true])
})

test('while nobody is there, memory stays bounded, the oldest go and each loss is counted; then the newest arrive', async (t) => {
  const away = new Forwarder({ to: 'zipkin', url: 'http://127.0.0.1:9', log: () => {}, retryMs, maxBytes: 1000 })
  for (let n = 1; n <= 1000; n++) away.add(request(n), 1)
  await until(() => away.health().problem !== null)
  const { lost, waitingBytes } = away.health()
  assert.ok(waitingBytes <= 1000)
  assert.ok(lost > 900 && lost < 1000, `${lost}`)
  await away.close()
  assert.equal(away.health().lost, 1000)

  const { url, bodies } = await sink(t, [503, 200])
  const back = new Forwarder({ to: 'zipkin', url, log: () => {}, retryMs, maxBytes: 1000 })
  for (let n = 1; n <= 100; n++) back.add(request(n), 1)
  await until(() => back.health().waitingBytes === 0 && back.health().problem === null && bodies.length > 1)
  assert.equal((JSON.parse(String(bodies.at(-1))) as { name: string }[]).at(-1)?.name, 'GET /100')
  assert.equal(back.health().spans + back.health().lost, 100)
})

test('adding costs no more than a copy, however slow the other side is', async (t) => {
  const { url } = await sink(t, [503])
  const forwarder = new Forwarder({ to: 'otlp', url, log: () => {}, retryMs })
  const one = request(1)
  const from = performance.now()
  for (let n = 0; n < 10_000; n++) forwarder.add(one, 1)
  const tookMs = performance.now() - from
  assert.ok(tookMs < 500, `${tookMs} ms`)
  await forwarder.close()
})

test('a span keeps in Zipkin what it was: kind, peer, times, errors, events, and who made it', () => {
  const [span] = zipkinFromOtlp(
    requestOf(
      [
        {
          trace: traceId(1),
          id: spanId(2),
          parent: spanId(1),
          kind: 'client',
          operation: 'GET /reviews',
          startMs: 5,
          durationMs: 2.5,
          failed: true,
          peer: 'reviews',
          attributes: { 'http.response.status_code': 503, __proto__x: true },
        },
      ],
      { 'service.version': 'v3', 'process.pid': 1 },
    ),
  )
  assert.deepEqual(span, {
    traceId: traceId(1),
    id: spanId(2),
    parentId: spanId(1),
    name: 'GET /reviews',
    kind: 'CLIENT',
    timestamp: (Date.UTC(2026, 0, 1) + 5) * 1000,
    duration: 2500,
    localEndpoint: { serviceName: 'web' },
    remoteEndpoint: { serviceName: 'reviews' },
    tags: {
      'service.version': 'v3',
      'peer.service': 'reviews',
      'http.response.status_code': '503',
      __proto__x: 'true',
      'otel.status_code': 'ERROR',
      error: 'true',
    },
  })
})

test("the page for people is Zipkin's own, and shows no password", () => {
  const page = (to: 'zipkin' | 'otlp', url: string) => new Forwarder({ to, url, log: () => {} }).page
  assert.equal(page('zipkin', 'http://me:secret@z:9411'), 'http://z:9411/zipkin/')
  assert.equal(page('zipkin', 'http://z/zipkin'), 'http://z/zipkin/')
  assert.equal(page('otlp', 'https://me:secret@o/otlp'), 'https://o/')
})

test('the path is added to an address that has none', () => {
  assert.equal(deliveryAddress('zipkin', 'http://z:9411').href, 'http://z:9411/api/v2/spans')
  assert.equal(deliveryAddress('zipkin', 'http://z:9411/zipkin/').href, 'http://z:9411/api/v2/spans')
  assert.equal(deliveryAddress('otlp', 'https://o/otlp/').href, 'https://o/otlp/v1/traces')
  assert.equal(deliveryAddress('otlp', 'https://o/v1/traces').href, 'https://o/v1/traces')
})
