import { bucketOf, sparse } from '../core/model/latency-sketch.ts'
import { MAX_ROUTES, OTHER_ROUTE, routePattern } from '../core/model/route-pattern.ts'
import type { CounterBlock, CounterRow, TableVersion } from '../core/model/routing.ts'
import type { Place } from './directory.ts'
import type { Evidence, Label } from './evidence.ts'
import type { Hop } from './spans.ts'

/** How a request ended. */
export interface Outcome {
  readonly place: Place
  readonly track: CounterRow['track']
  /** Release that served, 0: none. */
  readonly origin: number
  readonly path: string
  readonly status: number
  /** The client went away before the answer was complete. */
  readonly aborted: boolean
  /** The service failed after the status was sent, or a WebSocket was cut. */
  readonly broken: boolean
  /** The service answered with a page: `text/html`. */
  readonly html: boolean
  readonly latencyMs: number
  readonly hop: Hop | null
  readonly method: string
  /** Who answered; null: the gateway itself, or nobody. */
  readonly replica: string | null
  /** Who was asked last; null: nobody could be. */
  readonly target: string | null
  /** Side and client, where the request is evidence for a verdict. */
  readonly label: Label | null
}

interface OpenRow {
  readonly fixed: { environment: string; version: TableVersion; hop: string; track: CounterRow['track']; service: string; origin: number; route: string }
  requests: number
  errors: number
  rejected4xx: number
  aborted: number
  html: number
  readonly latency: Map<number, number>
}

/** The rows of one place, by route: found without making the key that names a row among all. */
interface PlaceRows {
  readonly book: RouteBook
  readonly byRoute: Map<string, OpenRow[]>
}

/** Rows of one block; from then on new routes are counted as `other`. */
const MAX_ROWS = 20_000
/** Paths whose pattern is remembered, per service. */
const MAX_PATHS = 2_000
/** A route without requests for this long makes room, unless a rollout is running: then the set is frozen. */
const ROUTE_IDLE_MS = 600_000

/** The open block of one worker. */
export class Counters {
  readonly #incarnation: string
  readonly #now: () => number
  readonly #evidence: Evidence
  readonly #routes = new Map<string, RouteBook>()
  #rows = new Map<string, OpenRow>()
  #places = new Map<Place, PlaceRows>()
  #sequence = 0
  #from: number

  constructor(incarnation: string, now: () => number, evidence: Evidence) {
    this.#incarnation = incarnation
    this.#now = now
    this.#evidence = evidence
    this.#from = now()
  }

  /** @returns the route that it counts for. */
  record(outcome: Outcome): string {
    const row = this.#row(outcome)
    const { route } = row.fixed
    const { judged } = outcome.place.environment
    if (judged !== null && outcome.label !== null) judged.record(row.fixed.service, route, outcome.label, outcome)
    row.requests++
    if (outcome.aborted) {
      row.aborted++
      return route // how long a client had patience says nothing of the service
    }
    if (outcome.status >= 500 || outcome.broken) row.errors++
    else if (outcome.status >= 400) row.rejected4xx++
    if (outcome.html) row.html++
    const bucket = bucketOf(outcome.latencyMs)
    row.latency.set(bucket, (row.latency.get(bucket) ?? 0) + 1)
    return route
  }

  /** Ends the block and begins the next one; null when nothing happened in it. */
  close(): CounterBlock | null {
    const [from, to] = [this.#from, this.#now()]
    this.#from = to
    const evidence = this.#evidence.close(from, to)
    if (this.#rows.size === 0 && evidence.length === 0) return null
    const rows = [...this.#rows.values()].map(({ fixed, requests, errors, rejected4xx, aborted, html, latency }) => ({
      ...fixed,
      requests,
      errors,
      rejected4xx,
      aborted,
      html,
      latency: sparse(latency),
    }))
    this.#rows = new Map()
    this.#places = new Map()
    return { incarnation: this.#incarnation, sequence: ++this.#sequence, from, to, rows, evidence }
  }

  #row(outcome: Outcome): OpenRow {
    const { place, track, origin } = outcome
    const { table, judged } = place.environment
    const { book, byRoute } = this.#places.get(place) ?? this.#enter(place)
    const route = this.#rows.size < MAX_ROWS ? book.route(outcome.path, this.#now(), table.split !== null || judged !== null) : OTHER_ROUTE
    let rows = byRoute.get(route)
    if (!rows) byRoute.set(route, (rows = []))
    for (const row of rows) if (row.fixed.track === track && row.fixed.origin === origin) return row
    const row = this.#rowOf({
      environment: table.environment,
      version: table.version,
      hop: place.hop,
      track,
      service: place.listener.service,
      origin,
      route,
    })
    rows.push(row)
    return row
  }

  #enter(place: Place): PlaceRows {
    const service = `${place.environment.table.environment} ${place.listener.service}`
    let book = this.#routes.get(service)
    if (!book) this.#routes.set(service, (book = new RouteBook()))
    const entered = { book, byRoute: new Map() }
    this.#places.set(place, entered)
    return entered
  }

  /** Two places may lead to one row: those of the same table before and after the tables were indexed anew. */
  #rowOf(fixed: OpenRow['fixed']): OpenRow {
    const { environment, service, version, hop, track, origin, route } = fixed
    const key = `${environment} ${service} ${version.epoch}.${version.n} ${hop} ${track} ${origin} ${route}`
    let row = this.#rows.get(key)
    if (!row) this.#rows.set(key, (row = { fixed, requests: 0, errors: 0, rejected4xx: 0, aborted: 0, html: 0, latency: new Map() }))
    return row
  }
}

/** The routes that are counted apart for one service. */
export class RouteBook {
  readonly #lastSeen = new Map<string, number>()
  #patterns = new Map<string, string>()

  route(path: string, now: number, frozen: boolean): string {
    let pattern = this.#patterns.get(path)
    if (pattern === undefined) {
      pattern = routePattern(path)
      if (this.#patterns.size >= MAX_PATHS) this.#patterns = new Map()
      this.#patterns.set(path, pattern)
    }
    if (this.#lastSeen.has(pattern) || this.#lastSeen.size < MAX_ROUTES || (!frozen && this.#makeRoom(now))) {
      this.#lastSeen.set(pattern, now)
      return pattern
    }
    return OTHER_ROUTE
  }

  #makeRoom(now: number): boolean {
    for (const [pattern, seen] of this.#lastSeen) {
      if (now - seen < ROUTE_IDLE_MS) continue
      this.#lastSeen.delete(pattern)
      return true
    }
    return false
  }
}
