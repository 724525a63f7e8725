import type { TraceAnalysis } from './analyse.ts'
import {
  type Bucket,
  cellOf,
  countCall,
  countInstance,
  countPassing,
  createBucket,
  createStats,
  gapKey,
  isEmpty,
  mergeBucket,
  mergeStats,
  ownKey,
  type PackedBucket,
  packBucket,
  type Renumbering,
  renumberedKey,
  type Stats,
  sizeOf,
  statsOf,
  unpackBucket,
} from './bucket.ts'
import { type Cell, fade, mergeCell, observe, packCell, unpackCell } from './cell.ts'
import { Registry } from './registry.ts'
import { KIND, type Names, type SpanColumns } from './spans.ts'

/** Whom a call went to that names nobody, and that nobody answered. */
export const UNNAMED = 'unknown'
export const BUCKET_MS = 10_000
/** So long buckets stay apart; then they go into the past, which fades. */
const KEEP_MS = 15 * 60_000
const PAST_FADES_MS = 60 * 60_000
const REMEMBER_MS = 7 * 24 * 3_600_000
/** However many things there are to count, so much of the past stays apart: what is slow now is compared with it. */
const LEAST_BUCKETS = 6
const MOST = { nodes: 1000, edges: 8000, classes: 60, cells: 5000, answers: 20_000 }
/** Two numbers in one key. */
const EDGE_FROM = 4096
const NAMES = 2 ** 26

export interface GraphNode {
  readonly service: string
  /** `peer`: it never sent a span itself, as a database. */
  readonly kind: 'service' | 'peer'
  readonly stats: Stats
  readonly lastSeenMs: number
}

export interface GraphEdge {
  readonly caller: string
  readonly callee: string
  readonly stats: Stats
  readonly lastSeenMs: number
}

export interface GraphClass {
  readonly service: string
  readonly operation: string
  readonly stats: Stats
}

/** What the graph knows of a stretch of time, by the numbers it gave out. */
export interface Stretch {
  readonly ms: number
  readonly buckets: readonly Bucket[]
  /** What was before all buckets that are kept apart. */
  readonly past: ReadonlyMap<number, Cell>
}

/**
 * To whom the calls that nobody answered were counted, by the row of the caller's span: one row a span, kept by whoever keeps the spans. What the
 * graph has learned since would name another, and a call must be taken back from where it was counted.
 */
export type Unanswered = Uint16Array

export interface AddOptions {
  readonly counted?: number
  readonly unanswered?: Unanswered | null
}

/** Of a trace that was counted before: how, and when. */
export interface Counted {
  readonly analysis: TraceAnalysis
  readonly atMs: number
}

/** Things that a trace was counted to and that may turn out never to have been there. */
interface Mistaken {
  readonly edges: Set<number>
  readonly nodes: Set<number>
  readonly classes: Set<number>
}

export interface GraphSnapshot {
  readonly nodes: readonly (readonly [id: number, name: string, lastSeenMs: number, spoke: boolean])[]
  readonly edges: readonly (readonly [id: number, caller: number, callee: number, lastSeenMs: number])[]
  readonly classes: readonly (readonly [id: number, service: string, operation: string, lastSeenMs: number])[]
  readonly buckets: readonly (readonly [startMs: number, bucket: PackedBucket])[]
  readonly past: readonly (readonly [key: number, cell: readonly number[]])[]
}

/**
 * Who calls whom, how often and how long: the sum of all analysed traces of one environment, in buckets of ten seconds over the last fifteen
 * minutes, with an edge's last call kept for a week. Bounded, whatever names come in: the rest is counted as `other`.
 *
 * @example
 * const graph = new ServiceGraph(names)
 * graph.add(analyser.analyse(spans, rows, rows.length), spans, now)
 * graph.edges(now - 60_000, now) // [{ caller: 'web', callee: 'pricing', stats, lastSeenMs }]
 */
export class ServiceGraph {
  readonly #names: Names
  readonly #nodes = new Registry<string>(MOST.nodes)
  readonly #edges = new Registry<number>(MOST.edges)
  readonly #classes = new Registry<string>(MOST.classes)
  /** Services that sent a span themselves. */
  readonly #spoke = new Set<number>()
  /** Numbers of names → numbers of nodes and classes, so that no text is looked at for what is known. */
  readonly #nodeOfName = new Map<number, number>()
  readonly #classOfNames = new Map<number, number>()
  /** Who answered calls of an operation by a service: names a call's callee where its span was lost. */
  readonly #answers = new Map<number, number>()
  /** Who answered calls of a service to what its client calls the other side: an address becomes the service behind it. */
  readonly #answersAt = new Map<number, number>()
  readonly #buckets = new Map<number, Bucket>()
  readonly #past = new Map<number, Cell>()
  /** Per node: the last trace that was counted as passing it. */
  readonly #passed = new Float64Array(MOST.nodes + 1)
  #traces = 0
  /** 1: the trace is counted; −1: it is taken back. */
  #sign: 1 | -1 = 1
  #unansweredBy: Unanswered | null = null

