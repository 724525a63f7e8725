import { packSketch } from '../../core/model/sketch-bytes.ts'
import { KIND, type Names } from '../../core/tracegraph/spans.ts'
import type { ClosedTrace } from '../window/closed-trace.ts'
import type { CopyRows, TableShape } from './copy-rows.ts'
import { httpStatus } from './http-status.ts'
import { KeyTable, ROLLUP } from './key-table.ts'
import { Sketch } from './sketch.ts'

export const BUCKET_MS = 10_000
/** A span whose time is further away than this has a clock that is wrong: it counts now. */
const OLDEST_MS = 600_000
const NEWEST_MS = 10_000
/**
 * Keys are forgotten all at once when there are this many, and every hour: those in use come back with the next span. An environment may have
 * only so many, and each release brings its own.
 */
const MANY_KEYS = 300_000
const FORGET_KEYS_MS = 3_600_000
/** While PostgreSQL is away the cells wait here; beyond these spans go uncounted, and are counted as such. */
const MOST_CELLS = 100_000

export const ROLLUP_COLUMNS: TableShape['columns'] = {
  environment: 'int4',
  at: 'timestamptz',
  kind: 'int2',
  service: 'text',
  operation: 'text',
  peer: 'text',
  release: 'text',
  span_kind: 'int2',
  count: 'float8',
  errors: 'float8',
  rejected4xx: 'float8',
  duration_us: 'float8',
  exclusive_us: 'float8',
  latency: 'bytea',
}

class Cell {
  count = 0
  errors = 0
  rejected4xx = 0
  durationUs = 0
  exclusiveUs = 0
  readonly latency = new Sketch()
}

interface Bucket {
  readonly cells: Map<number, Cell>
}

/**
 * Counts, errors and latencies of every operation, of every call between services and of every whole request, in buckets of ten seconds. All
 * spans count, whether their trace is kept or not; a span of a trace that was sampled with probability p counts 1/p times.
 *
 * @example
 * const rollups = new Rollups({ names, other: 1 })
 * rollups.add(closed, Date.now())
 * rollups.drain(new CopyRows(…))
 */
export class Rollups {
  readonly #names: Names
  readonly #other: number
  #keys: KeyTable
  readonly #buckets = new Map<number, Bucket>()
  #keyOfPosition = new Int32Array(1024)
  #rejected = new Uint8Array(1024)
  #sealedMs = 0
  /** Spans whose time could not be true. */
  misdated = 0
  /** Spans that there was no room to count for. */
  shed = 0
  #cells = 0
  #replacedBefore = 0
  #forgetKeysMs = Number.NEGATIVE_INFINITY

  constructor({ names, other }: { readonly names: Names; readonly other: number }) {
    this.#names = names
    this.#other = other
    this.#keys = new KeyTable(other)
  }

  /** What `keyOf` gives numbers of. */
  get keys(): KeyTable {
    return this.#keys
  }

  /** How often a name was replaced by `other`, because its environment had too many. */
  get replaced(): number {
    return this.#replacedBefore + this.#keys.replaced
  }

  /** Cells in memory. */
  get size(): number {
    return this.#cells
  }

  /** After `add`: the key that position `p` of the trace was counted under; −1: none, or it was counted before. */
  keyOf(p: number): number {
    return this.#keyOfPosition[p] as number
  }

  add(closed: ClosedTrace, nowMs: number): void {
    const { analysis, count } = closed
    if (count > this.#keyOfPosition.length) {
      this.#keyOfPosition = new Int32Array(2 * count)
      this.#rejected = new Uint8Array(2 * count)
    }
    if (this.#cells >= MOST_CELLS) {
      this.#keyOfPosition.fill(-1, 0, count)
      this.shed += count - closed.counted
      return
    }
    if (this.#keys.size > MANY_KEYS || nowMs >= this.#forgetKeysMs) {
      this.#forgetKeys()
      this.#forgetKeysMs = nowMs + FORGET_KEYS_MS
    }
    this.#readRejected(closed)
    this.#addOperations(closed, nowMs)
    this.#addCalls(closed, nowMs)
    if (analysis.root >= closed.counted) this.#addRequest(closed, nowMs)
  }

  /** From now on nothing is counted into buckets that begin before `ms`: what comes for them counts at `ms`. */
  seal(ms: number): void {
    this.#sealedMs = Math.max(this.#sealedMs, ms)
  }

  /** Moves all that was counted since the last time into `rows`: what comes later for the same bucket becomes rows of its own, which add up. */
  drain(rows: CopyRows): void {
    for (const [at, { cells }] of this.#buckets) for (const [key, cell] of cells) rows.add(this.#rowOf(at, key, cell))
    this.#buckets.clear()
    this.#cells = 0
  }

  /** Which answers were 4xx; of those that are new. */
  #readRejected({ columns, rows, count, counted, rawOf }: ClosedTrace): void {
    for (let p = counted; p < count; p++) {
      const row = rows[p] as number
      const raw = columns.kind[row] === KIND.server ? rawOf(row) : null
      const status = raw === null ? 0 : httpStatus(raw)
      this.#rejected[p] = status >= 400 && status < 500 ? 1 : 0
    }
  }

