import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { apiApp } from './app.ts'
import { contextOf } from './context.ts'
import { exposition } from './exposition.ts'
import { FakeWorld, testOptions, VERBS_OF } from './testing.ts'

const world = new FakeWorld()
const SHOP = { tenant: 'acme', app: 'shop', environment: 'production' }
world.addEnvironment(SHOP, { current: 3 })
world.addEnvironment({ ...SHOP, environment: 'staging' }, { current: 4 })
world.addEnvironment({ tenant: 'rivals', app: 'spy', environment: 'production' }, { current: 1 })
world.usage.push({ id: 'e1-web-v3-7', cpuMs: 1500, memoryBytes: 100, limits: { cpu: 0.5, memoryBytes: 1000 } })
const viewer = world.addToken({ tenants: { acme: VERBS_OF.viewer } })
const bound = world.addToken({ tenants: { acme: VERBS_OF.viewer }, environment: 'shop/staging' })
const admin = world.addToken({ admin: true, tenants: {} })
const app = await apiApp(contextOf(world.ports(), testOptions()))
after(() => app.close())
const page = async (url: string, token: string) => (await app.inject({ url, headers: { authorization: `Bearer ${token}` } })).body

test('a tenant’s token gets the numbers of its apps and of nobody else’s; one for an environment those of that one', async () => {
  const text = await page('/api/v1/metrics', viewer)
  assert.match(text, /\nweir_environment_release\{app="shop",environment="production"\} 3\n/)
  assert.match(text, /\nweir_service_error_ratio\{app="shop",environment="production",service="web"\} 0\.01\n/)
  assert.match(text, /\nweir_service_latency_seconds\{app="shop",environment="production",service="web",quantile="0\.95"\} \d/)
  assert.match(text, /\nweir_replica_cpu_seconds_total\{app="shop",environment="production",service="web",replica="e1-web-v3-7"\} 1\.5\n/)
  assert.doesNotMatch(text, /spy|rivals/)
  const own = await page('/api/v1/metrics', bound)
  assert.match(own, /environment="staging"/)
  assert.doesNotMatch(own, /production/)
})

test('a rollout that is judged shows its share and its verdict', async () => {
  const own = new FakeWorld()
  const judging = { verdict: { kind: 'fail', text: 'worse', needsS: null, share: 0.1, cursor: 1, at: 0 } }
  own.addEnvironment(SHOP, { current: 3, rollout: { target: 4, phase: { name: 'splitting', step: 0, weight: 10, since: 0 }, judging } as never })
  const its = await apiApp(contextOf(own.ports(), testOptions()))
  const { body } = await its.inject({ url: '/api/v1/metrics', headers: { authorization: `Bearer ${own.addToken({ tenants: { acme: VERBS_OF.viewer } })}` } })
  await its.close()
  assert.match(body, /\nweir_rollout_weight\{app="shop",environment="production",release="v4"\} 10\n/)
  assert.match(body, /\nweir_rollout_verdict\{app="shop",environment="production",release="v4"\} -1\n/)
})

test('what services count themselves is there by metric, with its attributes as labels that Prometheus takes', async () => {
  const own = new FakeWorld()
  const { id } = own.addEnvironment(SHOP, { current: 3 })
  const point = { atMs: own.ports().now(), service: 'web', release: 'v3', instance: 'e1-web-v3-7', unit: 'ms' }
  own.kept.addSample(id, { ...point, name: 'checkout', value: 30, count: 2, attributes: { 'http.route': '/pay', app: 'forged' } })
  const its = await apiApp(contextOf(own.ports(), testOptions()))
  const { body } = await its.inject({ url: '/api/v1/metrics', headers: { authorization: `Bearer ${own.addToken({ tenants: { acme: VERBS_OF.viewer } })}` } })
  await its.close()
  const labels =
    'attribute_http_route="/pay",attribute_app="forged",app="shop",environment="production",service="web",replica="e1-web-v3-7",metric="checkout",unit="ms"'
  assert.ok(body.includes(`\nweir_metric_value{${labels}} 30\n`), body)
  assert.ok(body.includes(`\nweir_metric_count{${labels}} 2\n`))
})

