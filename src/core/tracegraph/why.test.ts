import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAnalyser } from './analyse.ts'
import { columnsOf } from './columns.ts'
import { ServiceGraph } from './service-graph.ts'
import type { Span } from './spans.ts'
import { why } from './why.ts'

const NOON_MS = Date.UTC(2026, 0, 1, 12)
const BEGIN_US = 1_700_000_000_000_000

/** How long each part of a request lasts, in milliseconds, and how many requests come in a second. */
interface Now {
  readonly pricingMs: number
  readonly networkMs: number
  readonly databaseMs: number
  readonly perSecond: number
}

const USUAL: Now = { pricingMs: 40, networkMs: 2, databaseMs: 5, perSecond: 2 }
const FIVE_MINUTES_S = 300

test('a service that takes longer at the same load is named, with since when, and that it is not capacity', () => {
  const found = after({ ...USUAL, pricingMs: 310 }, 20)
  assert.equal(
    found.sentence,
    'checkout is slow since 12:05: pricing takes 314 ms a call, was 44 ms, at unchanged load: code or something it waits for, not capacity',
  )
  assert.equal(found.sinceMs, NOON_MS + FIVE_MINUTES_S * 1000)
})

test('ten seconds are enough', () => {
  assert.deepEqual(blamed(after({ ...USUAL, pricingMs: 310 }, 10)), [['pricing', 'code']])
})

test('a gap between client and server that grew while the server’s own time did not is the network', () => {
  assert.deepEqual(blamed(after({ ...USUAL, networkMs: 150 }, 60)), [['pricing', 'network']])
})

test('a database that sends no spans is a dependency', () => {
  assert.deepEqual(blamed(after({ ...USUAL, databaseMs: 200 }, 60)), [['postgresql', 'dependency']])
})

test('a service that queues because more is asked of it lacks capacity', () => {
  const found = after({ ...USUAL, pricingMs: 160, perSecond: 20 }, 60)
  assert.deepEqual(blamed(found), [['pricing', 'capacity']])
  assert.match(found.sentence, /at 900 % more load: capacity/)
})

test('nobody is blamed while all is as usual, nor for what only others than the service asked for do', () => {
  assert.deepEqual(after(USUAL, 60).ranked, [])
  assert.equal(after(USUAL, 60).sinceMs, null)
  assert.deepEqual(why(graphAfter({ ...USUAL, pricingMs: 310 }, 60).graph, 'postgresql', graphAfter(USUAL, 60).nowMs).ranked, [])
})

function blamed({ ranked }: ReturnType<typeof why>): string[][] {
  return ranked.map(({ service, kind }) => [service, kind])
}

function after(now: Now, seconds: number) {
  const { graph, nowMs } = graphAfter(now, seconds)
  return why(graph, 'checkout', nowMs)
}

/** Five minutes of usual traffic, then so many seconds of another; what is not told lasts ±10 %. */
function graphAfter(now: Now, seconds: number): { graph: ServiceGraph; nowMs: number } {
  const traffic = [...requests(USUAL, 0, FIVE_MINUTES_S), ...requests(now, FIVE_MINUTES_S, FIVE_MINUTES_S + seconds)]
  const { columns, names } = columnsOf(traffic.flatMap(({ spans }) => spans))
  const graph = new ServiceGraph(names)
  const analyser = createAnalyser()
  let row = 0
  for (const { atMs, spans } of traffic)
    graph.add(
      analyser.analyse(
        columns,
        Int32Array.from(spans, () => row++),
        spans.length,
      ),
      columns,
      atMs,
    )
  return { graph, nowMs: NOON_MS + (FIVE_MINUTES_S + seconds) * 1000 - 1 }
}

function requests(now: Now, fromS: number, toS: number): { atMs: number; spans: Span[] }[] {
  return Array.from({ length: (toS - fromS) * now.perSecond }, (_, at) => {
    const atS = fromS + at / now.perSecond
    return { atMs: NOON_MS + atS * 1000, spans: request(now, Math.round(atS * 1000), 1 + Math.sin(at * 7.7) / 10) }
  })
}

function request({ pricingMs, networkMs, databaseMs }: Now, number: number, wobble: number): Span[] {
  const [work, gap, query] = [pricingMs * wobble, 2 * networkMs, databaseMs * wobble]
  const total = 20 + work + query + gap
  return [
    span(number, 1, null, 'checkout', 'server', 0, total),
    span(number, 2, 1, 'checkout', 'client', 10, total - 20),
    span(number, 3, 2, 'pricing', 'server', 10 + networkMs, work + query),
    { ...span(number, 4, 3, 'pricing', 'client', 15 + networkMs, query), peer: 'postgresql' },
  ]
}

function span(trace: number, id: number, parent: number | null, service: string, kind: Span['kind'], startMs: number, ms: number): Span {
  const hex = (value: number) => value.toString(16).padStart(16, '0')
  return {
    trace: hex(trace),
    id: hex(id),
    ...(parent === null ? {} : { parent: hex(parent) }),
    service,
    operation: `${service}.${kind}`,
    kind,
    startUs: BEGIN_US + Math.round(startMs * 1000),
    durationUs: Math.round(ms * 1000),
  }
}
