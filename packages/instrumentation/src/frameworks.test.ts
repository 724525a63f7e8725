import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { built, nodes, startApp } from './testing/app.ts'
import { type Receiver, startReceiver } from './testing/receiver.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const CALLER = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` }

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

const env = () => ({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'shop' })
const post = (url: string, body: object) =>
  fetch(url, { method: 'POST', headers: { ...CALLER, 'content-type': 'application/json' }, body: JSON.stringify(body) }).then((response) => response.json())

for (const { path: node, version } of nodes()) {
  test(`express tells the route, and what its handlers threw, on Node ${version}`, async (t) => {
    await receiver.clear()
    const app = await startApp('express.cjs', { register: register.file, node, env: env() })
    t.after(() => app.stop())
    for (const path of ['/songs/17', '/orders/17/items/4', '/orders/17', '/throws', '/rejects', '/handled', '/nowhere'])
      await (await fetch(app.url + path)).text()
    assert.deepEqual(await post(`${app.url}/songs`, { id: 'a' }), { id: 'a' })
    const spans = await receiver.until((all) => all.length === 10)
    assert.deepEqual(spans.map(({ name }) => name).sort(), [
      'GET',
      'GET /handled',
      'GET /nowhere',
      'GET /orders/:id',
      'GET /orders/:id/items/:item',
      'GET /rejects',
      'GET /songs/:id',
      'GET /songs/:id',
      'GET /throws',
      'POST /songs',
    ])
    const errors = spans.flatMap(({ name, events, status }) =>
      events.map(({ attributes }) => [name, attributes['exception.type'], attributes['exception.message'], status]),
    )
    assert.deepEqual(errors.sort(), [
      ['GET /handled', 'Error', 'handled by the app', 0],
      ['GET /rejects', 'RangeError', 'rejected in express', 2],
      ['GET /throws', 'TypeError', 'thrown in express', 2],
    ])
    assert.match(String(spans.find(({ name }) => name === 'GET /throws')?.events[0]?.attributes['exception.stacktrace']), /express\.cjs/)
    assert.equal(spans.filter(({ traceId }) => traceId === TRACE).length, 3, 'the call after the body was parsed is in the trace')
  })

  test(`fastify tells the route, and what its handlers threw, on Node ${version}`, async (t) => {
    await receiver.clear()
    const app = await startApp('fastify.mjs', { register: register.file, node, env: env() })
    t.after(() => app.stop())
    for (const path of ['/songs/17', '/orders/17/items/4', '/throws']) await (await fetch(app.url + path)).text()
    assert.deepEqual(await post(`${app.url}/songs`, { id: 'a' }), { id: 'a' })
    const spans = await receiver.until((all) => all.length === 6)
    assert.deepEqual(spans.map(({ name }) => name).sort(), [
      'GET',
      'GET /orders/:order/items/:item',
      'GET /songs/:id',
      'GET /songs/:id',
      'GET /throws',
      'POST /songs',
    ])
    assert.equal(spans.find(({ name }) => name === 'GET /throws')?.events[0]?.attributes['exception.message'], 'thrown in fastify')
    assert.equal(spans.filter(({ traceId }) => traceId === TRACE).length, 3)
  })

  test(`spans made by the OpenTelemetry API are part of the trace, until the app brings an SDK of its own, on Node ${version}`, async (t) => {
    await receiver.clear()
    const app = await startApp('open-telemetry.mjs', { register: register.file, node, env: env() })
    t.after(() => app.stop())
    const get = async (path: string) => (await fetch(app.url + path, { headers: CALLER })).text()

    const headers = JSON.parse(await get('/')) as Record<string, string>
    const spans = await receiver.until((all) => all.length === 4)
    const [server, own, client] = ['GET /', 'price the cart', 'GET'].map((name) => spans.find((span) => span.name === name))
    assert.deepEqual([own?.traceId, own?.parentId, own?.kind, client?.parentId], [TRACE, server?.spanId, 'internal', own?.spanId])
    assert.equal(headers['traceparent'], `00-${TRACE}-${client?.spanId}-01`)
    assert.deepEqual([own?.attributes, own?.status, own?.message], [{ items: 3, list: ['a', 'b'] }, 2, 'too dear'])
    assert.deepEqual(
      own?.events.map(({ name, attributes }) => [name, attributes['total'] ?? attributes['exception.type']]),
      [
        ['priced', 9.5],
        ['exception', 'RangeError'],
      ],
    )

    await receiver.clear()
    assert.equal(await get('/manual'), TRACE)
    const manual = (await receiver.until((all) => all.length === 4)).find(({ name }) => name === 'by hand')
    assert.equal(manual?.kind, 'client')
    assert.ok(manual.durationMs > 990, 'it began when the app says')

    assert.equal(await get('/register'), 'true', 'the app can register its SDK')
    await receiver.clear()
    await get('/')
    assert.deepEqual(JSON.parse(await get('/made')), ['price the cart'], 'a tracer that it had before is now the SDK’s')
    await delay(300)
    assert.deepEqual(receiver.spans(), [])
  })

  test(`where an SDK was there first nothing is done, on Node ${version}`, async (t) => {
    await receiver.clear()
    const first = join(import.meta.dirname, 'testing/apps/open-telemetry-first.cjs')
    const app = await startApp('plain.cjs', { register: register.file, node, env: { ...env(), NODE_OPTIONS: `--require=${first} --require=${register.file}` } })
    t.after(() => app.stop())
    const headers = (await (await fetch(`${app.url}/get`, { headers: CALLER })).json()) as Record<string, string>
    assert.equal(headers['traceparent'], undefined)
    await delay(300)
    assert.deepEqual(receiver.spans(), [])
  })
}
