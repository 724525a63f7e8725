import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { RpcClient } from '../rpc/client.ts'
import { serveRpc } from '../rpc/server.ts'
import { TelemetryClient } from './client.ts'
import { type Delivered, telemetryContract } from './contract.ts'
import { handlersOf } from './control.ts'
import { serveGateway } from './gateway-socket.ts'
import { intakeKey } from './keys.ts'
import { LiveTelemetry } from './live.ts'
import { otlpFromJson } from './wire/otlp-json.ts'

const SECRET = Buffer.alloc(32, 7)
const noStore = async () => Promise.reject(new Error('no store here'))
const folder = mkdtempSync(join(tmpdir(), 'weir-live-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** The process's parts in this one, asked over its socket. */
async function started(name: string, claims = false) {
  const live = new LiveTelemetry({
    secret: SECRET,
    claims,
    connect: noStore,
    journal: join(folder, `${name}-journal`),
    logs: '/nowhere',
    kafka: null,
    forward: { zipkin: null, otlp: null },
    log: () => {},
  })
  await live.start()
  const [control, spans] = [join(folder, `${name}.sock`), join(folder, `${name}-spans.sock`)]
  const rpc = await serveRpc(control, handlersOf(live), null)
  const gateway = await serveGateway(spans, live.gateway)
  const server = live.intake.server().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = new RpcClient(control)
  return {
    telemetry: new TelemetryClient(client, { withinMs: 200 }),
    spans,
    port: (server.address() as AddressInfo).port,
    silence: async () => rpc.close(),
    async close() {
      client.close()
      rpc.close()
      gateway.close()
      gateway.closeAllConnections()
      await live.close()
    },
  }
}

interface Made {
  readonly trace: string
  readonly id: string
  readonly parent?: string
  readonly service: string
  readonly kind: number
  readonly at: number
  readonly durationMs: number
  readonly failed?: boolean
  readonly attributes?: Readonly<Record<string, string>>
}
const attributesOf = (all: Readonly<Record<string, string>>) => Object.entries(all).map(([key, value]) => ({ key, value: { stringValue: value } }))
const nanos = (ms: number) => `${Math.round(ms * 1000)}000`
/** OTLP/JSON. */
const batchOf = (spans: readonly Made[]) => ({
  resourceSpans: spans.map(({ service, attributes = {}, ...it }) => ({
    resource: { attributes: attributesOf({ 'service.name': service, ...attributes }) },
    scopeSpans: [
      {
        spans: [
          {
            traceId: it.trace,
            spanId: it.id,
            ...(it.parent === undefined ? {} : { parentSpanId: it.parent }),
            name: 'GET /',
            kind: it.kind,
            startTimeUnixNano: nanos(it.at),
            endTimeUnixNano: nanos(it.at + it.durationMs),
            ...(it.failed ? { status: { code: 2 } } : {}),
          },
        ],
      },
    ],
  })),
})
function spansOf({ id, at, durationMs, caller, callee, failed }: Delivered): Made[] {
  const own = id.slice(16)
  const inner = `f${own.slice(1)}`
  return [
    { trace: id, id: own, service: caller, kind: 3, at, durationMs, failed },
    { trace: id, id: inner, parent: own, service: callee, kind: 2, at, durationMs, failed },
  ]
}

function post(to: { port: number } | { socketPath: string }, path: string, body: unknown, headers: Record<string, string | number> = {}) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const sent = request({ ...to, path, method: 'POST', agent: false, headers: { 'content-type': 'application/json', ...headers } }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
    })
    sent.on('error', reject)
    sent.end(body instanceof Uint8Array ? body : JSON.stringify(body))
  })
}

telemetryContract('live', async () => {
  const it = await started('contract')
  return {
    ...it,
    deliver: async (environment, trace) => {
      const { status } = await post(it, '/v1/traces', batchOf(spansOf(trace)), { 'x-weir-key': intakeKey(SECRET, environment) })
      assert.equal(status, 200)
    },
  }
})

let it: Awaited<ReturnType<typeof started>>
before(async () => {
  it = await started('own')
})
after(() => it.close())
const trace = (n: number) => n.toString(16).padStart(32, '0')
const span = (n: number) => n.toString(16).padStart(16, '0')
const gatewayBatch = (batch: unknown, version = '') =>
  post({ socketPath: it.spans }, '/spans', otlpFromJson('traces', batch), { 'x-weir-worker': 'w1', 'x-weir-senders': version, 'x-weir-dropped': 3 })

