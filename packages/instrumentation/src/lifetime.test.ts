import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type App, type AppOptions, built, startApp } from './testing/app.ts'
import { type Receiver, startReceiver } from './testing/receiver.ts'

let register: Awaited<ReturnType<typeof built>>
let receiver: Receiver
before(async () => {
  register = await built()
})
after(() => register.remove())
beforeEach(async () => {
  receiver = await startReceiver()
})
afterEach(async () => {
  for (const app of started.splice(0)) await app.stop()
  await receiver.stop()
})

const started: App[] = []
const start = async (...args: Parameters<typeof startApp>) => {
  const app = await startApp(...args)
  started.push(app)
  return app
}

const options = (more: Partial<AppOptions> = {}, env: Record<string, string> = {}): AppOptions => ({
  register: register.file,
  env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'shop', OTEL_BSP_SCHEDULE_DELAY: '60000', ...env },
  ...more,
})
const once = (how: string, more: Partial<AppOptions> = {}) =>
  startApp('works-once.cjs', { ...options({ args: [how, `${receiver.url}/other`], ...more }), listens: false })
const get = async (app: App, path: string) => (await fetch(app.url + path)).text()
const names = () => receiver.spans().map(({ name }) => name)

test('a process that has nothing left to do sends its spans before it ends, and ends at once', async () => {
  const app = await once('by itself')
  assert.deepEqual(await app.ended, { code: 0, signal: null })
  await receiver.until((spans) => spans.length === 1)
})

test('process.exit sends what is left by the open connection', async () => {
  const app = await start('plain.cjs', options())
  await get(app, '/status')
  await receiver.until((spans) => spans.length === 1)
  await get(app, '/echo')
  await get(app, '/exit')
  assert.equal((await app.ended).code, 3)
  await receiver.until(() => names().includes('GET /echo'))
})

test('an uncaught mistake of the app ends it as before, with its code and its spans sent', async () => {
  const app = await once('throw')
  assert.equal((await app.ended).code, 1)
  assert.match(app.output(), /Error: a mistake of the app/)
  await receiver.until((spans) => spans.length === 1)
})

test('SIGTERM ends a process without a listener by the signal, one with a listener by itself; spans are sent either way', async () => {
  for (const [args, end] of [
    [[], { code: null, signal: 'SIGTERM' }],
    [['sigterm'], { code: 0, signal: null }],
  ] as const) {
    receiver.batches.length = 0
    const app = await start('plain.cjs', options({ args }))
    await get(app, '/status')
    await receiver.until((spans) => spans.length === 1)
    await get(app, '/echo')
    const from = performance.now()
    await app.stop('SIGTERM')
    assert.ok(performance.now() - from < 1000, 'at once')
    assert.deepEqual(await app.ended, end)
    await receiver.until((spans) => spans.length === 2)
  }
})

test('a receiver that does not answer holds no process up, and says nothing to the app', async () => {
  receiver.answer = null
  const app = await once('by itself')
  const from = performance.now()
  assert.deepEqual(await app.ended, { code: 0, signal: null })
  assert.ok(performance.now() - from < 2000)
  assert.equal(app.output(), '')
})