  constructor(names: Names) {
    this.#names = names
  }

  /** How often a service, an edge or a class had to be counted as `other`. */
  get overflow(): { readonly nodes: number; readonly edges: number; readonly classes: number } {
    return { nodes: this.#nodes.overflow, edges: this.#edges.overflow, classes: this.#classes.overflow }
  }

  /**
   * Counts a trace. Of one that was counted before, when its first `counted` rows were there, only what is new: a call that was counted then stays
   * where it was counted.
   */
  add(analysis: TraceAnalysis, spans: SpanColumns, nowMs: number, { counted = 0, unanswered = null }: AddOptions = {}): void {
    this.#unansweredBy = unanswered
    this.#count(this.#bucketAt(nowMs), analysis, spans, nowMs, counted)
  }

  /**
   * Counts a trace again, of which spans came late: what was counted is taken back from the ten seconds that it was counted in, and all of it
   * counted there. False: those are not kept apart any more, and nothing was changed.
   */
  amend(before: Counted, after: TraceAnalysis, spans: SpanColumns, nowMs: number, unanswered: Unanswered): boolean {
    const startMs = startOf(before.atMs)
    const bucket = this.#buckets.get(startMs)
    if (bucket === undefined) return false
    this.#unansweredBy = unanswered
    const mistaken: Mistaken = { edges: new Set(), nodes: new Set(), classes: new Set() }
    this.#takeBack(bucket, before, spans, mistaken)
    this.#count(bucket, after, spans, nowMs, 0)
    this.#forget(mistaken, startMs)
    return true
  }

  #count(bucket: Bucket, analysis: TraceAnalysis, spans: SpanColumns, nowMs: number, counted: number): void {
    this.#traces++
    for (let p = counted; p < analysis.count; p++) {
      if (analysis.isRepeated[p] === 1) continue
      if (analysis.segment[p] === p) this.#addRequest(bucket, analysis, spans, p, nowMs)
      if (analysis.visit[p] === p) this.#addVisit(bucket, analysis, spans, p, nowMs)
    }
    for (let call = 0; call < analysis.calls.count; call++) {
      const { client, callee } = analysis.calls
      const seenBy = (client[call] as number) >= 0 ? (client[call] as number) : (callee[call] as number)
      if (seenBy >= counted) this.#addCall(bucket, analysis, spans, call, nowMs)
    }
  }

