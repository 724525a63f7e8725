import assert from 'node:assert/strict'
import { request } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type App, built, nodes, startApp } from './testing/app.ts'
import { type Receiver, type SeenSpan, startReceiver } from './testing/receiver.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const CALLER = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }

let register: Awaited<ReturnType<typeof built>>
before(async () => {
  register = await built()
})
after(() => register.remove())

const ask = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers })
  return { status: response.status, text: await response.text() }
}
const echoed = async (url: string, headers: Record<string, string> = {}) => JSON.parse((await ask(url, headers)).text) as Record<string, string>
const env = (receiver: Receiver, more: Record<string, string> = {}) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'shop', ...more })
const only = (spans: readonly SeenSpan[], name: string): SeenSpan => {
  const [found, ...more] = spans.filter((span) => span.name === name)
  assert.ok(found !== undefined && more.length === 0, `one ${name} among ${spans.map((span) => span.name).join(', ')}`)
  return found
}

for (const { path: node, version } of nodes()) {
  describe(`on Node ${version}`, () => {
    let receiver: Receiver
    let app: App
    before(async () => {
      receiver = await startReceiver()
      app = await startApp('plain.cjs', { register: register.file, node, env: env(receiver) })
    })
    after(async () => {
      await app.stop()
      await receiver.stop()
    })

    test('a request is a server span, its call by fetch a client span, and the callee is below it', async () => {
      await receiver.clear()
      const headers = await echoed(`${app.url}/fetch?card=4111`, { ...CALLER, tracestate: 'a=1', baggage: 'weir-track=canary' })
      const spans = await receiver.until((all) => all.length === 3)
      const [server, client, callee] = [only(spans, 'GET /fetch'), only(spans, 'GET'), only(spans, 'GET /echo')]
      assert.deepEqual(new Set(spans.map(({ traceId }) => traceId)), new Set([TRACE]))
      assert.deepEqual([server.parentId, client.parentId, callee.parentId], ['00f067aa0ba902b7', server.spanId, client.spanId])
      assert.deepEqual([server.kind, client.kind, callee.kind], ['server', 'client', 'server'])
      assert.equal(server.service, 'shop')
      assert.deepEqual(server.attributes, { 'http.request.method': 'GET', 'url.path': '/fetch', 'url.scheme': 'http', 'http.response.status_code': 200 })
      const port = Number(new URL(app.url).port)
      assert.deepEqual(client.attributes, {
        'http.request.method': 'GET',
        'server.address': '127.0.0.1',
        'server.port': port,
        'url.full': `${app.url}/echo`,
        'http.response.status_code': 200,
      })
      assert.ok(server.durationMs >= client.durationMs && client.durationMs >= callee.durationMs, 'each holds the next')
      assert.ok(Math.abs(server.startMs - Date.now()) < 60_000)
      assert.deepEqual([headers['traceparent'], headers['tracestate'], headers['baggage']], [`00-${TRACE}-${client.spanId}-01`, 'a=1', 'weir-track=canary'])
    })

    test('a call by node:http is traced too, and a query is in no span', async () => {
      await receiver.clear()
      const headers = await echoed(`${app.url}/get`, CALLER)
      const spans = await receiver.until((all) => all.length === 3)
      assert.equal(headers['traceparent'], `00-${TRACE}-${only(spans, 'GET').spanId}-01`)
      assert.equal(only(spans, 'GET').attributes['http.response.status_code'], 200)
      assert.ok(!JSON.stringify(spans).includes('secret'))
    })

    test('headers that the app passes on by hand are not sent twice: the nearest span is the parent, its own baggage comes first', async () => {
      await receiver.clear()
      const headers = await echoed(`${app.url}/fetch-by-hand`, { ...CALLER, baggage: 'weir-track=canary,mine=2' })
      const spans = await receiver.until((all) => all.length === 3)
      assert.deepEqual([headers['traceparent'], headers['baggage']], [`00-${TRACE}-${only(spans, 'GET').spanId}-01`, 'mine=1,weir-track=canary'])
    })

    test('a caller with B3 is taken over, and callees are told in B3 as well', async () => {
      const single = await echoed(`${app.url}/get`, { b3: `${TRACE}-00f067aa0ba902b7-1` })
      assert.match(single['traceparent'] ?? '', new RegExp(`^00-${TRACE}-`))
      assert.match(single['b3'] ?? '', new RegExp(`^${TRACE}-[0-9a-f]{16}-1$`))
      const multi = await echoed(`${app.url}/fetch`, { 'x-b3-traceid': 'a3ce929d0e0e4736', 'x-b3-spanid': '00f067aa0ba902b7', 'x-b3-sampled': '1' })
      assert.match(multi['traceparent'] ?? '', /^00-0{16}a3ce929d0e0e4736-/)
      assert.equal(multi['x-b3-traceid'], 'a3ce929d0e0e4736')
    })

    test('an unsampled trace makes no span, and is passed on as it is', async () => {
      await receiver.clear()
      const unsampled = `00-${TRACE}-00f067aa0ba902b7-00`
      const headers = await echoed(`${app.url}/fetch`, { traceparent: unsampled, baggage: 'weir-track=canary' })
      assert.deepEqual([headers['traceparent'], headers['baggage']], [unsampled, 'weir-track=canary'])
      await delay(300)
      assert.deepEqual(receiver.spans(), [])
    })

    test('a listener on the body finds its request', async () => {
      const response = await fetch(`${app.url}/body-events`, { method: 'POST', headers: CALLER, body: 'x'.repeat(100_000) })
      const headers = (await response.json()) as Record<string, string>
      assert.match(headers['traceparent'] ?? '', new RegExp(`^00-${TRACE}-`))
    })

    test('status 503 and refused connections are errors, with their cause', async () => {
      await receiver.clear()
      for (const path of ['/status', '/refused', '/refused-get']) await ask(app.url + path)
      const spans = await receiver.until((all) => all.length === 5)
      assert.deepEqual([only(spans, 'GET /status').status, only(spans, 'GET /status').attributes['error.type']], [2, '503'])
      const calls = spans.filter(({ kind }) => kind === 'client')
      assert.deepEqual(
        calls.map(({ attributes, events }) => [attributes['error.type'], events[0]?.attributes['exception.type']]),
        [
          ['ECONNREFUSED', 'ECONNREFUSED'],
          ['ECONNREFUSED', 'ECONNREFUSED'],
        ],
      )
    })

    test('an answer that streams is one span until its end', async () => {
      await receiver.clear()
      assert.equal((await ask(`${app.url}/stream`)).text, 'abbb')
      const [span] = await receiver.until((all) => all.length === 1)
      assert.ok((span?.durationMs ?? 0) > 140, `${span?.durationMs} ms`)
    })

    test('a client that goes away ends the span without a status, and is no error of the service', async () => {
      await receiver.clear()
      await assert.rejects(fetch(`${app.url}/never`, { signal: AbortSignal.timeout(100) }))
      const [span] = await receiver.until((all) => all.length === 1)
      assert.deepEqual([span?.status, span?.attributes['http.response.status_code']], [0, undefined])
    })

    test('an answer that nobody listens for is thrown away as before, and the connection is free again', async () => {
      assert.equal((await ask(`${app.url}/get-no-listener`)).text, 'closed')
    })

    test('requests on one kept connection are each in the trace of their own caller', async () => {
      await receiver.clear()
      const answers = await keptConnection(app.url, [TRACE, 'b'.repeat(32), 'c'.repeat(32)])
      assert.deepEqual(answers, [TRACE, 'b'.repeat(32), 'c'.repeat(32)])
    })

    test('an upgrade works as before and is a span of its own', async () => {
      await receiver.clear()
      assert.match(await upgraded(app.url), /^HTTP\/1.1 101 .*hello$/s)
      const [span] = await receiver.until((all) => all.length === 1)
      assert.equal(span?.attributes['network.protocol.name'], 'chat')
    })

    test('a token in a path is not shown', async () => {
      await receiver.clear()
      await ask(`${app.url}/token/eyJhbGciOiJFZERTQSJ9abcdef012345`)
      const [span] = await receiver.until((all) => all.length === 1)
      assert.deepEqual([span?.name, span?.attributes['url.path']], ['GET /token/:id', '/token/:token'])
    })

    test('nothing was printed, and no trouble was had', () => assert.match(app.output(), /^port \d+\n$/))
  })

  test(`an ES module with named imports is traced, by --import too, on Node ${version}`, async (t) => {
    const receiver = await startReceiver()
    t.after(() => receiver.stop())
    const app = await startApp('module.mjs', { register: register.file, node, env: env(receiver), by: '--import' })
    t.after(() => app.stop())
    for (const path of ['/get', '/post']) {
      const headers = await echoed(app.url + path, { ...CALLER, baggage: 'weir-track=canary' })
      assert.match(headers['traceparent'] ?? '', new RegExp(`^00-${TRACE}-(?!00f067aa0ba902b7)`))
      assert.equal(headers['baggage'], 'weir-track=canary')
    }
    const spans = await receiver.until((all) => all.length === 6)
    assert.equal(spans.filter(({ kind }) => kind === 'client').length, 2)
  })
}

