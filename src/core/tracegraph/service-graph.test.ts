import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAnalyser } from './analyse.ts'
import { columnsOf } from './columns.ts'
import { BUCKET_MS, type GraphEdge, ServiceGraph } from './service-graph.ts'
import type { Span } from './spans.ts'

const NOW_MS = 1_800_000_000_000
const HOUR_MS = 3_600_000

test('calls, errors, retries and concurrency are counted for each edge', () => {
  const failed = { failed: true }
  const graph = graphOf([
    span('a1', null, 'web', 'server', 0, 1000),
    span('b1', 'a1', 'web', 'client', 100, 300, failed),
    span('c1', 'b1', 'pricing', 'server', 150, 200, failed),
    span('b2', 'a1', 'web', 'client', 500, 300),
    span('c2', 'b2', 'pricing', 'server', 550, 200),
  ])
  const { stats, lastSeenMs } = edgeOf(graph, 'web', 'pricing')
  assert.deepEqual([stats.calls, stats.errors, stats.retries, stats.busyMs, lastSeenMs], [2, 1, 1, 600, NOW_MS])
  assert.equal(stats.busyMs / BUCKET_MS, 0.06, 'so many at once')
})

test('what a client waited beyond its server is counted as the callee’s', () => {
  const graph = graphOf([span('a1', null, 'web', 'server', 0, 100), span('b1', 'a1', 'web', 'client', 10, 80), span('c1', 'b1', 'pricing', 'server', 40, 30)])
  const of = new Map(graph.nodes(0, Infinity).map(({ service, stats }) => [service, stats.exclusiveMs]))
  assert.deepEqual(
    [...of],
    [
      ['web', 20],
      ['pricing', 80],
    ],
  )
})

test('a call that nobody answered is a hole if the service is known to send spans, and else a peer', () => {
  const names = columnsOf([
    span('a1', null, 'web', 'server', 0, 100),
    span('b1', 'a1', 'web', 'client', 10, 80, { operation: 'GET /price' }),
    span('c1', 'b1', 'pricing', 'server', 40, 30),
    span('a1', null, 'web', 'server', 0, 100, { trace: '2' }),
    span('b1', 'a1', 'web', 'client', 10, 30, { trace: '2', operation: 'GET /price' }),
    span('d1', 'a1', 'web', 'client', 50, 20, { trace: '2', peer: 'redis' }),
  ])
  const graph = new ServiceGraph(names.names)
  graph.add(createAnalyser().analyse(names.columns, Int32Array.of(0, 1, 2), 3), names.columns, NOW_MS)
  graph.add(createAnalyser().analyse(names.columns, Int32Array.of(3, 4, 5), 3), names.columns, NOW_MS)
  const nodes = new Map(graph.nodes(0, Infinity).map(({ service, kind, stats }) => [service, [kind, stats.calls, stats.lost]]))
  assert.deepEqual(nodes.get('pricing'), ['service', 1, 1], 'by the operation of an answered call it is known whose span is missing')
  assert.deepEqual(nodes.get('redis'), ['peer', 1, 0])
})

test('an address at which a service has answered is that service when a span of it is lost, and no stranger', () => {
  const address = { peer: '127.0.0.9:10004' }
  const names = columnsOf([
    span('a1', null, 'web', 'server', 0, 100),
    span('b1', 'a1', 'web', 'client', 10, 80, address),
    span('c1', 'b1', 'pricing', 'server', 40, 30),
    span('a1', null, 'web', 'server', 0, 100, { trace: '2' }),
    span('b1', 'a1', 'web', 'client', 10, 30, { trace: '2', ...address }),
  ])
  const graph = new ServiceGraph(names.names)
  graph.add(createAnalyser().analyse(names.columns, Int32Array.of(0, 1, 2), 3), names.columns, NOW_MS)
  graph.add(createAnalyser().analyse(names.columns, Int32Array.of(3, 4), 2), names.columns, NOW_MS)
  const nodes = graph.nodes(0, Infinity).map(({ service, stats }) => [service, stats.lost])
  assert.deepEqual(nodes, [
    ['web', 0],
    ['pricing', 1],
  ])
})

test('a trace that was sampled counts for those that were not', () => {
  const weight = { weight: 20 }
  const graph = graphOf([
    span('a1', null, 'web', 'server', 0, 100, weight),
    span('b1', 'a1', 'web', 'client', 10, 80, weight),
    span('c1', 'b1', 'pricing', 'server', 40, 30, weight),
  ])
  assert.equal(edgeOf(graph, 'web', 'pricing').stats.calls, 20)
  assert.deepEqual(
    graph.classes(0, Infinity).map(({ service, operation, stats }) => [service, operation, stats.calls]),
    [['web', 'web.op', 20]],
  )
})

