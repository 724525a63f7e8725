import { bucketOf, quantile, sparse } from '../core/model/latency-sketch.ts'
import { createAnalyser } from '../core/tracegraph/index.ts'
import type { GraphView, RequestClass, ServiceEdge, ServiceNode } from './telemetry.ts'
import type { TraceWindow } from './window/trace-window.ts'

/** A question looks at no more spans than this. */
const MAX_LOOKED_AT = 400_000

class Tally {
  calls = 0
  errors = 0
  retries = 0
  exclusiveUs = 0
  totalUs = 0
  lastUs = 0
  readonly latency = new Map<number, number>()

  add(durationUs: number, failed: boolean, weight: number): void {
    this.calls += weight
    this.totalUs += durationUs * weight
    if (failed) this.errors += weight
    const bucket = bucketOf(durationUs / 1000)
    this.latency.set(bucket, (this.latency.get(bucket) ?? 0) + weight)
  }

  at(q: number): number | null {
    return quantile(sparse(this.latency), q)
  }
}

/** The graph of the traces that are still in the window. */
export function recentGraph(window: TraceWindow, scope: number, windowMs: number, nowMs: number): GraphView {
  const { columns, names, traces } = window
  const analyser = createAnalyser()
  const nodes = new Map<number, Tally>()
  const releases = new Map<number, Set<number>>()
  const peers = new Set<number>()
  const edges = new Map<string, Tally & { ends?: [number, number] }>()
  const classes = new Map<string, Tally & { of?: [number, number] }>()
  const seen = new Set<number>()
  let looked = 0
  for (const first of window.newestFirst()) {
    if (++looked > MAX_LOOKED_AT) break
    const slot = columns.slot[first] as number
    if (columns.scope[first] !== scope || seen.has(slot)) continue
    seen.add(slot)
    if ((traces.lastMs[slot] as number) < nowMs - windowMs) continue
    const rows = window.rowsOf(slot)
    const it = analyser.analyse(columns, rows, rows.length)
    for (let p = 0; p < rows.length; p++) {
      const row = rows[p] as number
      const charged = rows[it.chargedTo[p] as number] as number
      tallyOf(nodes, columns.service[charged] as number).exclusiveUs += (it.exclusiveUs[p] as number) * (columns.weight[row] as number)
      const release = columns.release[row] as number
      if (release !== 0) setOf(releases, columns.service[row] as number).add(release)
    }
    for (let call = 0; call < it.calls.count; call++) {
      const [client, callee] = [it.calls.client[call] as number, it.calls.callee[call] as number]
      const caller = rows[it.calls.caller[call] as number] as number
      const from = columns.service[caller] as number
      const to = callee >= 0 ? (columns.service[rows[callee] as number] as number) : (columns.peer[rows[client] as number] as number)
      if (to === 0) continue
      if (callee < 0) peers.add(to)
      const seenBy = rows[client >= 0 ? client : callee] as number
      const durationUs = columns.durationUs[seenBy] as number
      const failed = columns.failed[seenBy] === 1 || (callee >= 0 && columns.failed[rows[callee] as number] === 1)
      const weight = columns.weight[seenBy] as number
      const edge = tallyOf(edges, `${from} ${to}`)
      edge.ends = [from, to]
      edge.add(durationUs, failed, weight)
      edge.retries += it.calls.retry[call] === 1 ? weight : 0
      edge.lastUs = Math.max(edge.lastUs, (columns.startUs[seenBy] as number) + durationUs)
      tallyOf(nodes, to).add(durationUs, failed, weight)
    }
    const root = rows[it.root] as number
    const kind = tallyOf(classes, `${it.rootService} ${it.rootOperation}`)
    kind.of = [it.rootService, it.rootOperation]
    kind.add((it.endUs[it.root] as number) - (it.startUs[it.root] as number), columns.failed[root] === 1, columns.weight[root] as number)
    tallyOf(nodes, it.rootService)
  }
  const text = (id: number) => names.text(id)
  return {
    at: nowMs,
    windowMs,
    services: [...nodes].map(
      ([id, tally]): ServiceNode => ({
        service: text(id),
        kind: text(id) === 'gateway' ? 'gateway' : peers.has(id) && !releases.has(id) ? 'peer' : 'service',
        calls: tally.calls,
        errors: tally.errors,
        p50Ms: tally.at(0.5),
        p95Ms: tally.at(0.95),
        p99Ms: tally.at(0.99),
        exclusiveMs: tally.calls > 0 ? tally.exclusiveUs / tally.calls / 1000 : null,
        releases: [...(releases.get(id) ?? [])].map(text),
        lostSpans: 0,
      }),
    ),
    edges: [...edges.values()].map(
      (tally): ServiceEdge => ({
        caller: text(tally.ends?.[0] ?? 0),
        callee: text(tally.ends?.[1] ?? 0),
        calls: tally.calls,
        errors: tally.errors,
        retries: tally.retries,
        p50Ms: tally.at(0.5),
        p95Ms: tally.at(0.95),
        p99Ms: tally.at(0.99),
        concurrency: tally.totalUs / 1000 / windowMs,
        lastSeen: tally.lastUs / 1000,
      }),
    ),
    classes: [...classes.values()].map(
      (tally): RequestClass => ({
        service: text(tally.of?.[0] ?? 0),
        operation: text(tally.of?.[1] ?? 0),
        count: tally.calls,
        errors: tally.errors,
        p50Ms: tally.at(0.5),
        p95Ms: tally.at(0.95),
      }),
    ),
  }
}

function tallyOf<Key>(tallies: Map<Key, Tally>, key: Key): Tally & { ends?: [number, number]; of?: [number, number] } {
  let tally = tallies.get(key)
  if (!tally) {
    tally = new Tally()
    tallies.set(key, tally)
  }
  return tally
}

function setOf(sets: Map<number, Set<number>>, key: number): Set<number> {
  let set = sets.get(key)
  if (!set) {
    set = new Set()
    sets.set(key, set)
  }
  return set
}
