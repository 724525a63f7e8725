import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServiceGraph, Trace } from '../../packages/client/src/types.ts'
import { AT } from './fixtures.ts'
import { callTree } from './output/call-tree.ts'
import { latencyText, rateText, shareText } from './output/units.ts'
import { waterfall } from './output/waterfall.ts'
import { fakeServer, type Handlers, weir } from './testing.ts'

async function run(handlers: Handlers, ...argv: string[]) {
  const server = await fakeServer(handlers)
  try {
    const ran = await weir(server, argv, { env: { WEIR_APP: 'shop' } })
    return { ...ran, asked: server.calls.map((it) => ({ route: it.route, query: it.asked.query })) }
  } finally {
    await server.close()
  }
}

const node = (service: string, over: Partial<ServiceGraph['services'][number]> = {}): ServiceGraph['services'][number] => ({
  service,
  kind: 'service',
  calls: 0,
  errors: 0,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  exclusiveMs: 2,
  releases: ['v4'],
  lostSpans: 0,
  ...over,
})
const edge = (caller: string, callee: string, calls: number, errors = 0): ServiceGraph['edges'][number] => ({
  caller,
  callee,
  calls,
  errors,
  retries: 0,
  p50Ms: 4,
  p95Ms: 12,
  p99Ms: 20,
  concurrency: 0.1,
  lastSeen: AT,
})
const graph: ServiceGraph = {
  at: AT,
  minutes: 5,
  services: [
    node('gateway', { kind: 'gateway' }),
    node('web', { calls: 300 }),
    node('api', { calls: 600 }),
    node('db', { calls: 900, kind: 'peer', lostSpans: 3 }),
  ],
  edges: [edge('gateway', 'web', 300), edge('web', 'api', 600, 6), edge('api', 'db', 600), edge('web', 'db', 300), edge('db', 'web', 1)],
  classes: [{ service: 'gateway', operation: 'GET /', count: 300, errors: 0, p50Ms: 20, p95Ms: 40 }],
}

test('the map is a tree of calls: rate, error share, latency, own time; what stands further up is not unfolded again', async () => {
  const { out } = await run({ 'graph.show': () => graph }, 'map')
  assert.match(out, /^SERVICE +RATE +ERRORS +P50 +P95 +OWN TIME\n/)
  assert.match(out, /\ngateway +1\.0\/s +0 % +20 ms +40 ms +2\.0 ms\n└─ web +1\.0\/s +0 % /)
  assert.match(out, /\n {3}├─ api +2\.0\/s +1\.0 % +4\.0 ms +12 ms /)
  assert.match(out, /\n {3}│ {2}└─ db +2\.0\/s /)
  assert.match(out, /\n {3}└─ db ↑ +1\.0\/s /)
  assert.match(out, /\n! db: 3 spans never came, so its part has holes\n/)
  assert.deepEqual(JSON.parse((await run({ 'graph.show': () => graph }, 'map', '-o', 'json')).out), graph)
  assert.match((await run({ 'graph.show': () => graph }, 'map', '-o', 'wide')).out, /RETRIES +AT ONCE +KIND +RELEASES +LAST CALL/)
})

test('every edge of a graph is in its tree once, circles and strangers too', () => {
  const circle = { ...graph, services: [node('a'), node('b'), node('c')], edges: [edge('a', 'b', 1), edge('b', 'a', 9), edge('c', 'c', 1)], classes: [] }
  const rows = callTree(circle, false)
  assert.deepEqual(
    rows.map((it) => `${it.branch}${it.service}${it.repeated ? ' ^' : ''}`),
    ['c', '`- c ^', 'a', '`- b', '   `- a ^'],
  )
  assert.equal(rows.filter((it) => it.edge !== null).length, 3)
})

