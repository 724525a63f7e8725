import assert from 'node:assert/strict'
import { test } from 'node:test'
import { STANDARD_ANALYSIS } from '../canary/analysis.ts'
import type { Service } from '../model/app-graph.ts'
import { graph, release, service } from '../testing.ts'
import { changesBetween, originsOf } from './changes.ts'
import { canonical, variablesSet } from './fingerprint.ts'
import { stagesOf } from './order.ts'
import { planFor } from './plan.ts'

const keepMs = 300_000
const api = service('api')
const web = service('web', { dependsOn: { api: { condition: 'healthy' } }, routes: [{ host: 'shop.example.com', path: '/', port: 'http' }] })
const shop = graph([api, web])

test('stages put every service after what it depends on, also through services that do not change', () => {
  const chain = graph(
    ['a', 'b', 'c', 'd'].map((name, i, all) => service(name, i === 0 ? {} : { dependsOn: { [all[i - 1] as string]: { condition: 'healthy' } } })),
  )
  assert.deepEqual(stagesOf(chain, new Set(['a', 'b', 'c', 'd'])), [['a'], ['b'], ['c'], ['d']])
  assert.deepEqual(stagesOf(chain, new Set(['d', 'a'])), [['a'], ['d']])
  assert.deepEqual(stagesOf(graph([service('x'), service('y')]), new Set(['y', 'x'])), [['x', 'y']])
})

test('a change is told with its reason, and names of variables but never values', () => {
  const after = graph([{ ...api, environment: { KEY: 'top secret' }, limits: { cpu: 1, memoryBytes: 512 * 1024 * 1024 } }, web])
  assert.deepEqual(changesBetween(release(1, shop), release(2, after)), [
    { service: 'api', kind: 'changed', reasons: ['environment: KEY', 'memory 256 → 512 MiB'] },
  ])
})

test('what steers routing or scaling only changes no service', () => {
  const after = graph([api, { ...web, routes: [], scale: { min: 3, max: 9 }, release: { ...web.release, keepMs: 1 } }])
  assert.deepEqual(changesBetween(release(1, shop), release(2, after)), [])
  assert.deepEqual(planFor(release(1, shop), release(2, after)).routes, { added: [], removed: ['shop.example.com/ → web'] })
})

test('origins follow the release that last changed a service', () => {
  const v1 = { ...release(1, shop), origins: { api: 1, web: 1 } }
  const v2 = { ...release(2, shop, { web: 'new' }), origins: originsOf(v1, release(2, shop, { web: 'new' })) }
  assert.deepEqual(v2.origins, { api: 1, web: 2 })
  assert.deepEqual(originsOf(v2, release(3, shop, { web: 'new', api: 'new' })), { api: 3, web: 2 })
})

test('the plan of a first release starts everything and has nothing to keep warm', () => {
  const plan = planFor(null, release(1, shop))
  assert.equal(plan.base, null)
  assert.deepEqual(
    plan.stages.map((it) => it.services.map((s) => s.service)),
    [['api'], ['web']],
  )
  assert.deepEqual([plan.notWarm, plan.keepMs], [[], keepMs])
})

test('added and removed services and resources stand in the plan', () => {
  const after = graph([web, service('search')], { resources: { db: { kind: 'postgres', name: 'db', version: 18 } } })
  const plan = planFor(release(1, shop), release(2, after))
  assert.deepEqual(
    plan.changes.map((it) => `${it.service} ${it.kind}`),
    ['api removed', 'search added'],
  )
  assert.deepEqual(plan.untouched, ['web'])
  assert.deepEqual(plan.resources, [{ name: 'db', kind: 'postgres', action: 'create' }])
})

test('the plan names what cannot stay warm, and why', () => {
  const migrate = { name: 'migrate', command: ['m'], compatible: false, timeoutMs: 1000 }
  const plan = planFor(release(1, shop), release(2, graph([{ ...api, preStart: [migrate] }, web])))
  assert.deepEqual(plan.notWarm, [{ service: 'api', because: 'api/migrate is not declared `compatible: true`' }])
})

test('a canary names the hops that need baggage, or the exception', () => {
  const canary = { strategy: 'canary' as const, steps: [{ weight: 10 }], split: null, keepMs }
  const of = graph([{ ...api, release: canary }, web, service('other', { release: canary })])
  assert.match(planFor(release(1, of), release(2, of, { api: 'x', other: 'y' })).breaks[0] ?? '', /web → api: web does not change, so it must pass/)
  assert.match(planFor(release(1, of), release(2, of, { api: 'x' })).breaks[0] ?? '', /split by request/)
})