test('switched off, it makes no span and passes trace and baggage on all the same', async (t) => {
  const receiver = await startReceiver()
  t.after(() => receiver.stop())
  const app = await startApp('plain.cjs', { register: register.file, env: env(receiver, { OTEL_SDK_DISABLED: 'true' }) })
  t.after(() => app.stop())
  for (const path of ['/fetch', '/get']) {
    const headers = await echoed(app.url + path, { ...CALLER, baggage: 'weir-track=canary' })
    assert.deepEqual([headers['traceparent'], headers['baggage']], [CALLER.traceparent, 'weir-track=canary'])
    assert.equal((await echoed(app.url + path))['traceparent'], undefined, 'it begins no trace')
  }
  await delay(300)
  assert.deepEqual(receiver.requests, [])
})

function keptConnection(url: string, traces: readonly string[]): Promise<string[]> {
  const { port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString()
      const found = [...text.matchAll(/"traceparent":"00-([0-9a-f]{32})/g)].map(([, trace]) => trace ?? '')
      if (found.length < traces.length) return
      socket.destroy()
      resolve(found)
    })
    socket.on('error', reject)
    socket.write(traces.map((trace) => `GET /get HTTP/1.1\r\nHost: a\r\ntraceparent: 00-${trace}-00f067aa0ba902b7-01\r\n\r\n`).join(''))
  })
}

function upgraded(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { headers: { connection: 'Upgrade', upgrade: 'chat' } })
    outgoing.on('error', reject)
    outgoing.on('upgrade', (response, socket, head) => {
      let text = `HTTP/1.1 ${response.statusCode} ${head.toString()}`
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
      socket.on('end', () => resolve(text))
    })
    outgoing.end()
  })
}
