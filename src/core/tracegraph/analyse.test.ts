import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createAnalyser } from './analyse.ts'
import { columnsOf } from './columns.ts'
import type { Span, SpanColumns } from './spans.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

test('the critical path follows the child that returned last, and the rest is the span’s own', () => {
  const found = analyse([
    span('a1', null, 'web', 'server', 0, 100_000),
    span('b1', 'a1', 'web', 'internal', 10_000, 30_000),
    span('b2', 'a1', 'web', 'internal', 20_000, 60_000),
    span('b3', 'a1', 'web', 'internal', 90_000, 5_000),
  ])
  assert.deepEqual(found.critical, [1, 0, 1, 1])
  assert.deepEqual(found.criticalUs, [35_000, 0, 60_000, 5_000])
  assert.deepEqual(found.exclusiveUs, [25_000, 30_000, 60_000, 5_000])
})

test('drag ends where a child beside the path would become the one that is waited for', () => {
  const found = analyse([
    span('a1', null, 'web', 'server', 0, 100_000),
    span('b1', 'a1', 'web', 'internal', 0, 70_000),
    span('b2', 'a1', 'web', 'internal', 0, 90_000),
  ])
  assert.deepEqual(found.dragUs, [100_000, 0, 20_000])
})

test('what a client waited beyond its server is charged to the service it called', () => {
  const found = analyse([
    span('a1', null, 'web', 'server', 0, 100_000),
    span('b1', 'a1', 'web', 'client', 10_000, 80_000),
    span('c1', 'b1', 'pricing', 'server', 40_000, 30_000),
  ])
  assert.deepEqual(found.exclusiveUs, [20_000, 50_000, 30_000])
  assert.deepEqual(found.chargedTo, [0, 2, 2])
  assert.deepEqual(found.calls, [{ client: 1, caller: 1, callee: 2, gapUs: 50_000, retry: 0 }])
})

test('a server whose clock is an hour ahead is centred in its client, and those it called move with it', () => {
  const found = analyse([
    span('a1', null, 'web', 'client', 0, 100_000),
    span('b1', 'a1', 'pricing', 'server', 3_600_000_000, 60_000),
    span('c1', 'b1', 'pricing', 'internal', 3_600_010_000, 10_000),
  ])
  assert.deepEqual(found.starts, [0, 20_000, 30_000])
  assert.deepEqual(found.criticalUs, [40_000, 50_000, 10_000])
})

test('a server that goes on after its caller gave up is on the path for as long as the caller waited', () => {
  const found = analyse([span('a1', null, 'web', 'client', 0, 100_000), span('b1', 'a1', 'pricing', 'server', 10_000, 500_000)])
  assert.deepEqual(found.criticalUs, [0, 100_000])
  assert.deepEqual(found.exclusiveUs, [0, 500_000])
})

test('consumers, producers and children that outlive their parent are not waited for', () => {
  const found = analyse([
    span('a1', null, 'web', 'server', 0, 100_000),
    span('b1', 'a1', 'web', 'producer', 10_000, 80_000),
    span('c1', 'b1', 'mail', 'consumer', 200_000, 50_000),
    span('d1', 'a1', 'web', 'internal', 50_000, 300_000),
  ])
  assert.deepEqual(found.waited, [0, 0, 0, 0])
  assert.deepEqual(found.criticalUs.slice(0, 2), [100_000, 0])
  assert.deepEqual(found.segment, [0, 0, 2, 0], 'a consumer begins a class of its own')
  assert.deepEqual(found.critical, [1, 0, 2, 0])
})

test('a client and a server that share their id are told apart by their kind', () => {
  const found = analyse([
    span('a1', null, 'web', 'server', 0, 100_000),
    span('b1', 'a1', 'web', 'client', 10_000, 80_000),
    span('b1', 'a1', 'pricing', 'server', 20_000, 60_000),
    span('c1', 'b1', 'pricing', 'client', 30_000, 20_000, { peer: 'postgresql' }),
  ])
  assert.deepEqual(found.parents, [-1, 0, 1, 2])
})

test('ids are compared in all 64 bits', () => {
  const found = analyse([
    span('0000000100000001', null, 'web', 'server', 0, 100),
    span('0000000200000001', null, 'web', 'server', 0, 100),
    span('0000000300000001', '0000000200000001', 'web', 'internal', 0, 10),
  ])
  assert.deepEqual(found.parents, [-1, -1, 1])
})

