import assert from 'node:assert/strict'
import { test } from 'node:test'
import { columnsOf, createAnalyser, ServiceGraph, type Span } from '../core/tracegraph/index.ts'
import { why } from './why.ts'

const START_MS = 1_800_000_000_000

/** web → api → db, a few requests a second; how long each takes by itself is said for every second. */
function traced(seconds: number, times: (second: number) => { web: number; api: number; requests?: number }): { graph: ServiceGraph; nowMs: number } {
  const spans: { span: Span[]; atMs: number }[] = []
  let n = 0
  // Without chance and yet not all alike.
  const wobble = () => 0.8 + 0.4 * (((n * 2654435761) % 1000) / 1000)
  for (let second = 0; second < seconds; second++) {
    const { web, api, requests = 4 } = times(second)
    for (let request = 0; request < requests; request++) {
      n++
      const [own, inner] = [web * wobble() * 1000, api * wobble() * 1000]
      const startUs = (START_MS + 1000 * second + request * 200) * 1000
      const trace = n.toString(16).padStart(32, '0')
      const id = (part: number) => (4 * n + part).toString(16).padStart(16, '0')
      const base = { trace, operation: 'GET /' }
      spans.push({
        atMs: START_MS + 1000 * second,
        span: [
          { ...base, id: id(1), service: 'web', kind: 'server', startUs, durationUs: own + inner, instance: 'e1-web-v1-1' },
          { ...base, id: id(2), parent: id(1), service: 'web', kind: 'client', startUs: startUs + own / 2, durationUs: inner },
          { ...base, id: id(3), parent: id(2), service: 'api', kind: 'server', startUs: startUs + own / 2, durationUs: inner, instance: 'e1-api-v1-1' },
        ],
      })
    }
  }
  const { columns, names } = columnsOf(spans.flatMap(({ span }) => span))
  const graph = new ServiceGraph(names)
  const analyser = createAnalyser()
  spans.forEach(({ atMs }, at) => graph.add(analyser.analyse(columns, Int32Array.of(3 * at, 3 * at + 1, 3 * at + 2), 3), columns, atMs))
  return { graph, nowMs: START_MS + 1000 * seconds }
}
const ask = ({ graph, nowMs }: ReturnType<typeof traced>, service: string) => why(graph, { service, windowMs: 300_000, nowMs })

test('a service that takes longer at the same load is named within ten seconds, as code and not as capacity', () => {
  const { sentence, ranked } = ask(
    traced(310, (second) => ({ web: 5, api: second < 300 ? 10 : 200 })),
    'web',
  )
  assert.match(sentence, /^web is slow because of api: it went from (9|10|11)(\.\d)? ms to \d{2,3} ms since \d\d:\d\d:\d\d, .*\(code, not capacity/)
  assert.equal(ranked[0]?.kind, 'code')
  assert.match(ranked[0]?.evidence[0] ?? '', /^own time /)
})

test('it is still named minutes later, with the time since when', () => {
  const { sentence, since, load, holes } = ask(
    traced(500, (second) => ({ web: 5, api: second < 300 ? 10 : 200 })),
    'web',
  )
  assert.match(sentence, /because of api/)
  assert.ok(Math.abs((since ?? 0) - (START_MS + 300_000)) <= 20_000, `${((since ?? 0) - START_MS) / 1000} s`)
  assert.deepEqual([Math.round(load?.before ?? 0), Math.round(load?.now ?? 0), holes], [4, 4, []])
})

test('a service that is slow by itself is called so, and what it does not call is not blamed', () => {
  const slow = traced(310, (second) => ({ web: second < 290 ? 5 : 120, api: 10 }))
  assert.match(ask(slow, 'web').sentence, /^web itself is slow: /)
  assert.match(ask(slow, 'api').sentence, /^no service that requests through api pass takes longer than usual$/)
})

test('without anything unusual nobody is blamed, and without knowledge nothing is claimed', () => {
  const quiet = traced(400, () => ({ web: 5, api: 10 }))
  assert.deepEqual([ask(quiet, 'web').ranked, ask(quiet, 'web').sentence], [[], 'no service that requests through web pass takes longer than usual'])
  assert.match(ask(quiet, 'mail').sentence, /^no request through mail was traced in the last 5 minutes$/)
  assert.match(
    ask(
      traced(8, () => ({ web: 5, api: 10 })),
      'web',
    ).sentence,
    /too short a time/,
  )
})

test('whenever in a bucket a service becomes slow, it is named within 8 s of closed traces, and nobody before', () => {
  for (let start = 300; start < 310; start++) {
    const world = (seconds: number) => traced(seconds, (second) => ({ web: 5, api: second >= start ? 150 : 10 }))
    assert.deepEqual(ask(world(start), 'web').ranked, [], `quiet until ${start}`)
    assert.equal(ask(world(start + 8), 'web').ranked[0]?.service, 'api', `slow from ${start} on`)
  }
})
