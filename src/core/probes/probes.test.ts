import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readManifest } from '../manifest/manifest.ts'
import { replicaInputs } from '../plan/fingerprint.ts'
import { dueProbes, turnOf } from './probes.ts'

const MINUTE = 60_000
const read = (services: string) =>
  readManifest({ files: new Map([['weir.yaml', Buffer.from(`version: 1\napp: shop\nservices:\n${services}`)]]), listing: ['weir.yaml'], name: 'shop' })
function environment(services: string, more: { stopped?: string[]; port?: number } = {}) {
  const result = read(services)
  assert.ok(result.ok, JSON.stringify(result))
  return { id: 'e1', port: more.port ?? 8100, graph: result.manifest.graph, stopped: more.stopped ?? [] }
}
const problems = (services: string) => {
  const result = read(services)
  return result.ok ? [] : result.problems.map((it) => it.message)
}
const ROUTED = `
  web:
    build: .
    routes: [{ host: '*.shop.example.com', path: /api }, { path: /old }]
    probes: { home: { http: '/api/home?x=1' }, old: { http: /old, expect: 301, timeout: 2s, every: 5m } }
`
const OWN_PORT = '  web: { build: ., ports: { http: 8080 }, probes: { home: { http: / } } }\n'

test('a probe is asked once a period, at a moment of its own', () => {
  const shop = environment(ROUTED)
  fc.assert(
    fc.property(fc.nat(1e9), fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 60 }), (start, steps) => {
      let at = start
      let seen = 0
      for (const step of steps) {
        seen += dueProbes([shop], at, at + step).filter((it) => it.probe === 'home').length
        at += step
      }
      assert.ok(Math.abs(seen - (at - start) / MINUTE) <= 1)
    }),
  )
  assert.equal(dueProbes([shop], 0, 60 * MINUTE).length, 2)
  const moments = (id: string) =>
    Array.from({ length: 60 }, (_, second) => second).find((it) => dueProbes([{ ...shop, id }], it * 1000, it * 1000 + 1000).some((p) => p.probe === 'home'))
  assert.ok(new Set(Array.from({ length: 20 }, (_, n) => moments(`e${n}`))).size > 10)
})

test('it goes the way of a request: by the route that covers its path, or to the app’s own port', () => {
  const [home, old] = dueProbes([environment(ROUTED)], 0, 60 * MINUTE)
  assert.deepEqual(home, {
    environment: 'e1',
    service: 'web',
    probe: 'home',
    port: null,
    host: 'probe.shop.example.com',
    path: '/api/home?x=1',
    expect: 200,
    timeoutMs: 5000,
  })
  assert.deepEqual([old?.host, old?.expect, old?.timeoutMs], [null, 301, 2000])
  assert.deepEqual(
    [dueProbes([environment(OWN_PORT)], 0, MINUTE)[0]].map((it) => [it?.port, it?.host]),
    [[8100, null]],
  )
})

test('what was stopped by hand is not asked', () => {
  for (const stopped of [['*'], ['web']]) assert.deepEqual(dueProbes([environment(ROUTED, { stopped })], 0, 60 * MINUTE), [])
  assert.equal(dueProbes([environment(ROUTED, { stopped: ['api'] })], 0, 60 * MINUTE).length, 2)
})

test('a probe that no request from outside could follow is refused, and so is a path that no route covers', () => {
  assert.match(problems(`${OWN_PORT}  api: { build: ., ports: { http: 8080 }, probes: { home: { http: / } } }\n`)[0] ?? '', /no request from outside/)
  assert.match(problems('  web: { build: ., routes: [{ path: /api }], probes: { home: { http: /apix } } }\n')[0] ?? '', /no request from outside/)
  assert.match(problems('  web: { build: ., routes: [{ path: / }], probes: { home: { http: /, every: 1s } } }\n')[0] ?? '', /out of range/)
  assert.match(problems('  web: { build: ., routes: [{ path: / }], probes: { home: { http: /, timeout: 1m, every: 30s } } }\n')[0] ?? '', /longer than/)
  assert.match(problems('  web: { build: ., routes: [{ path: / }], probes: { Home: { http: / } } }\n')[0] ?? '', /the name "Home"/)
})

test('probes are told when they turn, and only then', () => {
  const turns = [null, true, false].flatMap((before) => [true, false].map((ok) => turnOf(before, { ok })))
  assert.deepEqual(turns, [null, 'probe.failing', null, 'probe.failing', 'probe.recovered', null])
})

test('other probes are no reason for another process', () => {
  const [one, two] = [OWN_PORT, OWN_PORT.replace('http: / }', 'http: /other }')].map((it) => environment(it).graph)
  assert.ok(one && two)
  const inputs = (graph: typeof one) =>
    replicaInputs(graph, graph.services['web']!, { digest: 'sha256:1', runtime: 'node', command: [] } as never, { environment: {}, secrets: {} })
  assert.notDeepEqual(one.services['web'], two.services['web'])
  assert.equal(inputs(one), inputs(two))
})