test('the same call by the same parent after a failure is a retry; the first attempt is none, nor is another operation', () => {
  const found = analyse([
    span('a1', null, 'web', 'server', 0, 100_000),
    span('b1', 'a1', 'web', 'client', 0, 10_000, { peer: 'pricing', failed: true }),
    span('b2', 'a1', 'web', 'client', 20_000, 10_000, { peer: 'pricing', failed: true }),
    span('b3', 'a1', 'web', 'client', 40_000, 10_000, { peer: 'pricing' }),
    span('b4', 'a1', 'web', 'client', 60_000, 10_000, { peer: 'stock' }),
    span('b5', 'a1', 'web', 'client', 5_000, 10_000, { peer: 'pricing' }),
  ])
  assert.deepEqual(
    found.calls.map(({ client, retry }) => [client, retry]),
    [
      [1, 0],
      [2, 1],
      [3, 1],
      [4, 0],
      [5, 0],
    ],
  )
})

test('a client around another client is no call of its own', () => {
  const found = analyse([
    span('a1', null, 'web', 'client', 0, 100_000),
    span('b1', 'a1', 'web', 'client', 10_000, 80_000),
    span('c1', 'b1', 'pricing', 'server', 20_000, 60_000),
  ])
  assert.deepEqual(
    found.calls.map(({ client, callee }) => [client, callee]),
    [[1, 2]],
  )
})

test('a server without a client span is called by its parent', () => {
  const found = analyse([span('a1', null, 'web', 'server', 0, 100_000), span('b1', 'a1', 'pricing', 'server', 20_000, 60_000)])
  assert.deepEqual(found.calls, [{ client: -1, caller: 0, callee: 1, gapUs: 0, retry: 0 }])
})

test('a span that was delivered twice counts once', () => {
  const once = [span('a1', null, 'web', 'server', 0, 100_000), span('b1', 'a1', 'web', 'internal', 10_000, 30_000)]
  const found = analyse([...once, once[1] as Span])
  assert.equal(found.repeated, 1)
  assert.deepEqual(found.exclusiveUs, [70_000, 30_000, 0])
})

test('the root is the span that has no parent, even if a span without its parent began before', () => {
  const found = analyse([span('b1', 'ff', 'mail', 'server', 0, 10), span('a1', null, 'web', 'server', 50, 10), span('a2', null, 'web', 'server', 60, 10)])
  assert.equal(found.root, 1)
  assert.equal(found.complete, true)
  assert.equal(found.orphans, 1)
  assert.equal(analyse([span('b1', 'ff', 'mail', 'server', 0, 10)]).complete, false)
})

test('spans that are each other’s or their own parents end up in a tree', () => {
  const found = analyse([
    span('a1', 'c1', 'web', 'internal', 5, 10),
    span('b1', 'a1', 'web', 'internal', 1, 10),
    span('c1', 'b1', 'web', 'internal', 9, 10),
    span('d1', 'd1', 'web', 'internal', 0, 10),
  ])
  assert.deepEqual(found.parents, [2, -1, 1, -1])
})

test('an empty trace has no root', () => {
  assert.equal(analyse([]).root, -1)
})

test('whatever comes in, times are finite and not negative, and critical times add up to the root’s', () => {
  const word = fc.oneof(fc.constantFrom(0, 1, 2, 3), fc.nat(0xffffffff))
  const time = fc.oneof(fc.constantFrom(NaN, Infinity, -Infinity, -1, 0, 1e300, 2 ** 53), fc.double(), fc.integer({ min: 0, max: 1e9 }))
  const wild = fc.record({ id: word, parent: word, kind: fc.nat(7), service: fc.nat(2), startUs: time, durationUs: time, failed: fc.nat(1) })
  const analyser = createAnalyser()
  fc.assert(
    fc.property(fc.array(wild, { maxLength: 60 }), (spans) => {
      const columns = wildColumns(spans)
      const rows = Int32Array.from(spans, (_, row) => row)
      const { exclusiveUs, criticalUs, dragUs, critical, root, startUs, endUs, calls } = analyser.analyse(columns, rows, spans.length)
      let onPath = 0
      for (let p = 0; p < spans.length; p++) {
        for (const value of [exclusiveUs[p], criticalUs[p], dragUs[p]]) assert.ok(Number.isFinite(value) && (value as number) >= 0, `${value}`)
        if (critical[p] === 1) onPath += criticalUs[p] as number
      }
      assert.ok(calls.count <= 2 * spans.length)
      for (let call = 0; call < calls.count; call++) assert.ok((calls.caller[call] as number) >= 0 && (calls.client[call] ?? 0) < spans.length)
      if (root >= 0) assert.ok(Math.abs(onPath - ((endUs[root] as number) - (startUs[root] as number))) < 1)
    }),
    { numRuns: 1000 },
  )
})

