import { quantile } from '../../core/model/latency-sketch.ts'
import type { ClosedTrace } from '../window/closed-trace.ts'
import { KeyTable, ROLLUP } from './key-table.ts'
import type { Rollups } from './rollups.ts'
import { Sketch } from './sketch.ts'

export type KeptBecause = 'error' | 'slow' | 'rare' | 'sampled' | 'late'

export interface TraceBudget {
  /** Bytes on disk that the traces of one environment, and of all, may take. */
  readonly environmentBytes: number
  readonly totalBytes: number
  /** For how long traces are kept. */
  readonly keepMs: number
}

/** What is kept of failed and of slow traces of one root operation beyond its share of the sample. */
const EACH_MINUTE = 20
/** Of every operation and every call there is one trace this fresh. */
const FRESH_MS = 60_000
/** What is slow is told from the last five to ten minutes of the same root operation. */
const GENERATION_MS = 300_000
const SLOW_SHARE = 0.99
const ENOUGH = 200
/** A quantile is read off by 1 %: what lies in its own bucket is not slower than it. */
const BEYOND = 1.02
/** The part of a budget that may be spent at once; the rest comes evenly over the time that traces are kept. */
const BURST = 1 / 8
/** PostgreSQL compresses what is kept to about this. */
export const STORED_SHARE = 0.4
/** How full the purse must be to pay for it. */
const FILL_FOR: Readonly<Record<KeptBecause, number>> = { rare: 0, late: 0, error: 0.1, slow: 0.25, sampled: 0.5 }
const RATE_MS = 1_000
const MOST_CLASSES = 100_000
const MOST_KEPT = 50_000

/**
 * Decides, when a trace is complete, whether it is worth its bytes: failed ones, ones slower than 99 % of their kind, one of every operation and
 * every call a minute, and of the rest one in n, where n follows from what the budget allows. Counts and quantiles do not depend on it: see `Rollups`.
 */
export class TailSampler {
  readonly #budget: TraceBudget
  #classes = new KeyTable(0)
  #stateOf: ClassState[] = []
  #lastKept = new Float64Array(1024)
  #lastKeptFor: KeyTable | null = null
  readonly #purses = new Map<number, Purse>()
  readonly #total: Purse
  /** Kept ones by their id, so that their late spans are kept too. */
  readonly #kept = new Map<string, number>()
  /** Traces that the budget turned away though there was a reason to keep them. */
  unpaid = 0

  constructor(budget: TraceBudget) {
    this.#budget = budget
    this.#total = new Purse(budget.totalBytes, budget.keepMs)
  }

  /** `rollups` has counted the trace already. `bytes` is about what it would take. */
  decide(closed: ClosedTrace, bytes: number, rollups: Rollups, nowMs: number): KeptBecause | null {
    const cost = bytes * STORED_SHARE
    const purse = this.#purseOf(closed.scope)
    purse.offer(cost, nowMs)
    const because = this.#reason(closed, purse, rollups, nowMs)
    if (because === null) return null
    if (!purse.affords(FILL_FOR[because], nowMs) || !this.#total.affords(FILL_FOR[because], nowMs)) {
      if (because !== 'sampled') this.unpaid++
      return null
    }
    purse.pay(cost)
    this.#total.pay(cost)
    this.#remember(closed, rollups, nowMs)
    return because
  }

  /** How many bytes each environment's traces had before compression, of those that are there. */
  measured(written: ReadonlyMap<number, number>): void {
    let total = 0
    for (const bytes of written.values()) total += bytes
    this.#total.stored(total * STORED_SHARE)
    for (const [scope, bytes] of written) this.#purseOf(scope).stored(bytes * STORED_SHARE)
  }

  #reason(closed: ClosedTrace, purse: Purse, rollups: Rollups, nowMs: number): KeptBecause | null {
    const state = this.#classOf(closed)
    if (closed.late) return this.#kept.has(nameOf(closed)) ? 'late' : hasFailed(closed) && state.oneMore('failed', nowMs) ? 'error' : null
    const { root } = closed.analysis
    const durationUs = root < 0 ? 0 : (closed.analysis.endUs[root] as number) - (closed.analysis.startUs[root] as number)
    const isSlow = state.isSlow(durationUs / 1000, nowMs)
    state.add(durationUs / 1000, nowMs)
    if (hasFailed(closed) && state.oneMore('failed', nowMs)) return 'error'
    if (isSlow && state.oneMore('slow', nowMs)) return 'slow'
    if (this.#isRare(closed, rollups, nowMs)) return 'rare'
    return chanceOf(closed) < purse.sampledShare ? 'sampled' : null
  }

