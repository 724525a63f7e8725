/**
 * An intake with its window, analyser and service graph, alone in a process: prints its port, then answers each line on standard input: an
 * empty one with what it has seen so far, the id of a trace with whether it is found. `node intake-process.ts`
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { CRITICAL, createAnalyser, ServiceGraph } from '../../../src/core/tracegraph/index.ts'
import { Intake } from '../../../src/telemetry/intake/intake.ts'
import type { Loss } from '../../../src/telemetry/window/losses.ts'
import { NameTable } from '../../../src/telemetry/window/name-table.ts'
import { wordsOf } from '../../../src/telemetry/window/trace-table.ts'
import { TraceWindow } from '../../../src/telemetry/window/trace-window.ts'

export interface Seen {
  readonly accepted: number
  readonly closedTraces: number
  readonly closedSpans: number
  /** Spans on critical paths. */
  readonly criticalSpans: number
  /** Edges of the graph, `web → api`. */
  readonly edges: readonly string[]
  readonly losses: readonly Loss[]
  readonly rssBytes: number
  readonly cpuMs: number
  /** When each trace's first edge was told of and when it was closed, milliseconds since 1970; only while traces are few. */
  readonly times: Readonly<Record<string, { edgeMs?: number; closedMs?: number }>>
}

const MB = 2 ** 20
const FEW = 20_000
const TICK_MS = 100

const names = new NameTable()
const graph = new ServiceGraph(names)
const times = new Map<number, { edgeMs?: number; closedMs?: number }>()
let closedTraces = 0
let closedSpans = 0
let criticalSpans = 0
let rssBytes = 0

const window: TraceWindow = new TraceWindow({
  maxSpans: 2 ** 20,
  maxBytes: 192 * MB,
  rawBytes: 64 * MB,
  now: Date.now,
  names,
  analyser: createAnalyser(),
  onEdge: (_, caller) => {
    const time = timeOf(caller)
    if (time && time.edgeMs === undefined) time.edgeMs = Date.now()
  },
  onClosed: ({ rows, count, counted, columns, analysis }) => {
    closedTraces++
    closedSpans += count - counted
    for (let p = 0; p < count; p++) criticalSpans += analysis.critical[p] === CRITICAL.no ? 0 : 1
    graph.add(analysis, columns, Date.now())
    const time = timeOf(rows[0] as number)
    if (time) time.closedMs = Date.now()
  },
})

/** Traces are told apart by the last word of their ids: enough for a few thousand. */
function timeOf(row: number): { edgeMs?: number; closedMs?: number } | undefined {
  if (times.size > FEW) return undefined
  const key = window.columns.trace[4 * row + 3] as number
  let time = times.get(key)
  if (!time) times.set(key, (time = {}))
  return time
}

const intake = new Intake({ senderOf: () => 1, window, onLogs: () => {}, onMetrics: () => {} })
const server = intake.server().listen(0, '127.0.0.1')
await once(server, 'listening')
setInterval(() => {
  window.tick(Date.now())
  rssBytes = Math.max(rssBytes, process.memoryUsage.rss())
}, TICK_MS)
console.log((server.address() as AddressInfo).port)

for await (const question of createInterface({ input: process.stdin })) {
  if (question !== '') {
    console.log(JSON.stringify(window.traces.find(1, wordsOf(question) ?? new Uint32Array(4), 0) >= 0))
    continue
  }
  const { user, system } = process.cpuUsage()
  const seen: Seen = {
    accepted: window.health().accepted,
    closedTraces,
    closedSpans,
    criticalSpans,
    edges: graph.edges(Date.now() - 600_000, Date.now()).map(({ caller, callee }) => `${caller} → ${callee}`),
    losses: window.losses.list(),
    rssBytes,
    cpuMs: (user + system) / 1000,
    times: Object.fromEntries(times),
  }
  console.log(JSON.stringify(seen))
}
process.exit(0)
