import { quantile, sparse } from '../core/model/latency-sketch.ts'
import { type Analyser, createAnalyser, type GraphSnapshot, ServiceGraph, UNNAMED, type Unanswered } from '../core/tracegraph/index.ts'
import type { GraphView, RequestClass, ServiceEdge, ServiceNode } from './telemetry.ts'
import type { ClosedTrace } from './window/closed-trace.ts'
import { STATE } from './window/trace-table.ts'
import type { TraceWindow } from './window/trace-window.ts'

/** A question looks at no more spans of traces that are not closed. */
const MAX_LOOKED_AT = 200_000
/** Things that all graphs together count apart: about half a kilobyte each. What is over it costs the largest graph its oldest stretches. */
const MOST_COUNTED = 300_000
const LOOK_EVERY_MS = 10_000
/** A graph is saved again after so many times what that took: a large one takes seconds of this process. */
const REST = 20
/** Of traces to which spans came late so many are worked out again in a second, each time twice; beyond it only what is new is counted. */
const AMENDED_A_SECOND = 50_000
/** A trace may hold so many. */
const AMENDED_AT_ONCE = 2 * AMENDED_A_SECOND
/** Weir's own, as it names itself. */
const GATEWAY = 'gateway'

type Stats = ReturnType<ServiceGraph['nodes']>[number]['stats']

/** The service graph of each environment: of all traces that were closed, and at a question also of those that are not yet. */
export class Graphs {
  readonly #window: TraceWindow
  readonly #byScope = new Map<number, ServiceGraph>()
  readonly #changed = new Set<number>()
  readonly #analyser: Analyser = createAnalyser()

  readonly #mostCounted: number
  readonly #saveAfterMs = new Map<number, number>()
  #lookedMs = 0
  /** Per trace of the window: when it was counted; 0: by another process. */
  readonly #countedMs: Float64Array
  readonly #unanswered: Unanswered
  #amendable = AMENDED_AT_ONCE
  #amendedMs = 0
  readonly #isDrawn: (scope: number, row: number) => boolean

  /** `isDrawn`: whether the trace of a row is in the graph although it is open, because a process before this one had drawn it. */
  constructor(window: TraceWindow, isDrawn: (scope: number, row: number) => boolean, mostCounted = MOST_COUNTED) {
    this.#window = window
    this.#mostCounted = mostCounted
    this.#isDrawn = isDrawn
    this.#countedMs = new Float64Array(window.traces.size)
    this.#unanswered = new Uint16Array(window.columns.size)
  }