const id = '4bf92f3577b34da6a3ce929d0e0e4736'
const span = (service: string, depth: number, over: Partial<Trace['tree'][number]> = {}): Trace['tree'][number] => ({
  id: '00f067aa0ba902b7',
  parent: null,
  depth,
  service,
  operation: 'GET /',
  kind: 'server',
  startMs: 0,
  durationMs: 100,
  exclusiveMs: 20,
  criticalMs: 20,
  failed: false,
  peer: null,
  instance: `e1-${service}-v4-1`,
  release: 'v4',
  attributes: {},
  ...over,
})
const trace: Trace = {
  id,
  at: AT,
  durationMs: 100,
  service: 'web',
  operation: 'GET /',
  failed: true,
  spans: 3,
  services: ['web', 'api', 'mail'],
  orphans: 1,
  tree: [
    span('web', 0),
    span('api', 1, { startMs: 10, durationMs: 80, exclusiveMs: 80, criticalMs: 80, failed: true, operation: 'GET \u001b[2J' }),
    span('mail', 1, { startMs: 50, durationMs: 1, exclusiveMs: 1, criticalMs: 0, release: null, instance: null }),
  ],
}
const line = { id, at: AT, durationMs: 100, service: 'web', operation: 'GET /', failed: true, spans: 3, services: ['web', 'api'] }
const record = { at: AT, service: 'api', release: 'v4', replica: 'e1-api-v4-1', level: 'error', trace: id, span: null, text: 'refused\u0007', attributes: null }