test('a probe that is declared has its newest result there; one that is not any more has none', async () => {
  const probed = new FakeWorld()
  const app2 = await apiApp(contextOf(withProbe(probed), testOptions()))
  const { body } = await app2.inject({
    url: '/api/v1/metrics',
    headers: { authorization: `Bearer ${probed.addToken({ tenants: { acme: VERBS_OF.viewer } })}` },
  })
  await app2.close()
  const about = 'app="shop",environment="production",service="web",probe="home"'
  assert.ok(body.includes(`\nweir_probe_success{${about}} 0\n`), body)
  assert.ok(body.includes(`\nweir_probe_duration_seconds{${about}} 0.25\n`))
  assert.doesNotMatch(body, /probe="gone"/)
  assert.doesNotMatch(await page('/api/v1/metrics', viewer), /weir_probe/)
})

function withProbe(probed: FakeWorld): ReturnType<FakeWorld['ports']> {
  probed.addEnvironment(SHOP, { current: 3 })
  const ports = probed.ports()
  const environment: typeof ports.queries.environment = async (ref) => {
    const detail = await ports.queries.environment(ref)
    const web = detail?.graph?.services['web']
    if (!detail?.graph || !web) return detail
    const probes = { home: { path: '/', expect: 200, timeoutMs: 100, everyMs: 60_000 } }
    return { ...detail, graph: { ...detail.graph, services: { web: { ...web, probes } } } }
  }
  return { ...ports, queries: { ...ports.queries, environment } }
}

test('what objectives say is there as soon as there are any', async () => {
  await world.ports().writes.transaction({ by: 'ann', scope: 'x', idempotency: null }, async (write) => {
    await write.setObjectives({ ...SHOP, environment: 'staging' }, 'web', { latencyP95: 1, availability: 0.9 })
    return { status: 200, body: null }
  })
  const fresh = await apiApp(contextOf(world.ports(), testOptions()))
  const { body } = await fresh.inject({ url: '/api/v1/metrics', headers: { authorization: `Bearer ${viewer}` } })
  await fresh.close()
  const about = 'app="shop",environment="staging",service="web"'
  for (const line of [
    `weir_objective_target{${about},objective="latencyP95",source="gateway"} 0.001`,
    `weir_objective_actual{${about},objective="availability",source="gateway"} 0.99`,
    `weir_objective_alarm{${about},objective="latencyP95",source="gateway",speed="fast"} 1`,
    `weir_objective_alarm{${about},objective="availability",source="gateway",speed="fast"} 0`,
  ])
    assert.ok(body.includes(`\n${line}\n`), `${line}\n${body}`)
})

test('the platform’s own numbers say whether telemetry answers', async () => {
  assert.match(await page('/metrics', admin), /\nweir_telemetry_up 1\n/)
  world.telemetry.lost = { 'logs-not-kept': 7 }
  world.telemetry.capped = [{ environment: 'e1', service: 'web', label: 'operation', count: 9 }]
  const losses = await page('/metrics', admin)
  assert.match(losses, /\nweir_telemetry_lost_total\{cause="logs-not-kept"\} 7\n/)
  assert.match(losses, /\nweir_telemetry_capped_total\{environment="e1",service="web",label="operation"\} 9\n/)
  world.telemetry.silent = true
  const text = await page('/metrics', admin)
  assert.match(text, /\nweir_telemetry_up 0\n/)
  assert.doesNotMatch(text, /weir_telemetry_spans_total/)
})

test('label values are quoted, and a metric without values is left out', () => {
  const family = { name: 'a', type: 'gauge', help: 'A.', samples: [[{ x: 'say "no"\\\n' }, 1]] } as const
  assert.equal(exposition([family, { ...family, name: 'b', samples: [] }]), '# HELP a A.\n# TYPE a gauge\na{x="say \\"no\\"\\\\\\n"} 1\n')
})