  #addOperations({ columns, rows, count, counted, scope, analysis }: ClosedTrace, nowMs: number): void {
    this.#keyOfPosition.fill(-1, 0, count)
    for (let p = counted; p < count; p++) {
      const row = rows[p] as number
      const kind = columns.kind[row] as number
      if (kind === KIND.client || kind === KIND.producer) continue
      const key = this.#keys.find(
        scope,
        ROLLUP.operation | (kind << 8),
        columns.service[row] as number,
        columns.operation[row] as number,
        0,
        columns.release[row] as number,
      )
      this.#keyOfPosition[p] = key
      const cell = this.#cell(analysis.startUs[p] as number, nowMs, key)
      const duration = (analysis.endUs[p] as number) - (analysis.startUs[p] as number)
      count1(cell, columns.weight[row] as number, duration, columns.failed[row] as number, this.#rejected[p] as number)
      cell.exclusiveUs += (analysis.exclusiveUs[p] as number) * (columns.weight[row] as number)
    }
    // what a client waited beyond its server belongs to the operation that made it wait
    for (let p = counted; p < count; p++) {
      const charged = analysis.chargedTo[p] as number
      const key = charged === p ? -1 : (this.#keyOfPosition[charged] as number)
      if (key < 0) continue
      const exclusive = (analysis.exclusiveUs[p] as number) * (columns.weight[rows[p] as number] as number)
      this.#cell(analysis.startUs[charged] as number, nowMs, key).exclusiveUs += exclusive
    }
  }

  #addCalls({ columns, rows, scope, counted, analysis }: ClosedTrace, nowMs: number): void {
    const { calls } = analysis
    for (let call = 0; call < calls.count; call++) {
      const client = calls.client[call] as number
      const callee = calls.callee[call] as number
      const seen = client >= 0 ? client : callee
      if (seen < counted) continue
      const row = rows[seen] as number
      const caller = rows[calls.caller[call] as number] as number
      const peer = callee >= 0 ? (columns.service[rows[callee] as number] as number) : (columns.peer[row] as number)
      const key = this.#keys.find(scope, ROLLUP.call, columns.service[caller] as number, 0, peer, columns.release[caller] as number)
      if (client >= 0) this.#keyOfPosition[client] = key
      const cell = this.#cell(analysis.startUs[seen] as number, nowMs, key)
      const duration = (analysis.endUs[seen] as number) - (analysis.startUs[seen] as number)
      const rejected = callee >= counted ? (this.#rejected[callee] as number) : 0
      count1(cell, columns.weight[row] as number, duration, columns.failed[row] as number, rejected)
      cell.exclusiveUs += (calls.gapUs[call] as number) * (columns.weight[row] as number)
    }
  }

  #addRequest({ columns, rows, scope, analysis }: ClosedTrace, nowMs: number): void {
    const { root } = analysis
    const row = rows[root] as number
    const key = this.#keys.find(scope, ROLLUP.request, analysis.rootService, analysis.rootOperation, 0, columns.release[row] as number)
    const duration = (analysis.endUs[root] as number) - (analysis.startUs[root] as number)
    const cell = this.#cell(analysis.startUs[root] as number, nowMs, key)
    count1(cell, columns.weight[row] as number, duration, columns.failed[row] as number, this.#rejected[root] as number)
  }

  #cell(startUs: number, nowMs: number, key: number): Cell {
    let ms = startUs / 1000
    if (!(ms >= nowMs - OLDEST_MS && ms <= nowMs + NEWEST_MS)) {
      ms = nowMs
      this.misdated++
    }
    const at = Math.floor(Math.max(ms, this.#sealedMs) / BUCKET_MS) * BUCKET_MS
    let bucket = this.#buckets.get(at)
    if (!bucket) this.#buckets.set(at, (bucket = { cells: new Map() }))
    let cell = bucket.cells.get(key)
    if (!cell) {
      bucket.cells.set(key, (cell = new Cell()))
      this.#cells++
    }
    return cell
  }

  #rowOf(at: number, key: number, cell: Cell): Parameters<CopyRows['add']>[0] {
    const keys = this.#keys
    const kind = keys.kind(key)
    return [
      keys.scope(key),
      at * 1000,
      kind & 255,
      this.#names.text(keys.service(key)),
      this.#names.text(keys.operation(key)),
      this.#names.text(keys.peer(key)),
      this.#names.text(keys.release(key)),
      kind >> 8,
      cell.count,
      cell.errors,
      cell.rejected4xx,
      cell.durationUs,
      cell.exclusiveUs,
      packSketch(cell.latency.sparse()),
    ]
  }

  /** Cells hold numbers of keys, so those that are still counted into keep theirs. */
  #forgetKeys(): void {
    const fresh = new KeyTable(this.#other)
    const old = this.#keys
    for (const [at, { cells }] of this.#buckets) {
      const moved = new Map<number, Cell>()
      for (const [key, cell] of cells) {
        moved.set(fresh.find(old.scope(key), old.kind(key), old.service(key), old.operation(key), old.peer(key), old.release(key)), cell)
      }
      this.#buckets.set(at, { cells: moved })
    }
    this.#replacedBefore += old.replaced
    this.#keys = fresh
  }
}

function count1(cell: Cell, weight: number, durationUs: number, failed: number, rejected: number): void {
  cell.count += weight
  cell.errors += failed * weight
  cell.rejected4xx += rejected * weight
  cell.durationUs += durationUs * weight
  cell.latency.add(durationUs / 1000, weight)
}