  #isRare({ count }: ClosedTrace, rollups: Rollups, nowMs: number): boolean {
    this.#follow(rollups.keys)
    for (let p = 0; p < count; p++) {
      const key = rollups.keyOf(p)
      if (key >= 0 && nowMs - (this.#lastKept[key] ?? 0) > FRESH_MS) return true
    }
    return false
  }

  #remember(closed: ClosedTrace, rollups: Rollups, nowMs: number): void {
    for (let p = 0; p < closed.count; p++) {
      const key = rollups.keyOf(p)
      if (key >= 0) this.#lastKept[key] = nowMs
    }
    this.#kept.set(nameOf(closed), nowMs)
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value as string)
  }

  /** Numbers of keys hold until the roll-ups forget theirs. */
  #follow(keys: KeyTable): void {
    if (keys !== this.#lastKeptFor) this.#lastKept = new Float64Array(1024)
    this.#lastKeptFor = keys
    if (keys.size <= this.#lastKept.length) return
    const larger = new Float64Array(2 * keys.size)
    larger.set(this.#lastKept)
    this.#lastKept = larger
  }

  #classOf({ scope, analysis }: ClosedTrace): ClassState {
    if (this.#classes.size > MOST_CLASSES) {
      this.#classes = new KeyTable(0)
      this.#stateOf = []
    }
    const key = this.#classes.find(scope, ROLLUP.request, analysis.rootService, analysis.rootOperation, 0, 0)
    return (this.#stateOf[key] ??= new ClassState())
  }

  #purseOf(scope: number): Purse {
    let purse = this.#purses.get(scope)
    if (!purse) this.#purses.set(scope, (purse = new Purse(this.#budget.environmentBytes, this.#budget.keepMs)))
    return purse
  }
}

/** One root operation: how long its traces take, and how many of its failed and slow ones were kept this minute. */
class ClassState {
  #young = new Sketch()
  #old: Sketch | null = null
  #seen = 0
  #until = 0
  #slowMs = Number.POSITIVE_INFINITY
  #nextLook = ENOUGH
  #minute = 0
  readonly #kept = { failed: 0, slow: 0 }

  isSlow(ms: number, nowMs: number): boolean {
    if (nowMs > this.#until) this.#turn(nowMs)
    return ms > this.#slowMs
  }

  add(ms: number, nowMs: number): void {
    if (nowMs > this.#until) this.#turn(nowMs)
    this.#young.add(ms, 1)
    if (++this.#seen >= this.#nextLook) this.#look()
  }

  oneMore(kind: 'failed' | 'slow', nowMs: number): boolean {
    const minute = Math.floor(nowMs / 60_000)
    if (minute !== this.#minute) this.#kept.failed = this.#kept.slow = 0
    this.#minute = minute
    return this.#kept[kind]++ < EACH_MINUTE
  }

  #turn(nowMs: number): void {
    this.#old = this.#until === 0 ? null : this.#young
    this.#young = new Sketch()
    this.#seen = 0
    this.#nextLook = ENOUGH
    this.#until = nowMs + GENERATION_MS
  }

  /** Seldom, because it walks over the sketch: each time a quarter more has been seen. */
  #look(): void {
    this.#nextLook = Math.ceil(this.#seen * 1.25)
    const young = quantile(this.#young.sparse(), SLOW_SHARE) ?? 0
    const old = this.#old ? (quantile(this.#old.sparse(), SLOW_SHARE) ?? 0) : young
    this.#slowMs = Math.max(young, old) * BEYOND
  }
}

/** Bytes that may still be spent: they come evenly, and only so many can be saved up. */
class Purse {
  readonly #budget: number
  readonly #capacity: number
  readonly #perMs: number
  #bytes: number
  #most: number
  #atMs = 0
  #offered = 0
  #sinceMs = 0
  #offeredPerMs = 0
  /** The share of traces without a reason of their own that half of the income pays for. */
  sampledShare = 1

  constructor(budget: number, keepMs: number) {
    this.#budget = budget
    this.#capacity = budget * BURST
    this.#perMs = budget / keepMs
    this.#most = this.#capacity
    this.#bytes = this.#capacity
  }

  offer(cost: number, nowMs: number): void {
    this.#offered += cost
    if (this.#sinceMs === 0) this.#sinceMs = nowMs
    if (nowMs - this.#sinceMs < RATE_MS) return
    const perMs = this.#offered / (nowMs - this.#sinceMs)
    this.#offeredPerMs = this.#offeredPerMs === 0 ? perMs : 0.9 * this.#offeredPerMs + 0.1 * perMs
    this.sampledShare = Math.min(1, this.#perMs / 2 / this.#offeredPerMs)
    this.#offered = 0
    this.#sinceMs = nowMs
  }

  affords(fill: number, nowMs: number): boolean {
    if (this.#atMs > 0) this.#bytes = Math.min(this.#most, this.#bytes + Math.max(0, nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
    return this.#bytes > fill * this.#capacity
  }

  pay(cost: number): void {
    this.#bytes -= cost
  }

  stored(bytes: number): void {
    this.#most = Math.max(0, Math.min(this.#capacity, this.#budget - bytes))
  }
}

/** One of those that are new. */
function hasFailed({ columns, rows, count, counted }: ClosedTrace): boolean {
  for (let p = counted; p < count; p++) if (columns.failed[rows[p] as number] === 1) return true
  return false
}

/** 0 … 1 by the trace's id, so that whoever else samples by it keeps the same ones. */
function chanceOf({ columns, rows, count }: ClosedTrace): number {
  if (count === 0) return 1
  const row = rows[0] as number
  let h = Math.imul((columns.trace[4 * row + 3] as number) ^ 0x5bd1e995, 0x9e3779b1)
  h = Math.imul((h ^ (h >>> 15)) + (columns.trace[4 * row + 2] as number), 0x85ebca6b)
  return ((h ^ (h >>> 13)) >>> 0) / 2 ** 32
}

function nameOf({ scope, columns, rows }: ClosedTrace): string {
  const at = 4 * (rows[0] ?? 0)
  const { trace } = columns
  return `${scope} ${trace[at]} ${trace[at + 1]} ${trace[at + 2]} ${trace[at + 3]}`
}
