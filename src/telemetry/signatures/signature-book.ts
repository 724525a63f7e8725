import { MOST_CLIENTS, type SignatureCount } from '../telemetry.ts'

/** Where an error was told of: the same one is told of by several, so their counts are never added up. */
export type Teller = 'spans' | 'logs' | 'output'

export interface SeenSignature {
  readonly scope: number
  readonly service: string
  readonly release: string
  /** See `errorSignature`; '': it is not known what failed, only where. */
  readonly error: string
  /** See `placeOf`. */
  readonly place: string
  readonly teller: Teller
}

/** What is written: occurrences of five minutes. */
export interface SignatureRow extends SeenSignature {
  readonly atMs: number
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
  /** 32 hex digits; '': none. */
  readonly trace: string
}

interface Entry extends SeenSignature {
  /** A sample: those that come first in order, in order. */
  readonly clients: string[]
  firstMs: number
  lastMs: number
  trace: string
  /** Begin of a bucket → occurrences. */
  readonly fine: Map<number, number>
  readonly coarse: Map<number, number>
  readonly unsaved: Map<number, number>
}

export interface BookLimits {
  /** Signatures of one release of a service; … */
  readonly ofRelease: number
  /** … of an environment; … */
  readonly ofScope: number
  /** … of all. */
  readonly total: number
}

export const BOOK_LIMITS: BookLimits = { ofRelease: 100, ofScope: 500, total: 4000 }

const FINE_MS = 10_000
const COARSE_MS = 300_000
/** Of the last hour, ten-second buckets; before it five minutes. */
const FINE_FOR_MS = 3_600_000
/** A day before a rollout that may itself last for hours. */
export const REMEMBERED_MS = 36 * 3_600_000
const DAY_MS = 86_400_000
/** What was not seen for so long makes room where there is none. */
const SILENT_MS = 3_600_000
/** Signatures that there was no room for count under this name, each release of a service for itself. */
export const OTHER = 'other'

/**
 * Occurrences of error signatures by environment, service and release over the last day and a half, in bounded memory.
 *
 * @example
 * book.add({ scope: 12, service: 'web', release: 'v4', error: 'TypeError at cart (cart.js)', place: 'GET /cart 500', teller: 'spans' }, atMs, trace)
 * book.since(12, startedMs, now) // [{ service: 'web', release: 'v4', signature: 'TypeError at cart (cart.js) · GET /cart 500', count: 4, before: 0, … }]
 */
export class SignatureBook {
  readonly #limits: BookLimits
  readonly #entries = new Map<string, Entry>()
  readonly #ofScope = new Map<number, number>()
  readonly #ofRelease = new Map<string, number>()
  #changed = new Set<Entry>()
  #folded = 0
  /** Occurrences that were counted as `other`. */
  other = 0

