import { bucketOf } from '../model/latency-sketch.ts'
import { type Cell, createCell, mergeCell, packCell, unpackCell } from './cell.ts'

/** Counts of one node, edge or class within one bucket of time. All counts are weighted. */
export interface Stats {
  calls: number
  errors: number
  retries: number
  /** Calls that nobody answered, although the service does send spans: those were lost. */
  lost: number
  /** Sum of the durations; divided by the time, how many there were at once (Little). */
  busyMs: number
  /** Sum of the times that nobody else has to answer for. */
  exclusiveMs: number
  readonly latency: Map<number, number>
  readonly instances: Set<string>
}

/** What happened within one stretch of time. Keys are the numbers that the graph gave out. */
export interface Bucket {
  readonly nodes: Map<number, Stats>
  readonly edges: Map<number, Stats>
  readonly classes: Map<number, Stats>
  /** By `cellKey`. */
  readonly cells: Map<number, Cell>
  /** Requests of a class that pass a service, and the sum of their durations; by `cellKey` of the service. */
  readonly passing: Map<number, { requests: number; sumMs: number }>
}

/** More replicas than this are not told apart. */
const INSTANCES = 64

export function createBucket(): Bucket {
  return { nodes: new Map(), edges: new Map(), classes: new Map(), cells: new Map(), passing: new Map() }
}

/** How many things are counted apart in it. */
export function sizeOf({ nodes, edges, classes, cells, passing }: Bucket): number {
  return nodes.size + edges.size + classes.size + cells.size + passing.size
}

export function createStats(): Stats {
  return { calls: 0, errors: 0, retries: 0, lost: 0, busyMs: 0, exclusiveMs: 0, latency: new Map(), instances: new Set() }
}

export function statsOf(stats: Map<number, Stats>, id: number): Stats {
  let found = stats.get(id)
  if (found === undefined) {
    found = createStats()
    stats.set(id, found)
  }
  return found
}

/** A weight below zero takes back what was counted with it. */
export function countCall(stats: Stats, ms: number, failed: boolean, weight: number): void {
  stats.calls += weight
  stats.busyMs += ms * weight
  if (failed) stats.errors += weight
  const bucket = bucketOf(ms)
  const count = (stats.latency.get(bucket) ?? 0) + weight
  if (count > 0) stats.latency.set(bucket, count)
  else stats.latency.delete(bucket)
}

export function isEmpty({ calls, lost }: Stats): boolean {
  return calls <= 0 && lost <= 0
}

export function countInstance(stats: Stats, instance: string): void {
  if (instance !== '' && stats.instances.size < INSTANCES) stats.instances.add(instance)
}

export function cellOf(bucket: Bucket, key: number): Cell {
  let cell = bucket.cells.get(key)
  if (cell === undefined) {
    cell = createCell()
    bucket.cells.set(key, cell)
  }
  return cell
}

export function countPassing(bucket: Bucket, key: number, ms: number, weight: number): void {
  const passing = bucket.passing.get(key)
  if (passing === undefined) bucket.passing.set(key, { requests: weight, sumMs: ms * weight })
  else {
    passing.requests += weight
    passing.sumMs += ms * weight
    if (passing.requests <= 0) bucket.passing.delete(key)
  }
}

const PER_CLASS = 2 ** 15
const EDGES = 2 ** 14

/** The own time of a service, in requests of a class. */
export function ownKey(klass: number, node: number): number {
  return klass * PER_CLASS + node
}

/** The gap of an edge, in requests of a class. */
export function gapKey(klass: number, edge: number): number {
  return klass * PER_CLASS + EDGES + edge
}

export function readKey(key: number): { klass: number; node: number | null; edge: number | null } {
  const within = key % PER_CLASS
  return { klass: Math.floor(key / PER_CLASS), node: within < EDGES ? within : null, edge: within < EDGES ? null : within - EDGES }
}

export function mergeStats(into: Stats, from: Stats): void {
  for (const field of ['calls', 'errors', 'retries', 'lost', 'busyMs', 'exclusiveMs'] as const) into[field] += from[field]
  for (const [bucket, count] of from.latency) into.latency.set(bucket, (into.latency.get(bucket) ?? 0) + count)
  for (const instance of from.instances) countInstance(into, instance)
}

/** Numbers given out by the graph that a bucket comes from, to those of the graph that it goes to. */
export interface Renumbering {
  node(id: number): number
  edge(id: number): number
  klass(id: number): number
}

export function mergeBucket(into: Bucket, from: Bucket, { node, edge, klass }: Renumbering): void {
  for (const [id, stats] of from.nodes) mergeStats(statsOf(into.nodes, node(id)), stats)
  for (const [id, stats] of from.edges) mergeStats(statsOf(into.edges, edge(id)), stats)
  for (const [id, stats] of from.classes) mergeStats(statsOf(into.classes, klass(id)), stats)
  for (const [key, cell] of from.cells) mergeCell(cellOf(into, renumberedKey(key, { node, edge, klass })), cell)
  for (const [key, { requests, sumMs }] of from.passing) {
    if (requests > 0) countPassing(into, renumberedKey(key, { node, edge, klass }), sumMs / requests, requests)
  }
}

export function renumberedKey(key: number, { node, edge, klass }: Renumbering): number {
  const read = readKey(key)
  return read.node === null ? gapKey(klass(read.klass), edge(read.edge ?? 0)) : ownKey(klass(read.klass), node(read.node))
}

type PackedStats = readonly [numbers: readonly number[], latency: readonly number[], instances: readonly string[]]
type Packed<Value> = readonly (readonly [number, Value])[]

export interface PackedBucket {
  readonly nodes: Packed<PackedStats>
  readonly edges: Packed<PackedStats>
  readonly classes: Packed<PackedStats>
  readonly cells: Packed<readonly number[]>
  readonly passing: Packed<readonly number[]>
}

export function packBucket(bucket: Bucket): PackedBucket {
  const stats = (of: Map<number, Stats>) => [...of].map(([id, it]) => [id, packStats(it)] as const)
  return {
    nodes: stats(bucket.nodes),
    edges: stats(bucket.edges),
    classes: stats(bucket.classes),
    cells: [...bucket.cells].map(([key, cell]) => [key, packCell(cell)] as const),
    passing: [...bucket.passing].map(([key, { requests, sumMs }]) => [key, [requests, sumMs]] as const),
  }
}

export function unpackBucket(packed: PackedBucket): Bucket {
  const stats = (of: Packed<PackedStats>) => new Map(of.map(([id, it]) => [id, unpackStats(it)]))
  return {
    nodes: stats(packed.nodes),
    edges: stats(packed.edges),
    classes: stats(packed.classes),
    cells: new Map(packed.cells.map(([key, cell]) => [key, unpackCell(cell)])),
    passing: new Map(packed.passing.map(([key, [requests = 0, sumMs = 0]]) => [key, { requests, sumMs }])),
  }
}

function packStats({ calls, errors, retries, lost, busyMs, exclusiveMs, latency, instances }: Stats): PackedStats {
  return [[calls, errors, retries, lost, busyMs, exclusiveMs], [...latency].flat(), [...instances]]
}

function unpackStats([[calls = 0, errors = 0, retries = 0, lost = 0, busyMs = 0, exclusiveMs = 0], latency, instances]: PackedStats): Stats {
  const counts = new Map<number, number>()
  for (let at = 0; at + 1 < latency.length; at += 2) counts.set(latency[at] as number, latency[at + 1] as number)
  return { calls, errors, retries, lost, busyMs, exclusiveMs, latency: counts, instances: new Set(instances) }
}