test('canonical text does not depend on the order of keys', () => {
  assert.equal(canonical({ b: 1, a: [{ d: 2, c: 3 }] }), canonical({ a: [{ c: 3, d: 2 }], b: 1 }))
  assert.notEqual(canonical({ a: [1, 2] }), canonical({ a: [2, 1] }))
})

test('a plan of 1,000 services is the same however the manifest orders them', () => {
  const services = Array.from({ length: 1000 }, (_, i) =>
    service(`s${i}`, i === 0 ? {} : { dependsOn: { [`s${Math.floor((i - 1) / 2)}`]: { condition: 'healthy' } } }),
  )
  const plan = planFor(null, release(1, graph(services)))
  assert.equal(plan.stages.flatMap((it) => it.services).length, 1000)
  assert.deepEqual(planFor(null, release(1, graph([...services].reverse()))), plan)
})

test('what was set outside the manifest stands above it, and for one service above all', () => {
  const configuration = { environment: { '*': { A: 'all', B: 'all' }, web: { B: 'web' } }, secrets: {} }
  assert.deepEqual({ A: 'manifest', ...variablesSet(configuration, 'web') }, { A: 'all', B: 'web' })
  const set = { ...release(2, shop), configuration: { environment: { '*': { A: 'x' } }, secrets: {} }, fingerprints: {} }
  assert.deepEqual(
    changesBetween(release(1, shop), set).map((it) => it.reasons),
    [['environment: A'], ['environment: A']],
  )
})

test('the plan says how a release will be judged, what of it cannot be, and what happens without a verdict', () => {
  const judged = {
    strategy: 'canary' as const,
    steps: [{ weight: 5 }, { weight: 50, atLeastMs: 600_000, approve: true }],
    split: null,
    keepMs,
    analysis: STANDARD_ANALYSIS,
  }
  const worker = service('worker', { ports: {}, healthcheck: { ...api.healthcheck, kind: 'none' } as never })
  const of = graph([api, { ...web, release: judged }, worker])
  const plan = planFor(release(1, of), release(2, of, { web: 'x', worker: 'y' }))
  assert.deepEqual(plan.judged, [
    'by comparing it with v1 while both serve: errors, latency, signatures, throughput, restarts, memory, cpu (rejected only shown); a release without a fault is taken back in 1 % of cases at most',
    '5 %: until it is proven (1h without a verdict)',
    '50 %: until it is proven, at least 10m and a person’s approval; then all requests (1h without a verdict)',
    'without a verdict in that time: it stays, goes on being judged, and says so',
  ])
  assert.deepEqual(plan.notJudged, ['worker takes no requests: its exits, memory and processor time are compared, and nothing of it is proven'])
  const forward = planFor(release(1, of), release(2, of, { web: 'x' }), { forward: true })
  assert.deepEqual([forward.strategy, forward.judged], ['rolling', []])
  assert.match(forward.notJudged[0] ?? '', /nothing is compared with v1, because that is what is broken/)
  assert.deepEqual([planFor(null, release(1, of)).strategy, planFor(null, release(1, of)).judged], ['rolling', []])
})

test('the most careful strategy of the changed services is that of the release', () => {
  const policy = (strategy: Service['release']['strategy']) => ({
    release: {
      strategy,
      steps: [],
      split: null,
      keepMs,
      analysis: STANDARD_ANALYSIS,
      shadow: { share: 0.1, methods: ['GET'], diff: false, atMostMs: 1, then: 'stop' as const },
    },
  })
  const of = graph([
    service('a', { ...policy('blue-green'), routes: web.routes }),
    service('b', { ...policy('canary'), routes: web.routes }),
    service('c', { ...policy('shadow'), routes: web.routes }),
  ])
  const strategyOf = (...changed: string[]) => planFor(release(1, of), release(2, of, Object.fromEntries(changed.map((it) => [it, 'new'])))).strategy
  assert.deepEqual([strategyOf('a', 'b', 'c'), strategyOf('a', 'b'), strategyOf('a')], ['shadow', 'canary', 'blue-green'])
})

test('neither a schema that cannot be shared nor a worker is shadowed, switched or split', () => {
  const migrate = { name: 'migrate', command: ['m'], compatible: false, timeoutMs: 1000 }
  for (const strategy of ['canary', 'blue-green', 'shadow'] as const) {
    const of = graph([{ ...web, dependsOn: {}, calls: [], preStart: [migrate], release: { strategy, steps: [], split: null, keepMs } }])
    assert.match(planFor(release(1, of), release(2, of, { web: 'x' })).refusal ?? '', /web\/migrate is not declared `compatible: true`/)
  }
  const of = graph([service('worker', { ports: {}, release: { strategy: 'shadow', steps: [], split: null, keepMs } })])
  assert.match(planFor(release(1, of), release(2, of, { worker: 'x' })).refusal ?? '', /worker is a worker/)
})