test("the gateway's spans and the service's own make one call, and the gateway hears who sends spans of its own", async () => {
  const at = Date.now() - 100
  const inE7 = { 'weir.environment': 'e7' }
  const entry = { trace: trace(1), id: span(1), service: 'gateway', kind: 3, at, durationMs: 50, attributes: inE7 }
  const unsure = { trace: trace(1), id: span(2), parent: span(1), service: 'web', kind: 1, at, durationMs: 50, attributes: inE7 }
  const own = { trace: trace(1), id: span(3), parent: span(2), service: 'web', kind: 2, at: at + 1, durationMs: 48, attributes: { 'service.version': 'v4' } }
  const first = JSON.parse((await gatewayBatch(batchOf([entry, unsure]))).body) as { version: string; senders: string[] }
  assert.deepEqual(first.senders, [])
  await post(it, '/v1/traces', batchOf([own]), { 'x-weir-key': intakeKey(SECRET, 'e7') })
  const { edges } = await it.telemetry.graph('e7', { windowMs: 60_000 })
  assert.deepEqual(
    edges.map(({ caller, callee, calls }) => ({ caller, callee, calls })),
    [{ caller: 'gateway', callee: 'web', calls: 1 }],
  )
  let heard = first
  for (const end = performance.now() + 5000; heard.senders.length === 0 && performance.now() < end; await sleep(100))
    heard = JSON.parse((await gatewayBatch(batchOf([]), first.version)).body) as typeof first
  assert.deepEqual(heard.senders, ['e7/web/v4'])
  const renamed = { ...own, trace: trace(9), service: 'mine', attributes: { 'service.instance.id': 'e7-my-api-v2-12', 'service.version': 'v9' } }
  const plain = { ...own, trace: trace(8), service: 'zipkin', attributes: {} }
  await post(it, '/v1/traces', batchOf([renamed, plain]), { 'x-weir-key': intakeKey(SECRET, 'e7') })
  for (const end = performance.now() + 5000; heard.senders.length < 3 && performance.now() < end; await sleep(100)) {
    const next = JSON.parse((await gatewayBatch(batchOf([]), heard.version)).body) as typeof first
    if (next.version !== heard.version) heard = next
  }
  assert.deepEqual([...heard.senders].sort(), ['e7/my-api/v2', 'e7/web/v4', 'e7/zipkin/*'])
  assert.deepEqual(JSON.parse((await gatewayBatch(batchOf([]), heard.version)).body), { version: heard.version, senders: [] })
  assert.equal((await it.telemetry.health()).lost['gateway'], 3)
})

test('a call whose answer has not come yet goes to nobody for a while, not to somebody who is not there', async () => {
  const at = Date.now() - 10
  const caller = { trace: trace(6), id: span(1), service: 'web', kind: 3, at, durationMs: 5 }
  const callee = { trace: trace(6), id: span(2), parent: span(1), service: 'shop', kind: 2, at: at + 1, durationMs: 3 }
  const calls = async () => (await it.telemetry.graph('e6', { windowMs: 60_000 })).edges.map((edge) => `${edge.caller} ${edge.callee}`)
  const key = { 'x-weir-key': intakeKey(SECRET, 'e6') }
  await post(it, '/v1/traces', batchOf([caller]), key)
  assert.deepEqual(await calls(), [])
  await post(it, '/v1/traces', batchOf([callee]), key)
  assert.deepEqual(await calls(), ['web shop'])
})

test('what a replica says of itself leads into no other environment', async () => {
  const made = { trace: trace(2), id: span(1), service: 'web', kind: 2, at: Date.now() - 10, durationMs: 1, attributes: { 'weir.environment': 'e7' } }
  await post(it, '/v1/traces', batchOf([made]), { 'x-weir-key': intakeKey(SECRET, 'e8') })
  assert.equal(await it.telemetry.trace('e7', trace(2)), null)
  assert.notEqual(await it.telemetry.trace('e8', trace(2)), null)
  assert.equal((await post(it, '/v1/traces', batchOf([made]))).status, 401)
  assert.equal((await post(it, '/v1/traces', batchOf([made]), { 'x-weir-key': intakeKey(Buffer.alloc(32, 8), 'e8') })).status, 401)
})

test('a store that is away is said, and holds up nothing', async () => {
  let { storage } = await it.telemetry.health()
  for (const end = performance.now() + 4000; storage === null && performance.now() < end; await sleep(50)) storage = (await it.telemetry.health()).storage
  assert.match(storage ?? '', /no store here/)
})

test('where there is one tenant, spans without a key are found by the names that they carry', async () => {
  const open = await started('claims', true)
  try {
    const made = { trace: trace(3), id: span(1), service: 'web', kind: 2, at: Date.now() - 10, durationMs: 1, attributes: { 'service.namespace': 'shop' } }
    await post(open, '/v1/traces', batchOf([made]))
    assert.equal(await open.telemetry.trace('e5', trace(3)), null, 'nobody said what shop is')
    await open.telemetry.know([{ id: 'e5', tenant: 'default', app: 'shop', environment: 'production' }])
    await post(open, '/v1/traces', batchOf([made]))
    assert.notEqual(await open.telemetry.trace('e5', trace(3)), null)
  } finally {
    await open.close()
  }
})

test('an environment is named by its id, and by nothing else', async () => {
  await assert.rejects(it.telemetry.graph("e1' or 1=1", { windowMs: 1 }), /not the id of an environment/)
  assert.equal(
    (
      await gatewayBatch(
        batchOf([{ trace: trace(4), id: span(1), service: 'x', kind: 2, at: Date.now(), durationMs: 1, attributes: { 'weir.environment': 'all' } }]),
      )
    ).status,
    400,
  )
})
