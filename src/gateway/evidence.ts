import type { EvidenceBlock, Side } from '../core/canary/evidence.ts'
import type { CopyCounts, CountedEvidence, LatencyThresholds } from '../core/model/evidence.ts'
import type { RoutingTable } from '../core/model/routing.ts'
import { ActiveClients } from './evidence-clients.ts'
import { Tally } from './evidence-tally.ts'

/** The side that a request is on, and whose it is where clients are what is randomised. */
export interface Label {
  readonly side: Side
  /** null: not known, or not asked for. */
  readonly client: string | null
}

export const LABELS: Readonly<Record<Side, Label>> = { stable: { side: 'stable', client: null }, canary: { side: 'canary', client: null } }

/** What of a request's end is evidence. */
export interface Seen {
  readonly status: number
  readonly aborted: boolean
  readonly broken: boolean
  readonly latencyMs: number
  /** Who answered; null: nobody. */
  readonly replica: string | null
  /** Who was asked last; null: nobody could be. */
  readonly target: string | null
}

/** Requests of a fresh replica that are slow for a reason: cold caches, code not compiled. Of all workers together. */
const FRESH_REQUESTS = 20

/** What this worker has counted of everything that is judged, since the last block. */
export class Evidence {
  readonly #touched = new Set<EvidenceSheet>()
  #freshRequests = FRESH_REQUESTS

  /** Each worker leaves out its part of a fresh replica's first requests; it sees about as many of them as any other. */
  set workers(count: number) {
    this.#freshRequests = Math.ceil(FRESH_REQUESTS / count)
  }

  get freshRequests(): number {
    return this.#freshRequests
  }

  /** For the requests that are routed by `table`; null: nothing of it is judged. `before`: the sheet of the table in its place. */
  sheet(table: RoutingTable, before: EvidenceSheet | null): EvidenceSheet | null {
    const judged = judgedOf(table)
    return judged && new EvidenceSheet(this, judged, before)
  }

  /** For the pairs of originals and copies; null: nothing is copied. */
  shadowSheet({ environment, shadow }: RoutingTable, before: EvidenceSheet | null): EvidenceSheet | null {
    if (!shadow) return null
    return new EvidenceSheet(this, { environment, rollout: shadow.rollout, stage: 0, unit: 'request', thresholds: shadow.thresholds, weight: null }, before)
  }

  touch(sheet: EvidenceSheet): void {
    this.#touched.add(sheet)
  }