test('a trace is a waterfall: who, from which replica, how long, what of it was its own, and what the request waited for', async () => {
  const { out } = await run({ 'traces.show': () => trace }, 'trace', id, '-o', 'wide')
  assert.match(out, /^web GET \/ {2}100 ms {2}failed\n4bf9/)
  assert.match(out, /! a span has a parent that never came: the trace has holes/)
  assert.match(out, /\n\* {2}web: GET \/ +server +e1-web-v4-1 +0\.0 ms +100 ms +20 ms +█{32}\n/)
  assert.match(out, /\n\* {4}api: GET \\x1b\[2J +server +e1-api-v4-1 +10 ms +80 ms +80 ms +failed +█{26}\n/)
  assert.match(out, /\n {5}mail: GET \/ .*░\n/)
  assert.match(out, /waited for: api 80 ms \(80 %\), web 20 ms \(20 %\)\n$/)
})

test('a trace is found by the first digits of its id; those of two traces are not enough', async () => {
  const handlers: Handlers = {
    'traces.list': () => ({ items: [line, { ...line, id: `4bf9${'0'.repeat(28)}` }], cursor: null, missing: null }),
    'traces.show': () => trace,
  }
  assert.equal((await run(handlers, 'trace', '4bf92f')).exit, 0)
  const both = await run(handlers, 'trace', '4bf9')
  assert.deepEqual([both.exit, /is not enough/.test(both.err)], [64, true])
  const none = await run(handlers, 'trace', 'abcd')
  assert.deepEqual([none.exit, /no trace abcd…/.test(none.err)], [5, true])
  assert.equal((await run(handlers, 'trace', 'zzzz')).exit, 64)
})

test('--logs shows below a trace what was logged in it', async () => {
  const handlers: Handlers = { 'traces.show': () => trace, 'logs.search': () => ({ items: [record], cursor: null }) }
  const { out, asked } = await run(handlers, 'trace', id, '--logs')
  assert.match(out, /\n12:00:00\.000 error api v4 \| refused\\x07\n$/)
  assert.equal(asked.find((it) => it.route === 'logs.search')?.query['trace'], id)
  assert.deepEqual((JSON.parse((await run(handlers, 'trace', id, '--logs', '--json')).out) as { logs: unknown[] }).logs.length, 1)
})

test('traces takes its filters to the server, and says which part of the answer is missing', async () => {
  const handlers: Handlers = { 'traces.list': () => ({ items: [line], cursor: null, missing: 'recent' }) }
  const { out, err, asked } = await run(handlers, 'traces', '-s', 'api', '--slow', '--errors', '--slower-than', '250ms', '--since', '2026-01-31T12:00:00Z')
  assert.match(out, /^TRACE .*OPERATION\n4bf92f3577b34da6 .*100 ms +3 +failed +web +GET \/\n$/)
  assert.match(err, /the telemetry process does not answer/)
  assert.deepEqual(asked[0]?.query, { service: 'api', errors: 'true', slow: 'true', minMs: '250', since: '2026-01-31T12:00:00.000Z', limit: '20' })
  assert.equal((await run(handlers, 'traces', '--slower-than', 'long')).exit, 64)
})

test('why is one sentence with its evidence; the less likely stand below', async () => {
  const suspect = (service: string) => ({
    service,
    kind: 'code' as const,
    score: 9,
    evidence: ['own time 12 ms before, 240 ms now, since 12:03', 'load as before'],
  })
  const quiet = await run(
    { 'why.show': () => ({ at: AT, service: 'web', sentence: 'nothing unusual with web', since: null, load: null, holes: [], ranked: [] }) },
    'why',
    'web',
  )
  assert.equal(quiet.out, 'nothing unusual with web\n')
  const found = { since: '2026-11-22T12:03:20.000Z', load: { before: 4, now: 41.4 }, holes: [{ service: 'db', lostShare: 0.25 }] }
  const answer = { at: AT, service: 'web', sentence: 'web is slow because of api', ...found, ranked: [suspect('api'), suspect('db')] }
  const { out } = await run({ 'why.show': () => answer }, 'why', 'web')
  assert.match(
    out,
    /^web is slow because of api\n {2}since 12:03:20 UTC\n {2}load 4\.0\/s before, 41\/s now\n {2}own time 12 ms before, 240 ms now, since 12:03\n {2}load as before\n\nless likely {2}db {2}code\n/,
  )
  assert.match(out, /\n! 25 % of the spans of db never came: what it does is known in part\n$/)
})

test('logs are searched by words, level and trace; a search is not followed', async () => {
  const handlers: Handlers = { 'logs.search': () => ({ items: [record, { ...record, level: 'info', text: 'taken' }], cursor: null }) }
  const { out, asked } = await run(handlers, 'logs', '--grep', 'order 7', '--level', 'info', '--trace', id, '-s', 'api', '--release', 'v4')
  assert.match(out, /^12:00:00\.000 info {2}api v4 \| taken\n12:00:00\.000 error api v4 \| refused\\x07\n$/)
  assert.deepEqual(asked[0]?.query, { service: 'api', release: '4', words: 'order 7', level: 'info', trace: id, limit: '100' })
  assert.equal((await run(handlers, 'logs', '-f', '--grep', 'x')).exit, 64)
  assert.equal((await run(handlers, 'logs', '--level', 'loud')).exit, 64)
})

const objective = {
  service: 'web',
  objective: 'latencyP95' as const,
  target: 250,
  setBy: 'hand' as const,
  source: 'gateway' as const,
  actual: 412,
  met: false,
  burn: { short: 15, medium: 2, long: 14.4, longest: null },
  alarm: 'fast' as const,
}

test('slo shows what is wanted, what is, and how fast the budget goes', async () => {
  const availability = { ...objective, objective: 'availability' as const, target: 0.999, actual: 0.99995, met: true, alarm: null }
  const { out } = await run({ 'objectives.show': () => ({ items: [objective, availability] }) }, 'slo')
  assert.match(out, /\nweb +latency_p95 +250 ms +412 ms +no +15x +14x +- +fast\n/)
  assert.match(out, /\nweb +availability +99\.9 % +99\.995 % +yes /)
  assert.match((await run({ 'objectives.show': () => ({ items: [] }) }, 'slo')).out, /weir slo set SERVICE/)
})

test('objectives are set as the manifest writes them, and taken back; update_metrics is the same', async () => {
  const bodies: unknown[] = []
  const handlers: Handlers = {
    'objectives.set': ({ body }) => {
      bodies.push(body)
      return { service: 'web', objectives: { latencyP95: 250, availability: 0.999 } }
    },
  }
  const { out } = await run(handlers, 'slo', 'set', 'web', 'latency_p95=250ms', 'availability=99.9%', 'throughput=600/min')
  assert.equal(out, 'web: latency_p95=250ms availability=99.9%\n')
  await run(handlers, 'update_metrics', 'web', 'latency_p99=1s')
  await run(handlers, 'slo', 'unset', 'web', 'latency_p95')
  assert.deepEqual(bodies, [{ latencyP95: 250, availability: 0.999, throughput: 10 }, { latencyP99: 1000 }, { latencyP95: null }])
  for (const bad of ['latency_p95=250', 'latency_p95', 'speed=1s', 'availability=120%', 'throughput=0/s'])
    assert.equal((await run(handlers, 'slo', 'set', 'web', bad)).exit, 64, bad)
})

test('indicators and usage are tables of what the server counted', async () => {
  const item = {
    service: 'web',
    release: null,
    route: '/cart',
    probe: null,
    source: 'gateway',
    requests: 300,
    throughput: 1,
    errorShare: 0.01,
    rejected4xxShare: 0,
    availability: 0.99,
    p50Ms: 4,
    p95Ms: 20,
    p99Ms: 40,
    cpu: 0.254,
    memoryBytes: 2 ** 26,
    memoryPeakBytes: 2 ** 27,
  }
  const { out, asked } = await run({ 'indicators.show': () => ({ minutes: 5, items: [item], missing: null }) }, 'indicators', '--by', 'route', '-s', 'web')
  assert.match(out, /^SERVICE +ROUTE +RATE +ERRORS +4XX +P50 +P95 +P99\nweb +\/cart +1\.0\/s +1\.0 % +0 % +4\.0 ms +20 ms +40 ms\n$/)
  assert.deepEqual(asked[0]?.query, { by: 'route', service: 'web' })
  const byService = await run(
    { 'indicators.show': () => ({ minutes: 5, items: [item, { ...item, cpu: null, memoryBytes: null }], missing: null }) },
    'indicators',
  )
  assert.match(byService.out, / P99 +CPU +MEMORY\n.* 40 ms +0\.25 +64 MiB\n.* 40 ms +- +-\n$/)
  const probed = { ...item, route: null, probe: 'home', source: 'probes' }
  const probes = await run({ 'indicators.show': () => ({ minutes: 5, items: [probed], missing: null }) }, 'indicators', '--by', 'probe')
  assert.match(probes.out, /^SERVICE +PROBE +RATE .*\nweb +home +1\.0\/s/)
  assert.equal((await run({}, 'indicators', '--by', 'colour')).exit, 64)
  const replica = { replica: 'e1-web-v3-7', service: 'web', release: 3, cpuSeconds: 1.5, memoryBytes: 2 ** 26, cpuLimit: 0.5, memoryLimitBytes: 2 ** 27 }
  assert.match((await run({ 'usage.show': () => ({ items: [replica] }) }, 'usage')).out, /\ne1-web-v3-7 +64 MiB +50 % +1\.5 s +0\.5\n/)
})

test('numbers read alike everywhere', () => {
  assert.deepEqual([null, 0.25, 9.96, 12.4, 9_999, 12_345].map(latencyText), ['-', '0.3 ms', '10.0 ms', '12 ms', '9999 ms', '12.3 s'])
  assert.deepEqual(
    [0, 1, 4, 90, 60_000].map((count) => rateText(count, 60_000)),
    ['-', '1/min', '4/min', '1.5/s', '1000/s'],
  )
  assert.deepEqual(
    [0, 0.001, 0.3, 4, 50].map((part) => shareText(part, 100)),
    ['0 %', '<0.01 %', '0.30 %', '4.0 %', '50 %'],
  )
  assert.equal(shareText(0, 0), '-')
})

test('a bar stays in its frame, whatever the clocks of the services say', () => {
  const bar = waterfall(100, { width: 10, unicode: false })
  assert.equal(bar({ startMs: 20, durationMs: 30, criticalMs: 1 }), '  ###')
  assert.equal(bar({ startMs: 500, durationMs: 1, criticalMs: 0 }), '         -')
  assert.equal(bar({ startMs: -5, durationMs: 1e6, criticalMs: 1 }), '##########')
  assert.equal(waterfall(0, { width: 10, unicode: false })({ startMs: 0, durationMs: 0, criticalMs: 1 }), '#')
})

test('weir metrics lists what services send; with a name, its points', async () => {
  const names = { items: [{ name: 'cart.items', unit: '', services: ['web'], lastAt: AT }], cursor: null }
  const listed = await run({ 'samples.names': () => names }, 'metrics', '-s', 'web')
  assert.match(listed.out, /^METRIC +UNIT +LAST +SERVICES\ncart\.items +.* web\n/)
  assert.deepEqual(listed.asked[0]?.query['service'], 'web')
  const points = {
    items: [{ at: AT, service: 'web', release: 'v1', replica: 'e1-web-v1-1', value: 12.34567891, count: 4, attributes: { route: '/pay' } }],
    cursor: null,
  }
  const shown = await run({ 'samples.list': () => points }, 'metrics', 'cart.items', '--since', '2h')
  assert.match(shown.out, /\n.* 12\.3457 +4 +web +route=\/pay\n/)
  assert.equal(shown.asked[0]?.query['name'], 'cart.items')
  assert.match((await run({ 'samples.list': () => ({ items: [], cursor: null }) }, 'metrics', 'none')).out + '', /weir metrics lists|^$/)
})
