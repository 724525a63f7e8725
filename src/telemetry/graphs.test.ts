import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Graphs } from './graphs.ts'
import { requestOf, spanId, testWindow, traceId } from './window/testing.ts'

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