test('spans that are both called and call on, each in a service of its own, all count', () => {
  const inner = Array.from({ length: 2000 }, (_, at) => span(`b${at + 16}`, 'a1', `s${at}`, 'client', at, 1, { failed: true }))
  const found = analyse([span('a1', null, 'web', 'client', 0, 2000), ...inner])
  assert.equal(found.calls.length, 4000)
})

for (const [shape, parentOf] of [
  ['children of one span', () => 0],
  ['links of one chain', (at: number) => at - 1],
] as const) {
  test(`a trace of 200,000 ${shape} takes its time in proportion`, () => {
    const small = userMs(() => analyseMany(20_000, parentOf))
    const large = userMs(() => analyseMany(200_000, parentOf))
    assert.ok(large < 40 * small + 500, `${large} ms, a tenth took ${small} ms`)
  })
}

function userMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  return process.cpuUsage(before).user / 1000
}

function analyseMany(count: number, parentOf: (at: number) => number): void {
  const spans = Array.from({ length: count }, (_, at) => ({
    id: at + 1,
    parent: at === 0 ? 0 : parentOf(at) + 1,
    kind: 3,
    service: 1,
    startUs: 1e15 + at,
    durationUs: 2 * (count - at),
    failed: 1,
  }))
  const found = createAnalyser().analyse(
    wildColumns(spans),
    Int32Array.from(spans, (_, row) => row),
    count,
  )
  assert.equal(found.root, 0)
}

interface Wild {
  readonly id: number
  readonly parent: number
  readonly kind: number
  readonly service: number
  readonly startUs: number
  readonly durationUs: number
  readonly failed: number
}

function wildColumns(spans: readonly Wild[]): SpanColumns {
  const zeros = () => new Uint32Array(spans.length)
  return {
    size: spans.length,
    trace: new Uint32Array(4 * spans.length),
    id: Uint32Array.from(spans.flatMap(({ id }) => [0, id])),
    parent: Uint32Array.from(spans.flatMap(({ parent }) => [0, parent])),
    startUs: Float64Array.from(spans, ({ startUs }) => startUs),
    durationUs: Float64Array.from(spans, ({ durationUs }) => durationUs),
    service: Uint32Array.from(spans, ({ service }) => service),
    operation: zeros(),
    peer: zeros(),
    instance: zeros(),
    release: zeros(),
    kind: Uint8Array.from(spans, ({ kind }) => kind),
    failed: Uint8Array.from(spans, ({ failed }) => failed),
    weight: new Float32Array(spans.length).fill(1),
  }
}

/** Times begin well after 1970, as skewed clocks would else be before it. */
const BEGIN_US = 1_700_000_000_000_000

function span(id: string, parent: string | null, service: string, kind: Span['kind'], startUs: number, durationUs: number, more: Partial<Span> = {}): Span {
  return {
    trace: TRACE,
    id,
    ...(parent === null ? {} : { parent }),
    service,
    operation: `${service}.op`,
    kind,
    startUs: BEGIN_US + startUs,
    durationUs,
    ...more,
  }
}

function analyse(spans: readonly Span[]) {
  const { columns, rows } = columnsOf(spans)
  const found = createAnalyser().analyse(columns, rows, spans.length)
  const list = (column: ArrayLike<number>) => Array.from({ length: spans.length }, (_, p) => column[p] as number)
  const { root, complete, orphans, repeated, calls } = found
  return {
    root,
    complete,
    orphans,
    repeated,
    parents: list(found.parents),
    waited: list(found.waited),
    segment: list(found.segment),
    starts: list(found.startUs).map((it) => it - BEGIN_US),
    exclusiveUs: list(found.exclusiveUs),
    chargedTo: list(found.chargedTo),
    critical: list(found.critical),
    criticalUs: list(found.criticalUs),
    dragUs: list(found.dragUs),
    calls: Array.from({ length: calls.count }, (_, at) => ({
      client: calls.client[at],
      caller: calls.caller[at],
      callee: calls.callee[at],
      gapUs: calls.gapUs[at],
      retry: calls.retry[at],
    })),
  }
}