  /** A trace that is told of again, because spans came late, is counted as it is now, where it was counted before. */
  add(closed: ClosedTrace, nowMs: number): void {
    const { scope, analysis, columns, late, slot } = closed
    if (!late) {
      this.of(scope).add(analysis, columns, nowMs, { unanswered: this.#unanswered })
      this.#countedMs[slot] = nowMs
    } else if (!this.#amend(closed, nowMs)) {
      this.#window.losses.add(scope, 'late-in-part')
      this.of(scope).add(analysis, columns, nowMs, { counted: closed.counted, unanswered: this.#unanswered })
    }
    this.#changed.add(scope)
    if (nowMs >= this.#lookedMs + LOOK_EVERY_MS) this.#bound(nowMs)
  }

  /** A process before this one had counted the trace. */
  pass({ slot, late }: ClosedTrace): void {
    if (!late) this.#countedMs[slot] = 0
  }

  #amend({ scope, rows, counted, count, columns, analysis, whole, slot }: ClosedTrace, nowMs: number): boolean {
    const atMs = this.#countedMs[slot] as number
    if (!whole || atMs === 0 || !this.#hasTimeFor(counted + count, nowMs)) return false
    const before = { analysis: this.#analyser.analyse(columns, rows, counted), atMs }
    return this.of(scope).amend(before, analysis, columns, nowMs, this.#unanswered)
  }

  #hasTimeFor(spans: number, nowMs: number): boolean {
    const sinceMs = Math.max(0, nowMs - this.#amendedMs)
    this.#amendable = Math.min(AMENDED_AT_ONCE, this.#amendable + (AMENDED_A_SECOND * sinceMs) / 1000)
    this.#amendedMs = nowMs
    if (spans > this.#amendable) return false
    this.#amendable -= spans
    return true
  }

  /** One environment with names without end must not take the room of the others, nor that of the process. */
  #bound(nowMs: number): void {
    this.#lookedMs = nowMs
    const sizes = new Map([...this.#byScope.values()].map((graph) => [graph, graph.size]))
    const total = () => [...sizes.values()].reduce((sum, size) => sum + size, 0)
    while (sizes.size > 0 && total() > this.#mostCounted) {
      const [largest] = [...sizes].reduce((a, b) => (b[1] > a[1] ? b : a))
      if (largest.shrink()) sizes.set(largest, largest.size)
      else sizes.delete(largest)
    }
  }

  of(scope: number): ServiceGraph {
    let graph = this.#byScope.get(scope)
    if (!graph) {
      graph = new ServiceGraph(this.#window.names)
      this.#byScope.set(scope, graph)
    }
    return graph
  }

  has(scope: number): boolean {
    return this.#byScope.has(scope)
  }

  view(scope: number, windowMs: number, nowMs: number): GraphView {
    const [fromMs, toMs] = [nowMs - windowMs, nowMs + 1]
    const closed = this.has(scope) ? this.of(scope) : null
    const open = this.#open(scope, nowMs)
    const nodes = summed([...(closed?.nodes(fromMs, toMs) ?? []), ...open.nodes(fromMs, toMs).filter(({ service }) => service !== UNNAMED)], (it) => it.service)
    // who answers is not known before the answer's span has come: no call to nobody for the seconds until then
    const edges = summed(
      [...(closed?.edges(fromMs, toMs) ?? []), ...open.edges(fromMs, toMs).filter(({ callee }) => callee !== UNNAMED)],
      (it) => `${it.caller}\n${it.callee}`,
    )
    const classes = summed([...(closed?.classes(fromMs, toMs) ?? []), ...open.classes(fromMs, toMs)], (it) => `${it.service}\n${it.operation}`)
    return {
      at: nowMs,
      windowMs,
      services: nodes.map(
        ([its, stats]): ServiceNode => ({
          service: its[0].service,
          kind: its[0].service === GATEWAY ? 'gateway' : its.some(({ kind }) => kind === 'service') ? 'service' : 'peer',
          ...counted(stats),
          exclusiveMs: stats.calls > 0 ? stats.exclusiveMs / stats.calls : null,
          releases: releasesOf(stats.instances),
          lostSpans: stats.lost,
        }),
      ),
      edges: edges.map(
        ([its, stats]): ServiceEdge => ({
          caller: its[0].caller,
          callee: its[0].callee,
          ...counted(stats),
          retries: stats.retries,
          concurrency: stats.busyMs / windowMs,
          lastSeen: Math.max(...its.map(({ lastSeenMs }) => lastSeenMs)),
        }),
      ),
      classes: classes.map(([its, stats]): RequestClass => {
        const { calls, errors, p50Ms, p95Ms } = counted(stats)
        return { service: its[0].service, operation: its[0].operation, count: calls, errors, p50Ms, p95Ms }
      }),
    }
  }

  /** Of environments in which something happened since they were last asked for; of large ones not each time. */
  *snapshots({ all = false }: { readonly all?: boolean } = {}): Generator<readonly [scope: number, snapshot: GraphSnapshot]> {
    for (const scope of this.#changed) {
      const begin = performance.now()
      if (!all && begin < (this.#saveAfterMs.get(scope) ?? 0)) continue
      this.#changed.delete(scope)
      const snapshot = this.of(scope).snapshot()
      yield [scope, snapshot]
      this.#saveAfterMs.set(scope, begin + REST * (performance.now() - begin))
    }
  }

  /** Takes in what a process before this one had found. */
  restore(snapshots: ReadonlyMap<number, unknown>): void {
    for (const [scope, snapshot] of snapshots) this.of(scope).merge(snapshot as GraphSnapshot)
  }

  /** Traces that are still open: a call is seen when both its ends have come, not seconds later. */
  #open(scope: number, nowMs: number): ServiceGraph {
    const { columns, names, traces } = this.#window
    const graph = new ServiceGraph(names)
    const seen = new Set<number>()
    let looked = 0
    for (const row of this.#window.newestFirst()) {
      if (++looked > MAX_LOOKED_AT) break
      const slot = columns.slot[row] as number
      if (columns.scope[row] !== scope || seen.has(slot)) continue
      seen.add(slot)
      if (traces.state[slot] !== STATE.open || (traces.counted[slot] as number) > 0 || this.#isDrawn(scope, row)) continue
      const rows = this.#window.rowsOf(slot)
      graph.add(this.#analyser.analyse(columns, rows, rows.length), columns, nowMs)
    }
    return graph
  }
}

/** Ids of replicas name the release that started them: `e12-web-v3-17`. */
function releasesOf(instances: ReadonlySet<string>): string[] {
  return [...new Set([...instances].flatMap((id) => /-(v\d+)-[^-]+$/.exec(id)?.[1] ?? []))].sort()
}

/** Those of one key together, with the sum of their stats. */
function summed<Item extends { readonly stats: Stats }>(items: readonly Item[], keyOf: (item: Item) => string): [its: [Item, ...Item[]], stats: Stats][] {
  return [...Map.groupBy(items, keyOf).values()].map((its) => [its as [Item, ...Item[]], its.map(({ stats }) => stats).reduce(sum)])
}

function sum(a: Stats, b: Stats): Stats {
  const latency = new Map(a.latency)
  for (const [bucket, count] of b.latency) latency.set(bucket, (latency.get(bucket) ?? 0) + count)
  return {
    calls: a.calls + b.calls,
    errors: a.errors + b.errors,
    retries: a.retries + b.retries,
    lost: a.lost + b.lost,
    busyMs: a.busyMs + b.busyMs,
    exclusiveMs: a.exclusiveMs + b.exclusiveMs,
    latency,
    instances: new Set([...a.instances, ...b.instances]),
  }
}

function counted({ calls, errors, latency }: Stats) {
  const sketch = sparse(latency)
  return { calls, errors, p50Ms: quantile(sketch, 0.5), p95Ms: quantile(sketch, 0.95), p99Ms: quantile(sketch, 0.99) }
}
