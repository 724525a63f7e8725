/** T5: blame in generated systems of 5 to 200 services, of which one becomes slow. */
import { blame, columnsOf, createAnalyser, ServiceGraph, type Span } from '../../src/core/tracegraph/index.ts'
import { EPOCH_MS, requestOf } from '../../src/telemetry/window/testing.ts'
import { TraceWindow } from '../../src/telemetry/window/trace-window.ts'
import type { Figure, Goal } from './goal.ts'
import { atLeast } from './measured.ts'
import { SIMULATED_EPOCH_US, type Slowness, simulate, type Topology, topology } from './telemetry/queueing.ts'
import { randomFrom } from './telemetry/random.ts'

const TOPOLOGIES = { short: 60, full: 500 }
const SERVICES = { least: 5, most: 200 }
/** A minute as it should be, then twenty seconds with the slow service. */
const QUIET_S = 60
const SLOW_S = 20
/** The slow service takes at least four times its work, and at least so much of a usual request longer: what people notice. */
const SLOWDOWN = { ofWork: 3, ofRequest: 0.3 }
/** So many systems' spans go the whole way, as OTLP. */
const OTLP_EVERY = 10
const KINDS = ['wait', 'work', 'network'] as const

export const goals: readonly Goal[] = [
  {
    id: 'T5',
    title: 'blame in generated systems with one slow service',
    run: async ({ full, seed }) => [measure(full ? TOPOLOGIES.full : TOPOLOGIES.short, seed)],
  },
]

function measure(count: number, seed: number): Figure {
  const missed: string[] = []
  for (let at = 0; at < count; at++) {
    const verdict = tryOne(seed + at)
    if (verdict.blamed !== verdict.slow)
      missed.push(`seed ${seed + at}: ${verdict.kind} ${verdict.slow} of ${verdict.services}, blamed ${verdict.blamed ?? 'nobody'}`)
  }
  return atLeast(
    99,
    '%',
    (100 * (count - missed.length)) / count,
    `top-1 of ${count} topologies of ${SERVICES.least}–${SERVICES.most} services${missed.length === 0 ? '' : `; missed ${missed.slice(0, 8).join(', ')}`}`,
  )
}

function tryOne(seed: number): { slow: string; kind: string; services: number; blamed: string | undefined } {
  const random = randomFrom(seed)
  const services = Math.round(SERVICES.least * (SERVICES.most / SERVICES.least) ** random())
  const system = topology(random, services)
  const quiet = simulate(random, system, SLOW_S, null, 0)
  const usualMs = quiet.reduce((sum, { spans }) => sum + (spans.find(({ parent }) => parent === undefined)?.durationUs ?? 0) / 1000, 0) / quiet.length
  const kind = KINDS[Math.floor(random() * KINDS.length)] ?? 'wait'
  const service = slowService(
    random,
    system,
    quiet.map(({ spans }) => spans.map((it) => it.service)),
    kind,
  )
  const slow = slowness(system, service, kind, usualMs)
  const slowFromMs = 1000 * QUIET_S
  const traces = simulate(random, system, QUIET_S + SLOW_S, slow, slowFromMs)
  const sliceMs = Math.ceil(slowFromMs / 10_000) * 10_000
  const placed = traces.flatMap(({ beginMs, endMs, spans }) => {
    if (beginMs >= slowFromMs) return [{ spans, atMs: sliceMs + endMs - slowFromMs }]
    return endMs < slowFromMs ? [{ spans, atMs: endMs }] : []
  })
  const graph = seed % OTLP_EVERY === 0 ? throughIntake(placed) : directly(placed)
  const [first] = blame(graph, graph.stretch(sliceMs, Infinity), graph.stretch(-Infinity, sliceMs))
  return { slow: system.services[service]?.name ?? '', kind: slow.kind, services, blamed: first?.service }
}

interface Placed {
  readonly spans: readonly Span[]
  readonly atMs: number
}

function directly(traces: readonly Placed[]): ServiceGraph {
  const { columns, names } = columnsOf(traces.flatMap(({ spans }) => spans))
  const graph = new ServiceGraph(names)
  const analyser = createAnalyser()
  let row = 0
  for (const { atMs, spans } of traces)
    graph.add(
      analyser.analyse(
        columns,
        Int32Array.from(spans, () => row++),
        spans.length,
      ),
      columns,
      atMs,
    )
  return graph
}

/** As OTLP, through the window that the telemetry process has. */
function throughIntake(traces: readonly Placed[]): ServiceGraph {
  const clock = { nowMs: EPOCH_MS }
  const times = new Map(traces.map(({ spans, atMs }) => [spans[0]?.trace, atMs]))
  const window: TraceWindow = new TraceWindow({
    maxSpans: 2 ** 18,
    maxBytes: 2 ** 28,
    rawBytes: 2 ** 20,
    now: () => clock.nowMs,
    analyser: createAnalyser(),
    onClosed: ({ analysis, columns, counted, traceId }) => graph.add(analysis, columns, times.get(traceId()) ?? 0, { counted }),
  })
  const graph = new ServiceGraph(window.names)
  for (const { spans } of traces) {
    window.accept(1, requestOf(spans.map((it) => ({ ...it, startMs: (it.startUs - SIMULATED_EPOCH_US) / 1000, durationMs: it.durationUs / 1000 }))))
  }
  for (let step = 0; step < 40; step++) window.tick((clock.nowMs += 100))
  return graph
}

/** One that at least a tenth of the requests pass; network slowness needs a caller. */
function slowService(random: () => number, { services }: Topology, passed: readonly (readonly string[])[], kind: Slowness['kind']): number {
  const often = services.flatMap(({ name }, at) =>
    passed.filter((names) => names.includes(name)).length >= passed.length / 10 && (at > 0 || kind !== 'network') ? [at] : [],
  )
  return often[Math.floor(random() * often.length)] ?? 1
}

/** More work than a service can keep up with would be slow without end: there it waits instead. */
function slowness({ services, perSecond }: Topology, service: number, kind: Slowness['kind'], usualMs: number): Slowness {
  const { workers = 1, workMs = 1 } = services[service] ?? {}
  const ms = Math.max(SLOWDOWN.ofWork * workMs, SLOWDOWN.ofRequest * usualMs)
  const keepsUp = (perSecond * (workMs + ms)) / 1000 < 0.8 * workers
  return { service, ms, kind: kind === 'work' && !keepsUp ? 'wait' : kind }
}