  /** Ends the open blocks. */
  close(fromMs: number, toMs: number): readonly CountedEvidence[] {
    if (this.#touched.size === 0) return NONE
    const blocks = [...this.#touched].map((sheet) => sheet.take(fromMs, toMs))
    this.#touched.clear()
    return blocks
  }
}

const NONE: readonly CountedEvidence[] = []

export interface Judged {
  readonly environment: string
  readonly rollout: string
  readonly stage: number
  readonly unit: 'request' | 'client'
  readonly thresholds: LatencyThresholds
  /** Wanted share of the canary, 0 to 1; null: copies, of which each is on both sides. */
  readonly weight: number | null
}

function judgedOf({ environment, split, trial }: RoutingTable): Judged | null {
  if (split !== null) return split.judge ? { environment, rollout: split.rollout, ...split.judge, weight: split.weight / 100 } : null
  return trial ? { environment, rollout: trial.id, stage: 0, unit: trial.unit, thresholds: trial.thresholds, weight: trial.weight / 100 } : null
}

type MutableCopies = { -readonly [Key in keyof CopyCounts]: CopyCounts[Key] }

interface RouteCount {
  readonly thresholds: readonly number[] | null
  readonly sides: Readonly<Record<Side, Tally>>
}

interface ReplicaCount {
  readonly service: string
  /** Shared by all sheets of a rollout. */
  readonly warming: { answered: number }
  readonly sides: Readonly<Record<Side, Tally>>
}

/** Counts of the requests that were routed by one table. A request that outlives its table is still counted here, so for that table's stage. */
export class EvidenceSheet {
  readonly judged: Judged
  readonly #evidence: Evidence
  readonly #services = new Map<string, Map<string, RouteCount>>()
  readonly #replicas = new Map<string, ReplicaCount>()
  readonly #warming: Map<string, { answered: number }>
  readonly #sent = new Map<string, Record<Side, { requests: number; drawn: number }>>()
  readonly #clients: ActiveClients
  #copies: Map<string, MutableCopies> | null = null
  #touched = false

  constructor(evidence: Evidence, judged: Judged, before: EvidenceSheet | null) {
    const goesOn = before !== null && before.judged.rollout === judged.rollout
    this.#evidence = evidence
    this.judged = judged
    this.#warming = goesOn ? before.#warming : new Map()
    this.#clients = new ActiveClients(goesOn ? before.#clients.fraction : 1)
  }

  record(service: string, route: string, { side, client }: Label, seen: Seen): void {
    const count = this.#routeOf(service, route)
    const { thresholds } = count
    const replica = seen.replica === null ? null : this.#replicaOf(seen.replica, service)
    let over = -1
    if (thresholds !== null && replica !== null && replica.warming.answered >= this.#evidence.freshRequests) over = exceeded(thresholds, seen.latencyMs)
    if (replica !== null) replica.warming.answered++
    if (seen.aborted) return this.#recordAborted(count.sides[side], seen, thresholds, { side, client })
    this.#touch()
    const failed = seen.status >= 500 || seen.broken
    const rejected = !failed && seen.status >= 400
    count.sides[side].add(failed, rejected, over)
    if (replica !== null) replica.sides[side].add(failed, rejected, over)
    if (client !== null) this.#clients.add(client, side, failed, rejected, over, service, route)
  }

  /** A request was put on a side; `drawn`: by lot, and here. */
  send(service: string, side: Side, drawn: boolean): void {
    this.#touch()
    let count = this.#sent.get(service)
    if (!count) this.#sent.set(service, (count = { stable: { requests: 0, drawn: 0 }, canary: { requests: 0, drawn: 0 } }))
    const sent = count[side]
    sent.requests++
    if (drawn) sent.drawn++
  }

  /** How long a client had patience says nothing of the service, unless it waited longer than the slowest threshold. An answer that had begun is none of the counts. */
  #recordAborted(tally: Tally, seen: Seen, thresholds: readonly number[] | null, { side, client }: Label): void {
    if (seen.replica !== null) return
    const isTimed = thresholds !== null && seen.target !== null && this.#isWarm(seen.target) && exceeded(thresholds, seen.latencyMs) === thresholds.length
    const over = isTimed ? thresholds.length : -1
    this.#touch()
    tally.addAbandoned(over)
    if (client !== null) this.#clients.addAbandoned(client, side, over)
  }

  /** What became of the copies of a route, to be added to. */
  copies(service: string, route: string): MutableCopies {
    this.#touch()
    this.#copies ??= new Map()
    const key = `${service} ${route}`
    let counts = this.#copies.get(key)
    if (!counts) {
      counts = { service, route, compared: 0, status: 0, bodies: 0, body: 0, dropped: 0 }
      this.#copies.set(key, counts)
    }
    return counts
  }

  take(fromMs: number, toMs: number): CountedEvidence {
    this.#touched = false
    const { environment, rollout, stage, weight } = this.judged
    const copies = this.#copies === null ? {} : { copies: [...this.#copies.values()] }
    this.#copies = null
    const block: EvidenceBlock = {
      rollout,
      stage,
      fromMs,
      toMs,
      ...(weight === null ? {} : { weight, sent: this.#takeSent() }),
      rows: this.#takeRows(),
      replicas: this.#takeReplicas(),
      clients: this.#clients.take(),
      ...copies,
    }
    return { environment, ...block }
  }

  #touch(): void {
    if (this.#touched) return
    this.#touched = true
    this.#evidence.touch(this)
  }

  #takeRows(): EvidenceBlock['rows'] {
    const rows: EvidenceBlock['rows'][number][] = []
    for (const [service, routes] of this.#services)
      for (const [route, { sides }] of routes) for (const side of SIDES) if (!sides[side].isEmpty) rows.push({ service, route, side, ...sides[side].take() })
    return rows
  }

  #takeSent(): NonNullable<EvidenceBlock['sent']> {
    const rows: NonNullable<EvidenceBlock['sent']>[number][] = []
    for (const [service, sides] of this.#sent) for (const side of SIDES) if (sides[side].requests > 0) rows.push({ service, side, ...sides[side] })
    this.#sent.clear()
    return rows
  }

  #takeReplicas(): EvidenceBlock['replicas'] {
    const rows: EvidenceBlock['replicas'][number][] = []
    for (const [replica, { service, sides }] of this.#replicas) {
      for (const side of SIDES) {
        if (sides[side].requests === 0) continue
        const { rejected4xx: _, ...counts } = sides[side].take()
        rows.push({ service, replica, side, ...counts })
      }
    }
    return rows
  }

  #routeOf(service: string, route: string): RouteCount {
    let routes = this.#services.get(service)
    if (!routes) {
      routes = new Map()
      this.#services.set(service, routes)
    }
    let count = routes.get(route)
    if (!count) {
      count = { thresholds: this.judged.thresholds[service]?.[route] ?? null, sides: bothSides() }
      routes.set(route, count)
    }
    return count
  }

  #replicaOf(replica: string, service: string): ReplicaCount {
    let count = this.#replicas.get(replica)
    if (!count) {
      const warming = this.#warming.get(replica) ?? { answered: 0 }
      this.#warming.set(replica, warming)
      count = { service, warming, sides: bothSides() }
      this.#replicas.set(replica, count)
    }
    return count
  }

  #isWarm(replica: string): boolean {
    return (this.#warming.get(replica)?.answered ?? 0) >= this.#evidence.freshRequests
  }
}

const SIDES = ['stable', 'canary'] as const

function bothSides(): Record<Side, Tally> {
  return { stable: new Tally(), canary: new Tally() }
}

/** How many of the thresholds, which ascend, are below. */
function exceeded(thresholds: readonly number[], latencyMs: number): number {
  let count = 0
  while (count < thresholds.length && latencyMs > (thresholds[count] as number)) count++
  return count
}