test('an edge is remembered for seven days after its last call, without counts of its own after a quarter of an hour', () => {
  const { columns, rows, names } = columnsOf([...call('web', 'pricing'), span('z1', null, 'other-app', 'server', 0, 10, { trace: '2' })])
  const graph = new ServiceGraph(names)
  const analyser = createAnalyser()
  graph.add(analyser.analyse(columns, rows.subarray(0, 3), 3), columns, NOW_MS)
  const later = (ms: number) => graph.add(analyser.analyse(columns, rows.subarray(3), 1), columns, NOW_MS + ms)
  later(6 * 24 * HOUR_MS)
  assert.deepEqual([edgeOf(graph, 'web', 'pricing').lastSeenMs, edgeOf(graph, 'web', 'pricing').stats.calls], [NOW_MS, 0])
  later(8 * 24 * HOUR_MS)
  assert.deepEqual(graph.edges(0, Infinity), [])
})

test('a graph that is read back is the same, and two add up', () => {
  const { columns, rows, names } = columnsOf(call('web', 'pricing'))
  const analysis = createAnalyser().analyse(columns, rows, rows.length)
  const graph = new ServiceGraph(names)
  graph.add(analysis, columns, NOW_MS)
  graph.add(analysis, columns, NOW_MS + HOUR_MS)
  const kept = JSON.parse(JSON.stringify(graph.snapshot()))
  const again = new ServiceGraph(names)
  again.merge(kept)
  assert.deepEqual(again.snapshot(), graph.snapshot())
  again.merge(kept)
  assert.equal(edgeOf(again, 'web', 'pricing').stats.calls, 2 * edgeOf(graph, 'web', 'pricing').stats.calls)
})

test('the sums of merged graphs do not depend on the numbers that each gave out', () => {
  const one = graphOf([...call('web', 'pricing'), ...call('web', 'stock')])
  const other = graphOf([...call('stock', 'pricing'), ...call('web', 'pricing')])
  const told = (graph: ServiceGraph) =>
    graph
      .edges(0, Infinity)
      .map(({ caller, callee, stats }) => `${caller} ${callee} ${stats.calls} ${stats.busyMs}`)
      .sort()
  const [ab, ba] = [graphOf([]), graphOf([])]
  for (const graph of [one, other]) ab.merge(graph.snapshot())
  for (const graph of [other, one]) ba.merge(graph.snapshot())
  assert.deepEqual(told(ab), told(ba))
  assert.equal(told(ab).length, 3)
})

test('services without end are counted as other, and memory stays bounded', () => {
  const spans = Array.from({ length: 3000 }, (_, at) => span((at + 1).toString(16), null, `s${at}`, 'server', 0, 10))
  const graph = graphOf(spans)
  assert.equal(graph.nodes(0, Infinity).length, 1000)
  assert.equal(graph.overflow.nodes, 2000)
  assert.equal(graph.classes(0, Infinity).length, 61)
})

test('late spans of a trace that was counted add only themselves', () => {
  const { columns, rows, names } = columnsOf(call('web', 'pricing'))
  const graph = new ServiceGraph(names)
  const analyser = createAnalyser()
  graph.add(analyser.analyse(columns, rows, 1), columns, NOW_MS)
  graph.add(analyser.analyse(columns, rows, rows.length), columns, NOW_MS, { counted: 1 })
  assert.deepEqual(
    graph.nodes(0, Infinity).map(({ service, stats }) => [service, stats.calls]),
    [
      ['web', 1],
      ['pricing', 1],
    ],
  )
})

function edgeOf(graph: ServiceGraph, caller: string, callee: string): GraphEdge {
  const edge = graph.edges(0, Infinity).find((it) => it.caller === caller && it.callee === callee)
  assert.ok(edge, `${caller} → ${callee}`)
  return edge
}

function graphOf(spans: readonly Span[]): ServiceGraph {
  const { columns, rows, names } = columnsOf(spans)
  const graph = new ServiceGraph(names)
  graph.add(createAnalyser().analyse(columns, rows, rows.length), columns, NOW_MS)
  return graph
}

let ids = 0

function call(caller: string, callee: string): Span[] {
  const [a, b, c] = [++ids, ++ids, ++ids].map((id) => `f${id.toString(16)}`) as [string, string, string]
  return [span(a, null, caller, 'server', 0, 100), span(b, a, caller, 'client', 10, 80), span(c, b, callee, 'server', 40, 30)]
}

function span(id: string, parent: string | null, service: string, kind: Span['kind'], startMs: number, ms: number, more: Partial<Span> = {}): Span {
  return {
    trace: '1',
    id,
    ...(parent === null ? {} : { parent }),
    service,
    operation: `${service}.op`,
    kind,
    startUs: NOW_MS * 1000 + startMs * 1000,
    durationUs: ms * 1000,
    ...more,
  }
}