test('a receiver that is not there costs nothing but the spans: the app works on and prints nothing', async () => {
  const app = await start(
    'plain.cjs',
    options({}, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4', OTEL_LOG_LEVEL: 'none', OTEL_BSP_SCHEDULE_DELAY: '20' }),
  )
  for (let turn = 0; turn < 20; turn++) assert.equal(await get(app, '/status'), 'busy')
  await app.stop('SIGTERM')
  assert.match(app.output(), /^port \d+\n$/)
})

test('what the receiver is too busy for is sent again, and what it refuses is not', async () => {
  receiver.answer = { status: 503, headers: { 'retry-after': '0' } }
  const app = await start('plain.cjs', options({}, { OTEL_BSP_SCHEDULE_DELAY: '20', OTEL_LOG_LEVEL: 'none' }))
  await get(app, '/status')
  await delay(50)
  receiver.answer = { status: 200 }
  await receiver.until((spans) => spans.length === 1)

  receiver.answer = { status: 400 }
  const before = receiver.requests.length
  await get(app, '/status')
  await delay(300)
  assert.equal(receiver.requests.length, before + 1)
  receiver.answer = { status: 200 }
  await get(app, '/echo')
  await receiver.until((spans) => spans.length === 2)
  assert.equal(receiver.batches.at(-1)?.resource['weir.dropped_spans'], 1, 'the loss is told')
})

test('keys, path and resource are as the environment says; the exporter traces itself not', async () => {
  const app = await start(
    'plain.cjs',
    options(
      {},
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/k/abc/`,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-weir-key=e12.ab%3D',
        OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=r1,service.version=v3',
      },
    ),
  )
  await get(app, '/status')
  await receiver.until((spans) => spans.length === 1)
  await get(app, '/echo')
  await app.stop('SIGTERM')
  await receiver.until((spans) => spans.length === 2)
  const [first] = receiver.requests
  assert.deepEqual([first?.path, first?.headers['x-weir-key'], first?.headers['traceparent']], ['/k/abc/v1/traces', 'e12.ab=', undefined])
  assert.equal(receiver.requests[1]?.headers['x-weir-key'], 'e12.ab=', 'the last one too')
  const { resource } = receiver.batches[0] ?? {}
  assert.deepEqual([resource?.['service.name'], resource?.['service.instance.id'], resource?.['service.version']], ['shop', 'r1', 'v3'])
})

test('many spans are sent compressed and in batches, none twice', async () => {
  const app = await start('plain.cjs', options({}, { OTEL_BSP_SCHEDULE_DELAY: '200', OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' }))
  await Promise.all(Array.from({ length: 600 }, () => get(app, '/status')))
  const spans = await receiver.until((all) => all.length >= 600)
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, 600)
  assert.ok(receiver.requests.length < 20, `${receiver.requests.length} requests`)
  assert.ok(receiver.requests.some(({ headers }) => headers['content-encoding'] === 'gzip'))
})

test('a worker thread and a process of a cluster are traced like the main one', async () => {
  const app = await start('threads.mjs', options({}, { OTEL_BSP_SCHEDULE_DELAY: '50' }))
  await receiver.until(() => names().includes('GET /in-thread') && names().includes('GET /in-process'))
  await app.stop('SIGTERM')
})

test('an app that patches http itself sees what it saw before, and a request handed on is one span', async () => {
  const app = await start('patches-http.cjs', options({}, { OTEL_BSP_SCHEDULE_DELAY: '50' }))
  const seen = JSON.parse(await get(app, '/')) as string[]
  assert.deepEqual(
    seen.filter((event) => event === 'request' || event === 'call'),
    ['request', 'request', 'call', 'request', 'request'],
  )
  const spans = await receiver.until((all) => all.length === 3)
  assert.deepEqual(spans.map(({ kind }) => kind).sort(), ['client', 'server', 'server'])
})

test('a handler that throws ends the process as before; the span says what was thrown', async () => {
  const app = await start('plain.cjs', options())
  await get(app, '/status')
  await receiver.until((spans) => spans.length === 1)
  await assert.rejects(get(app, '/throws'))
  assert.equal((await app.ended).code, 1)
  assert.match(app.output(), /TypeError: thrown by a handler/)
  const [, span] = await receiver.until((spans) => spans.length === 2)
  assert.deepEqual([span?.status, span?.message], [2, 'thrown by a handler'])
})

test('npm and its like, which only start a service, are left alone', async () => {
  const app = await start('npm-cli.js', { ...options({ args: ['by itself', `${receiver.url}/other`] }), listens: false })
  assert.equal((await app.ended).code, 0)
  assert.deepEqual(receiver.spans(), [])
})