  constructor(limits: BookLimits = BOOK_LIMITS) {
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  /** `client`: 16 hex digits that are evenly spread; '': not known. */
  add(seen: SeenSignature, atMs: number, trace: string, client = ''): void {
    const entry = this.#entryOf(seen, atMs)
    this.#count(entry, atMs, FINE_MS, 1, trace, true)
    if (client !== '') insert(entry.clients, client)
  }

  /** What a process before this one had written. */
  restore(row: SignatureRow): void {
    const entry = this.#entryOf(row, row.firstMs)
    this.#count(entry, row.atMs, COARSE_MS, row.count, row.trace, false)
    entry.firstMs = Math.min(entry.firstMs, row.firstMs)
    entry.lastMs = Math.max(entry.lastMs, row.lastMs)
  }

  /** What was counted since the last time. */
  take(): SignatureRow[] {
    const rows: SignatureRow[] = []
    for (const entry of this.#changed) {
      const { scope, service, release, error, place, teller, firstMs, lastMs, trace } = entry
      for (const [atMs, count] of entry.unsaved) rows.push({ scope, service, release, error, place, teller, atMs, count, firstMs, lastMs, trace })
      entry.unsaved.clear()
    }
    this.#changed = new Set()
    return rows
  }

  /** Most frequent first. Exact to ten seconds for the last hour, to five minutes before. */
  since(scope: number, sinceMs: number, nowMs: number): SignatureCount[] {
    this.#fold(nowMs)
    const own = [...this.#entries.values()].filter((it) => it.scope === scope)
    const errors = Map.groupBy(own, ({ service, release, error }) => JSON.stringify([service, release, error]))
    const counts = [...errors.values()].flatMap((entries) => countsOf(entries, sinceMs))
    return counts.sort((a, b) => b.count - a.count || a.signature.localeCompare(b.signature))
  }

  #entryOf(seen: SeenSignature, atMs: number): Entry {
    const found = this.#entries.get(keyOf(seen))
    if (found) return found
    if (seen.error !== OTHER && this.#isFull(seen) && !this.#forgetOldest(seen, atMs)) {
      this.other++
      const isLast = (this.#ofScope.get(seen.scope) ?? 0) >= 2 * this.#limits.ofScope
      const whose = isLast ? { ...seen, service: OTHER, release: '' } : seen
      return this.#entryOf({ ...whose, error: OTHER, place: '', teller: 'spans' }, atMs)
    }
    const { scope, service, release, error, place, teller } = seen
    const entry: Entry = {
      scope,
      service,
      release,
      error,
      place,
      teller,
      firstMs: atMs,
      lastMs: atMs,
      trace: '',
      clients: [],
      fine: new Map(),
      coarse: new Map(),
      unsaved: new Map(),
    }
    this.#entries.set(keyOf(seen), entry)
    this.#grow(entry, 1)
    return entry
  }

  #isFull(seen: SeenSignature): boolean {
    const { ofRelease, ofScope, total } = this.#limits
    return this.#entries.size >= total || (this.#ofScope.get(seen.scope) ?? 0) >= ofScope || (this.#ofRelease.get(releaseOf(seen)) ?? 0) >= ofRelease
  }

  #grow(seen: SeenSignature, by: number): void {
    this.#ofScope.set(seen.scope, (this.#ofScope.get(seen.scope) ?? 0) + by)
    this.#ofRelease.set(releaseOf(seen), (this.#ofRelease.get(releaseOf(seen)) ?? 0) + by)
    if (this.#ofScope.get(seen.scope) === 0) this.#ofScope.delete(seen.scope)
    if (this.#ofRelease.get(releaseOf(seen)) === 0) this.#ofRelease.delete(releaseOf(seen))
  }

  /** Room is made among what is as close as possible, so that nobody drives out a neighbour's. */
  #forgetOldest(seen: SeenSignature, nowMs: number): boolean {
    if (this.#entries.size >= this.#limits.total) return false
    const isRelease = (this.#ofRelease.get(releaseOf(seen)) ?? 0) >= this.#limits.ofRelease
    let oldest: Entry | null = null
    for (const entry of this.#entries.values()) {
      if (entry.scope !== seen.scope || (isRelease && releaseOf(entry) !== releaseOf(seen))) continue
      if (entry.lastMs < nowMs - SILENT_MS && entry.lastMs < (oldest?.lastMs ?? Number.POSITIVE_INFINITY)) oldest = entry
    }
    if (oldest) this.#forget(oldest)
    return oldest !== null
  }

  #forget(entry: Entry): void {
    this.#entries.delete(keyOf(entry))
    this.#grow(entry, -1)
  }

  #count(entry: Entry, atMs: number, widthMs: number, count: number, trace: string, isNew: boolean): void {
    const buckets = widthMs === FINE_MS ? entry.fine : entry.coarse
    addTo(buckets, atMs, widthMs, count)
    entry.firstMs = Math.min(entry.firstMs, atMs)
    entry.lastMs = Math.max(entry.lastMs, atMs)
    if (trace !== '') entry.trace = trace
    if (!isNew) return
    addTo(entry.unsaved, atMs, COARSE_MS, count)
    this.#changed.add(entry)
  }

  /** Old fine buckets become coarse ones, older ones go. */
  #fold(nowMs: number): void {
    if (nowMs - this.#folded < FINE_MS) return
    this.#folded = nowMs
    for (const entry of this.#entries.values()) {
      for (const [at, count] of entry.fine) {
        if (at >= nowMs - FINE_FOR_MS) continue
        entry.fine.delete(at)
        addTo(entry.coarse, at, COARSE_MS, count)
      }
      for (const at of entry.coarse.keys()) if (at < nowMs - REMEMBERED_MS) entry.coarse.delete(at)
      if (entry.lastMs < nowMs - REMEMBERED_MS) this.#forget(entry)
    }
  }

  /** To be called now and then: nothing else lets go of what is too old. */
  tend(nowMs: number): void {
    this.#fold(nowMs)
  }
}

/**
 * Of one error of one release. Spans tell where it happened; logs and output tell of the same ones again, or of those of which no span came:
 * what they have more than the spans counts for itself, without a place.
 */
function countsOf(entries: readonly Entry[], sinceMs: number): SignatureCount[] {
  const of = (teller: Teller) => entries.filter((it) => it.teller === teller)
  const [spans, logs, output] = [of('spans'), of('logs'), of('output')]
  const sum = (its: readonly Entry[], count: (entry: Entry) => number) => its.reduce((total, it) => total + count(it), 0)
  const since = (entry: Entry) => within(entry, sinceMs, Number.POSITIVE_INFINITY)
  const before = (entry: Entry) => within(entry, sinceMs - DAY_MS, sinceMs)
  const more = (count: (entry: Entry) => number) => Math.max(0, Math.max(sum(logs, count), sum(output, count)) - sum(spans, count))
  const told = spans.map((it) => lineOf([it], since(it), before(it)))
  const others = [...logs, ...output]
  const all = others.length > 0 ? [...told, lineOf(others, more(since), more(before))] : told
  return all.filter((it) => it.count > 0 || it.before > 0)
}

function lineOf(entries: readonly Entry[], count: number, before: number): SignatureCount {
  const [{ service, release, error, place }] = entries as [Entry, ...Entry[]]
  const newest = entries.reduce((a, b) => (b.lastMs > a.lastMs && b.trace !== '' ? b : a))
  return {
    service,
    release,
    signature: [error, place].filter((it) => it !== '').join(' · ') || 'failed',
    count,
    before,
    clients: entries.length === 1 ? [...(entries[0] as Entry).clients] : [],
    firstSeen: Math.min(...entries.map((it) => it.firstMs)),
    lastSeen: Math.max(...entries.map((it) => it.lastMs)),
    trace: newest.trace === '' ? null : newest.trace,
  }
}

function insert(clients: string[], client: string): void {
  const at = clients.findLastIndex((it) => it <= client) + 1
  if (clients[at - 1] === client || at === MOST_CLIENTS) return
  clients.splice(at, 0, client)
  if (clients.length > MOST_CLIENTS) clients.pop()
}

/** A bucket on the border belongs to what comes after it. */
function within({ fine, coarse }: Entry, fromMs: number, toMs: number): number {
  let count = 0
  for (const [widthMs, buckets] of [
    [FINE_MS, fine],
    [COARSE_MS, coarse],
  ] as const)
    for (const [at, n] of buckets) if (at + widthMs > fromMs && at + widthMs <= toMs) count += n
  return count
}

function addTo(buckets: Map<number, number>, atMs: number, widthMs: number, count: number): void {
  const at = Math.floor(atMs / widthMs) * widthMs
  buckets.set(at, (buckets.get(at) ?? 0) + count)
}

function keyOf({ scope, service, release, error, place, teller }: SeenSignature): string {
  return JSON.stringify([scope, service, release, error, place, teller])
}

function releaseOf({ scope, service, release }: SeenSignature): string {
  return JSON.stringify([scope, service, release])
}