  #takeBack(bucket: Bucket, { analysis, atMs }: Counted, spans: SpanColumns, mistaken: Mistaken): void {
    this.#sign = -1
    this.#count(bucket, analysis, spans, atMs, 0)
    this.#sign = 1
    for (let p = 0; p < analysis.count; p++) if (analysis.segment[p] === p) mistaken.classes.add(this.#classOf(analysis, spans, p, atMs))
    const { count, client, caller, callee } = analysis.calls
    for (let call = 0; call < count; call++) {
      if ((callee[call] as number) >= 0) continue
      const from = this.#nodeOf(spans.service[analysis.rows[caller[call] as number] as number] as number, atMs)
      const { to } = this.#unanswered(spans, analysis.rows[client[call] as number] as number, from, atMs, true)
      mistaken.nodes.add(to)
      mistaken.edges.add(this.#edges.idOf(from * EDGE_FROM + to, atMs))
    }
  }

  /** An edge, a peer or a class that was there only because a span was late is not remembered. */
  #forget({ edges, nodes, classes }: Mistaken, sinceMs: number): void {
    const buckets = [...this.#buckets.values()]
    const isGone = (part: (bucket: Bucket) => Map<number, Stats>, id: number) => {
      const all = buckets.filter((bucket) => part(bucket).has(id))
      if (!all.every((bucket) => isEmpty(part(bucket).get(id) as Stats))) return false
      for (const bucket of all) part(bucket).delete(id)
      return true
    }
    for (const id of edges) if (isGone((it) => it.edges, id)) this.#edges.forgetSince(id, sinceMs)
    for (const id of nodes) {
      if (this.#spoke.has(id) || !isGone((it) => it.nodes, id) || !this.#nodes.forgetSince(id, sinceMs)) continue
      this.#nodeOfName.clear()
      this.#answers.clear()
      this.#answersAt.clear()
    }
    for (const id of classes) if (isGone((it) => it.classes, id) && this.#classes.forgetSince(id, sinceMs)) this.#classOfNames.clear()
  }

  /** How many things are counted apart, in all buckets: what the graph takes in memory goes with it. */
  get size(): number {
    let size = 0
    for (const bucket of this.#buckets.values()) size += sizeOf(bucket)
    return size
  }

  /** Gives up the oldest stretch that is kept apart; it becomes part of the past. False: what is left is needed. */
  shrink(): boolean {
    if (this.#buckets.size <= LEAST_BUCKETS) return false
    const oldestMs = Math.min(...this.#buckets.keys())
    this.#retire(oldestMs, this.#buckets.get(oldestMs) as Bucket)
    return true
  }

  nodes(fromMs: number, toMs: number): GraphNode[] {
    const stats = this.#sum(fromMs, toMs, ({ nodes }) => nodes)
    return this.#nodes.entries().map(({ id, key, lastSeenMs }) => ({
      service: key,
      kind: this.#spoke.has(id) ? 'service' : 'peer',
      stats: stats.get(id) ?? createStats(),
      lastSeenMs,
    }))
  }

  /** Also edges without a call in that time, if they were seen within the last seven days. */
  edges(fromMs: number, toMs: number): GraphEdge[] {
    const stats = this.#sum(fromMs, toMs, ({ edges }) => edges)
    return this.#edges.entries().map(({ id, lastSeenMs }) => ({ ...this.edge(id), stats: stats.get(id) ?? createStats(), lastSeenMs }))
  }

  classes(fromMs: number, toMs: number): GraphClass[] {
    return [...this.#sum(fromMs, toMs, ({ classes }) => classes)].map(([id, stats]) => ({ ...this.klass(id), stats }))
  }

  stretch(fromMs: number, toMs: number): Stretch {
    const buckets = [...this.#buckets].filter(([startMs]) => startMs >= fromMs && startMs < toMs)
    const oldestMs = Math.min(...this.#buckets.keys())
    return { ms: buckets.length * BUCKET_MS, buckets: buckets.map(([, bucket]) => bucket), past: fromMs <= oldestMs ? this.#past : new Map() }
  }

  node(id: number): { readonly service: string; readonly kind: 'service' | 'peer' } {
    return { service: this.#nodes.keyOf(id) ?? 'other', kind: this.#spoke.has(id) ? 'service' : 'peer' }
  }

  edge(id: number): { readonly caller: string; readonly callee: string } {
    const key = this.#edges.keyOf(id) ?? 0
    return { caller: this.node(Math.floor(key / EDGE_FROM)).service, callee: this.node(key % EDGE_FROM).service }
  }

  klass(id: number): { readonly service: string; readonly operation: string } {
    const [service = 'other', operation = 'other'] = (this.#classes.keyOf(id) ?? '').split('\n')
    return service === '' ? { service: 'other', operation: 'other' } : { service, operation }
  }

  snapshot(): GraphSnapshot {
    return {
      nodes: this.#nodes.entries().map(({ id, key, lastSeenMs }) => [id, key, lastSeenMs, this.#spoke.has(id)] as const),
      edges: this.#edges.entries().map(({ id, key, lastSeenMs }) => [id, Math.floor(key / EDGE_FROM), key % EDGE_FROM, lastSeenMs] as const),
      classes: this.#classes.entries().map(({ id, lastSeenMs }) => [id, this.klass(id).service, this.klass(id).operation, lastSeenMs] as const),
      buckets: [...this.#buckets].map(([startMs, bucket]) => [startMs, packBucket(bucket)] as const),
      past: [...this.#past].map(([key, cell]) => [key, packCell(cell)] as const),
    }
  }

  /** Adds what another graph, or this one before a restart, had found. */
  merge(snapshot: GraphSnapshot): void {
    const nodes = new Map<number, number>()
    for (const [id, name, lastSeenMs, spoke] of snapshot.nodes) {
      const here = this.#nodes.idOf(name, lastSeenMs)
      nodes.set(id, here)
      if (spoke && here !== 0) this.#spoke.add(here)
    }
    const node = (id: number) => nodes.get(id) ?? 0
    const edges = new Map(snapshot.edges.map(([id, caller, callee, lastSeenMs]) => [id, this.#edges.idOf(node(caller) * EDGE_FROM + node(callee), lastSeenMs)]))
    const classes = new Map(snapshot.classes.map(([id, service, operation, seenMs]) => [id, this.#classes.idOf(`${service}\n${operation}`, seenMs)]))
    const renumbering: Renumbering = { node, edge: (id) => edges.get(id) ?? 0, klass: (id) => classes.get(id) ?? 0 }
    for (const [startMs, packed] of snapshot.buckets) {
      const known = this.#buckets.get(startMs)
      const bucket = known ?? createBucket()
      mergeBucket(bucket, unpackBucket(packed), renumbering)
      this.#buckets.set(startMs, bucket)
    }
    for (const [key, cell] of snapshot.past) this.#addToPast(renumberedKey(key, renumbering), unpackCell(cell))
  }

  #addRequest(bucket: Bucket, analysis: TraceAnalysis, spans: SpanColumns, p: number, nowMs: number): void {
    const row = analysis.rows[p] as number
    const stats = statsOf(bucket.classes, this.#classOf(analysis, spans, p, nowMs))
    countCall(stats, durationMs(analysis, p), spans.failed[row] === 1, this.#sign * (spans.weight[row] as number))
  }

  #addVisit(bucket: Bucket, analysis: TraceAnalysis, spans: SpanColumns, p: number, nowMs: number): void {
    const row = analysis.rows[p] as number
    const weight = this.#sign * (spans.weight[row] as number)
    const node = this.#nodeOf(spans.service[row] as number, nowMs)
    if (node !== 0) this.#spoke.add(node)
    if (spans.kind[row] === KIND.client) return
    const klass = this.#classOf(analysis, spans, analysis.segment[p] as number, nowMs)
    const stats = statsOf(bucket.nodes, node)
    const ownMs = (analysis.ownUs[p] as number) / 1000
    countCall(stats, durationMs(analysis, p), spans.failed[row] === 1, weight)
    countInstance(stats, this.#names.text(spans.instance[row] as number))
    stats.exclusiveMs += ownMs * weight
    this.#observe(bucket, ownKey(klass, node), ownMs, weight)
    this.#pass(bucket, analysis, p, klass, node, weight)
  }

  #addCall(bucket: Bucket, analysis: TraceAnalysis, spans: SpanColumns, call: number, nowMs: number): void {
    const { calls, rows } = analysis
    const client = calls.client[call] as number
    const callee = calls.callee[call] as number
    const seenBy = client >= 0 ? client : callee
    const row = rows[seenBy] as number
    const weight = this.#sign * (spans.weight[row] as number)
    const from = this.#nodeOf(spans.service[rows[calls.caller[call] as number] as number] as number, nowMs)
    const { to, isLost } =
      callee >= 0
        ? { to: this.#nodeOf(spans.service[rows[callee] as number] as number, nowMs), isLost: false }
        : this.#unanswered(spans, row, from, nowMs, weight < 0)
    const edge = this.#edges.idOf(from * EDGE_FROM + to, nowMs)
    const stats = statsOf(bucket.edges, edge)
    const failed = spans.failed[row] === 1 || (callee >= 0 && spans.failed[rows[callee] as number] === 1)
    countCall(stats, durationMs(analysis, seenBy), failed, weight)
    if (calls.retry[call] === 1) stats.retries += weight
    const klass = this.#classOf(analysis, spans, analysis.segment[seenBy] as number, nowMs)
    if (callee >= 0) {
      const gapMs = (calls.gapUs[call] as number) / 1000
      stats.exclusiveMs += gapMs * weight
      statsOf(bucket.nodes, to).exclusiveMs += gapMs * weight
      if (client >= 0) {
        this.#learn(spans, row, from, to)
        this.#observe(bucket, gapKey(klass, edge), gapMs, weight)
      }
    } else if (isLost) {
      stats.lost += weight
      statsOf(bucket.nodes, to).lost += weight
    } else {
      const exclusiveMs = (analysis.exclusiveUs[client] as number) / 1000
      const node = statsOf(bucket.nodes, to)
      countCall(node, durationMs(analysis, client), failed, weight)
      node.exclusiveMs += exclusiveMs * weight
      this.#observe(bucket, ownKey(klass, to), exclusiveMs, weight)
      this.#pass(bucket, analysis, client, klass, to, weight)
    }
  }

  #nodeOf(name: number, nowMs: number): number {
    const known = this.#nodeOfName.get(name)
    if (known !== undefined) {
      this.#nodes.touch(known, nowMs)
      return known
    }
    const node = this.#nodes.idOf(this.#names.text(name) || UNNAMED, nowMs)
    if (node !== 0) this.#nodeOfName.set(name, node)
    return node
  }

  #classOf(analysis: TraceAnalysis, spans: SpanColumns, p: number, nowMs: number): number {
    const row = analysis.rows[p] as number
    const key = (spans.service[row] as number) * NAMES + (spans.operation[row] as number)
    const known = this.#classOfNames.get(key)
    if (known !== undefined) {
      this.#classes.touch(known, nowMs)
      return known
    }
    const klass = this.#classes.idOf(`${this.#names.text(spans.service[row] as number)}\n${this.#names.text(spans.operation[row] as number)}`, nowMs)
    if (klass !== 0) this.#classOfNames.set(key, klass)
    return klass
  }

  #learn(spans: SpanColumns, row: number, from: number, to: number): void {
    const peer = spans.peer[row] as number
    if (this.#answers.size < MOST.answers) this.#answers.set(from * NAMES + (spans.operation[row] as number), to)
    if (peer !== 0 && this.#answersAt.size < MOST.answers) this.#answersAt.set(from * NAMES + peer, to)
  }

  /** Whom a call went to that nobody answered: who answered there before, else whom the client says, else who answered such a call before. */
  #unanswered(spans: SpanColumns, row: number, from: number, nowMs: number, again: boolean): { to: number; isLost: boolean } {
    const kept = this.#unansweredBy
    const known = kept?.[row] ?? 0
    if (again && known > 0) return { to: (known - 1) >> 1, isLost: ((known - 1) & 1) === 1 }
    const to = this.#namedBy(spans, row, from, nowMs)
    const isLost = this.#spoke.has(to)
    if (kept) kept[row] = 1 + 2 * to + (isLost ? 1 : 0)
    return { to, isLost }
  }

  #namedBy(spans: SpanColumns, row: number, from: number, nowMs: number): number {
    const peer = spans.peer[row] as number
    if (peer !== 0) return this.#answersAt.get(from * NAMES + peer) ?? this.#nodeOf(peer, nowMs)
    return this.#answers.get(from * NAMES + (spans.operation[row] as number)) ?? this.#nodeOf(0, nowMs)
  }

  #pass(bucket: Bucket, analysis: TraceAnalysis, p: number, klass: number, node: number, weight: number): void {
    if (this.#passed[node] === this.#traces) return
    this.#passed[node] = this.#traces
    countPassing(bucket, ownKey(klass, node), durationMs(analysis, analysis.segment[p] as number), weight)
  }

  #observe(bucket: Bucket, key: number, ms: number, weight: number): void {
    if (!bucket.cells.has(key) && (weight < 0 || bucket.cells.size >= MOST.cells)) return
    const cell = cellOf(bucket, key)
    observe(cell, ms, weight)
    if (cell.weight <= 0) bucket.cells.delete(key)
  }

  #bucketAt(nowMs: number): Bucket {
    const startMs = startOf(nowMs)
    const known = this.#buckets.get(startMs)
    if (known !== undefined) return known
    const bucket = createBucket()
    this.#buckets.set(startMs, bucket)
    for (const [oldMs, old] of this.#buckets) if (oldMs < startMs - KEEP_MS) this.#retire(oldMs, old)
    if (this.#nodes.forget(nowMs - REMEMBER_MS) + this.#edges.forget(nowMs - REMEMBER_MS) + this.#classes.forget(nowMs - REMEMBER_MS) > 0) {
      this.#nodeOfName.clear()
      this.#classOfNames.clear()
      this.#answers.clear()
      this.#answersAt.clear()
      this.#past.clear()
    }
    return bucket
  }

  /** Moves a bucket into the past, where what happened an hour ago counts for a third. */
  #retire(startMs: number, bucket: Bucket): void {
    this.#buckets.delete(startMs)
    const share = Math.exp(-BUCKET_MS / PAST_FADES_MS)
    for (const cell of this.#past.values()) fade(cell, share)
    for (const [key, cell] of bucket.cells) this.#addToPast(key, cell)
  }

  #addToPast(key: number, cell: Cell): void {
    const past = this.#past.get(key)
    if (past !== undefined) mergeCell(past, cell)
    else if (this.#past.size < MOST.cells) this.#past.set(key, cell)
  }

  #sum(fromMs: number, toMs: number, part: (bucket: Bucket) => ReadonlyMap<number, Stats>): Map<number, Stats> {
    const sums = new Map<number, Stats>()
    for (const [startMs, bucket] of this.#buckets) {
      if (startMs < fromMs || startMs >= toMs) continue
      for (const [id, stats] of part(bucket)) mergeStats(statsOf(sums, id), stats)
    }
    return sums
  }
}

function startOf(nowMs: number): number {
  return Math.floor(nowMs / BUCKET_MS) * BUCKET_MS
}

function durationMs(analysis: TraceAnalysis, p: number): number {
  return ((analysis.endUs[p] as number) - (analysis.startUs[p] as number)) / 1000
}
