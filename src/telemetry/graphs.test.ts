import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Graphs } from './graphs.ts'
import { requestOf, spanId, type TestSpan, testWindow, traceId } from './window/testing.ts'

test('a graph with names without end gives up its own past and no other’s, and all together stay bounded', () => {
  const most = 2000
  const { window, clock, pass } = testWindow({ maxSpans: 2 ** 14, onClosed: (closed) => graphs.add(closed, clock.nowMs) })
  const graphs = new Graphs(window, () => false, most)
  let n = 0
  const called = (scope: number, service: string) => {
    window.accept(scope, requestOf([{ trace: traceId(++n), id: spanId(n), kind: 'server', service }]))
  }
  let largest = 0
  for (let step = 0; step < 30; step++) {
    called(7, 'web')
    for (let service = 0; service < 100; service++) called(8, `made-up-${service}`)
    pass(10_000)
    largest = Math.max(largest, graphs.of(7).size + graphs.of(8).size)
  }
  assert.ok(largest < most + 500, `${largest}`)
  const callsOf = (scope: number, service: string) => graphs.view(scope, 600_000, clock.nowMs).services.find((it) => it.service === service)?.calls
  assert.equal(callsOf(7, 'web'), 30)
  const left = callsOf(8, 'made-up-1') ?? 0
  assert.ok(left >= 5 && left < 15, `${left}`)
})

test('a span that comes late amends what was counted of its trace, once: the call to nobody becomes one to its callee', () => {
  const { graphs, late, view } = watched()
  const before = late.slice(0, 2)
  view.accept(before)
  assert.deepEqual(view.edges(), ['web → unknown 1'])
  view.accept(late.slice(2))
  assert.deepEqual(view.edges(), ['web → pricing 1'], 'who answered is known now, and nobody called a stranger')
  assert.deepEqual(view.services(), ['pricing service 1 call 80 ms 0 lost', 'web service 1 call 20 ms 0 lost'])
  view.accept(late.slice(2))
  assert.deepEqual(view.edges(), ['web → pricing 1'], 'what comes twice changes nothing')
  assert.equal(graphs.of(7).stretch(0, Infinity).buckets.length, 1, 'in the ten seconds that it was counted in')
})

test('a graph to which spans came late is the one in which they were not late', () => {
  const told = [watched(), watched()] as const
  const [inTime, late] = told
  for (let n = 0; n < 20; n++) {
    const [root, client, server] = traceOf(n)
    inTime.view.accept([root, client, server])
    // whichever of them is late
    const order = [
      [root, client, server],
      [server, root, client],
      [client, server, root],
    ][n % 3] as TestSpan[]
    late.view.accept(order.slice(0, 1 + (n % 2)), 6000)
    late.view.accept(order.slice(1 + (n % 2)), 3000)
  }
  assert.deepEqual(late.view.edges(), inTime.view.edges())
  assert.deepEqual(late.view.services(), inTime.view.services())
  assert.deepEqual(late.view.classes(), inTime.view.classes())
})

test('the root that comes late corrects the time of its service and the class of the request', () => {
  const { view, late } = watched()
  view.accept(late.slice(1))
  assert.deepEqual(view.classes(), ['web call 1'])
  view.accept(late.slice(0, 1))
  assert.deepEqual(view.classes(), ['web GET / 1'])
  assert.deepEqual(view.services(), ['pricing service 1 call 80 ms 0 lost', 'web service 1 call 20 ms 0 lost'])
})

test('a call that was counted to a peer is taken back from it although the graph has learned since who that is', () => {
  const { view } = watched()
  const [root, client, server] = traceOf(1)
  view.accept([root, { ...client, peer: 'pricing' }])
  view.accept(traceOf(2))
  view.accept([server])
  assert.deepEqual(view.edges(), ['web → pricing 2'])
  assert.deepEqual(view.services(), ['pricing service 2 call 80 ms 0 lost', 'web service 2 call 20 ms 0 lost'])
})

test('late spans without end are counted, and cost no more than so much: the rest is counted in part, and said so', () => {
  const { window, view, stopGraphsClock } = watched()
  const large = Array.from({ length: 3000 }, (_, n) => ({ trace: traceId(1), id: spanId(n + 2), kind: 'server', service: 'web', operation: 'GET /' }) as const)
  view.accept(large)
  stopGraphsClock()
  for (let n = 0; n < 40; n++) view.accept([{ ...traceOf(9)[0], trace: traceId(1), id: spanId(10_000 + n) }], 2100)
  const inPart = window.losses.of(7, 'late-in-part')
  assert.ok(inPart > 20 && inPart < 30, `${inPart}`)
  assert.deepEqual(
    view.services().map((line) => line.replace(/ call.*/, '')),
    ['web service 3040'],
  )
})

/** Spans of a request: 100 ms in web, of which 80 ms are spent on pricing. */
function traceOf(n: number): [TestSpan, TestSpan, TestSpan] {
  const trace = traceId(n + 100)
  const id = (part: number) => spanId(10 * (n + 100) + part)
  return [
    { trace, id: id(1), kind: 'server', service: 'web', operation: 'GET /', startMs: 0, durationMs: 100 },
    { trace, id: id(2), parent: id(1), kind: 'client', service: 'web', operation: 'call', startMs: 10, durationMs: 80 },
    { trace, id: id(3), parent: id(2), kind: 'server', service: 'pricing', operation: 'GET /price', startMs: 20, durationMs: 60 },
  ]
}

function watched() {
  const { window, clock, pass } = testWindow({ maxSpans: 2 ** 14, onClosed: (closed) => graphs.add(closed, still.sinceMs ?? clock.nowMs) })
  const still: { sinceMs: number | null } = { sinceMs: null }
  const graphs = new Graphs(window, () => false)
  const shown = () => graphs.view(7, 600_000, clock.nowMs)
  const view = {
    /** Takes them in and lets so much time pass. */
    accept: (spans: readonly TestSpan[], afterMs = 3000) => {
      if (spans.length > 0) window.accept(7, requestOf(spans))
      pass(afterMs)
    },
    edges: () =>
      shown()
        .edges.map(({ caller, callee, calls }) => `${caller} → ${callee} ${calls}`)
        .sort(),
    services: () =>
      shown()
        .services.map((it) => `${it.service} ${it.kind} ${it.calls} call ${Math.round(it.exclusiveMs ?? 0)} ms ${it.lostSpans} lost`)
        .sort(),
    classes: () =>
      shown()
        .classes.map(({ service, operation, count }) => `${service} ${operation} ${count}`)
        .sort(),
  }
  const stopGraphsClock = () => void (still.sinceMs = clock.nowMs)
  return { window, graphs, view, stopGraphsClock, late: traceOf(0) }
}
