import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { requestOf, spanId, traceId } from '../../src/telemetry/window/testing.ts'
import { eventually, freePort, get } from '../e2e/installation.ts'
import { jars, type Server, startJava } from './java.ts'
import { type TelemetryProcess, telemetryProcess } from './telemetry.ts'
import { missing } from './tools.ts'

interface ZipkinSpan {
  readonly id: string
  readonly kind?: string
  readonly localEndpoint: { readonly serviceName: string }
  readonly tags?: Readonly<Record<string, string>>
}

describe('a real Zipkin', { skip: missing('java', 'javac', 'mvn'), timeout: 240_000 }, () => {
  let zipkin: Server
  let weir: TelemetryProcess
  const ask = async <T>(path: string) => JSON.parse((await get(`http://127.0.0.1:${zipkin.port}${path}`)).body) as T
  const start = (jar: string, port: number) =>
    startJava(['-Xmx256m', '-XX:TieredStopAtLevel=1', '-jar', jar], port, {
      QUERY_PORT: String(port),
      STORAGE_TYPE: 'mem',
      SELF_TRACING_ENABLED: 'false',
      COLLECTOR_KAFKA_ENABLED: 'false',
    })

  before(async () => {
    const jar = (await jars()).find((file) => file.includes('zipkin-server'))
    assert.ok(jar)
    const port = await freePort()
    weir = await telemetryProcess({ forward: { zipkin: `http://127.0.0.1:${port}/zipkin/`, otlp: null } })
    await send(weir, 1) // before it is there
    await eventually('that nobody is there is told', async () => (await weir.telemetry.health()).links.some(({ problem }) => problem?.includes('ECONNREFUSED')))
    zipkin = start(jar, port)
    await eventually('Zipkin', async () => (await get(`http://127.0.0.1:${port}/health`)).status === 200, 90_000)
  })
  after(async () => {
    await weir?.stop()
    await zipkin?.stop()
  })

  test('what was sent before it was there arrives, with services, kinds and errors; nothing is lost', async () => {
    const spans = await eventually(
      'the trace',
      async () => {
        const found = await ask<ZipkinSpan[]>(`/api/v2/trace/${traceId(1)}`)
        return Array.isArray(found) && found.length === 3 && found
      },
      40_000,
    )
    assert.deepEqual(spans.map(({ kind, localEndpoint, tags }) => [kind, localEndpoint.serviceName, tags?.['error']]).sort(), [
      ['CLIENT', 'web', undefined],
      ['SERVER', 'reviews', 'true'],
      ['SERVER', 'web', undefined],
    ])
    const { links } = await weir.telemetry.health()
    assert.deepEqual(links, [
      { name: 'forward zipkin', address: `http://127.0.0.1:${zipkin.port}/zipkin/`, problem: null, spans: 3, lost: { 'not-forwarded': 0 } },
    ])
  })

  test('its own graph of dependencies shows the same call as Weir', async () => {
    for (let n = 2; n <= 10; n++) await send(weir, n)
    const call = await eventually('ten calls', async () => {
      const links = await ask<{ parent: string; child: string; callCount: number; errorCount: number }[]>(
        `/api/v2/dependencies?endTs=${Date.now() + 60_000}&lookback=${400 * 86_400_000}`,
      )
      return links.find(({ callCount }) => callCount === 10)
    })
    assert.deepEqual(call, { parent: 'web', child: 'reviews', callCount: 10, errorCount: 10 })
    const graph = await weir.telemetry.graph('e1', { windowMs: 300_000 })
    assert.deepEqual(
      graph.edges.map(({ caller, callee, calls, errors }) => ({ caller, callee, calls, errors })),
      [{ caller: 'web', callee: 'reviews', calls: 10, errors: 10 }],
    )
  })
})

/** A request to web that calls reviews, which fails, as a replica of e1 would send it. */
async function send(weir: TelemetryProcess, n: number): Promise<void> {
  const request = requestOf([
    { trace: traceId(n), id: spanId(1), kind: 'server', service: 'web', operation: 'GET /', durationMs: 9 },
    { trace: traceId(n), id: spanId(2), parent: spanId(1), kind: 'client', service: 'web', operation: 'GET', startMs: 1, durationMs: 7 },
    {
      trace: traceId(n),
      id: spanId(3),
      parent: spanId(2),
      kind: 'server',
      service: 'reviews',
      operation: 'GET /reviews',
      startMs: 2,
      durationMs: 5,
      failed: true,
    },
  ])
  const [name = '', key = ''] = (weir.environmentOf('e1', 'web')['OTEL_EXPORTER_OTLP_HEADERS'] ?? '').split('=')
  const answer = await fetch(`http://127.0.0.1:${weir.ports.otlp}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', [name]: key },
    body: Buffer.from(request),
  })
  assert.equal(answer.status, 200)
}
