/** The fold: what blocks of counts leave behind. A constant amount a test, whatever the traffic; a block touches only what it counted. */
import type { Analysis, Indicator } from './analysis.ts'
import { Budget } from './budget.ts'
import { Clients } from './clients.ts'
import { DesignEffect } from './design-effect.ts'
import { type EvidenceBlock, type EvidenceRow, PROOF_QUANTILE, QUANTILES, type ReplicaRow, type SentRow, type Side, type Thresholds } from './evidence.ts'
import { isAbove, isSlower, quantileName } from './margin.ts'
import { Presence } from './presence.ts'
import { isReadableBlock, isReadableClient, isReadableReplica, isReadableRow, isReadableSent, Twice } from './readable.ts'
import type { SequentialTest, TestCounts } from './sequential-test.ts'
import { type Dispersion, FAILURES, type ProofLimits, RouteTests, ServiceTests } from './service-tests.ts'
import { ABANDONED, ERRORS, REJECTED, REQUESTS, SLOW, type Tally } from './tally.ts'

export interface JudgeOptions {
  /** What is put on a side by lot, and so what counts once. */
  readonly unit: 'request' | 'client'
  /** How much more slow requests of one replica come together than by chance, as A/A runs measured it; 1: not at all. */
  readonly designEffect: number
  /** Services that are other on the canary. A pass needs an answer and a proof of each. */
  readonly changed: readonly string[]
  /** Service → replicas of the canary that must not be silent. */
  readonly replicas: Readonly<Record<string, number>>
  /** What latency is compared at: for margins in milliseconds. */
  readonly thresholds: Thresholds
}

/** Rows and replica rows count the same requests; more than this apart and one of them is wrong. */
const APART = 1.5
const EXPECTED_SHARE = 0.1

export class Ledger {
  readonly services = new Map<string, ServiceTests>()
  readonly presence = new Presence()
  readonly clients: Clients | null
  readonly tests: SequentialTest[] = []
  /** Tests whose evidence is over their threshold, and over half of it. */
  readonly alarms = new Set<SequentialTest>()
  readonly suspicions = new Set<SequentialTest>()
  readonly budget: Budget
  readonly analysis: Analysis
  readonly options: JudgeOptions
  thresholds: Thresholds
  /** Rows and blocks that could not be true. */
  broken = 0
  blocks = 0
  firstMs = Number.NaN
  lastMs = Number.NaN
  weight: number | null = null
  readonly #limits: ProofLimits
  readonly #twice = new Twice()
  readonly #changed: ReadonlySet<string>
  readonly #largestShare = new Map<string, number>()
  readonly #drawn: Record<Side, number> = { canary: 0, stable: 0 }
  readonly #stableEffect = new DesignEffect()
  /** By how much latency's evidence is divided, by threshold. */
  #effects: readonly number[] = []
  readonly #timed: Readonly<Record<Side, { requests: number; readonly replicas: Set<string> }>> = {
    canary: { requests: 0, replicas: new Set() },
    stable: { requests: 0, replicas: new Set() },
  }
  readonly #byReplica = { rows: 0, replicas: 0 }
  #stage = Number.NEGATIVE_INFINITY
  #routes = 0
  #unchanged = 0

  constructor(analysis: Analysis, options: JudgeOptions, limits: ProofLimits) {
    this.analysis = analysis
    this.options = options
    this.thresholds = options.thresholds
    this.#limits = limits
    this.#changed = new Set(options.changed)
    this.budget = new Budget(analysis.falseAlarm, this.#changed)
    this.clients = options.unit === 'client' ? new Clients() : null
    if (this.clients !== null) this.#watchClients(this.clients)
  }

  get designEffect(): number {
    const { designEffect } = this.options
    return Math.max(designEffect >= 1 ? designEffect : 1, this.#effects[PROOF_QUANTILE] ?? 1)
  }

  get #divisors(): readonly number[] {
    return this.#effects.length > 0 ? this.#effects : QUANTILES.map(() => this.designEffect)
  }

  /** By how much the evidence of a proof is divided. */
  get dispersion(): Dispersion {
    return { errors: this.clients?.dispersion.errors ?? 1, slow: Math.max(this.designEffect, this.clients?.dispersion.slow ?? 1) }
  }

  add(block: EvidenceBlock): void {
    if (block === null || typeof block !== 'object' || !isReadableBlock(block)) {
      this.broken++
      return
    }
    const replicas = this.#readable(block.replicas, isReadableReplica)
    const rows = this.#readable(block.rows, isReadableRow)
    const clients = this.#readable(block.clients, isReadableClient)
    const sent = this.#readable(block.sent ?? [], isReadableSent)
    if (!this.#twice.isNew({ ...block, rows, replicas, clients, sent })) return
    this.blocks++
    this.firstMs = Number.isNaN(this.firstMs) ? block.fromMs : Math.min(this.firstMs, block.fromMs)
    this.lastMs = Number.isNaN(this.lastMs) ? block.toMs : Math.max(this.lastMs, block.toMs)
    const late = block.stage < this.#stage
    if (block.stage !== this.#stage) this.#closePools()
    if (block.stage > this.#stage) this.#nextStage(block)

    const touched = new Set<ServiceTests | RouteTests>()
    for (const row of sent) this.#countSent(row, late, touched)
    for (const row of rows) this.#count(row, block.toMs, touched)
    this.#measureEffect(replicas, block.fromMs)
    for (const row of replicas) {
      this.presence.count(row)
      this.#byReplica.replicas += row.requests
    }
    const share = this.weight !== null && this.weight > 0 && this.weight < 1 ? this.weight : EXPECTED_SHARE
    for (const it of touched) this.#endBlock(it, block, share)
    if (late) this.#closePools()
    if (this.clients !== null) {
      const changed = this.clients.add(clients, block.stage, block.fromMs, block.toMs, share)
      if (changed.size > 0) this.#watchQuestions(this.clients, changed)
    }
  }

  learn(thresholds: Thresholds): void {
    this.thresholds = thresholds
  }

  get countsDisagree(): boolean {
    const { rows, replicas } = this.#byReplica
    return replicas > 0 && rows > APART * replicas + 20
  }

  /** The most that an event could fall to the canary with, in any stage. */
  shareOf(service: string): number {
    const its = this.services.get(service)
    const now = its === undefined ? this.share : shareIn(its.tally)
    const least = this.weight !== null && this.weight < 1 ? this.weight : 0
    const ofClients = this.clients === null ? 0 : (this.share ?? 0)
    return Math.min(1, Math.max(now ?? 0, ofClients, least, this.#largestShare.get(service) ?? this.#largestShare.get('') ?? 0))
  }

  /** Measured, in this stage, of what is put on sides. */
  get share(): number | null {
    const { canary, stable } = this.countedInStage
    return canary + stable === 0 ? null : canary / (canary + stable)
  }

  get countedInStage(): { readonly canary: number; readonly stable: number } {
    if (this.clients !== null) return this.clients.active
    const busiest = this.busiest
    return busiest === null ? { canary: 0, stable: 0 } : { canary: inStage(busiest.tally, 'canary'), stable: inStage(busiest.tally, 'stable') }
  }

  /** What routing put on sides in this stage, by lot: what the weight is held against. */
  get drawn(): { readonly canary: number; readonly stable: number } {
    return this.clients === null && this.#drawn.canary + this.#drawn.stable > 0 ? this.#drawn : this.countedInStage
  }

  /** Of the services that were changed, if any was seen, the one with most requests: to name figures of. */
  get busiest(): ServiceTests | null {
    let found: ServiceTests | null = null
    const most = (it: ServiceTests | null) =>
      it === null ? -1 : it.tally.count('canary', REQUESTS) + it.tally.count('stable', REQUESTS) + (this.#changed.has(it.service) ? 1e15 : 0)
    for (const it of this.services.values()) if (most(it) > most(found)) found = it
    return found
  }

  /** Those that a pass must prove something of. */
  get proving(): readonly string[] {
    return this.options.changed.length > 0 ? this.options.changed : [...this.services.keys()]
  }

  /** Whether an indicator decides; null: it is not asked for. */
  decides(indicator: Indicator): boolean | null {
    const { compare, dryRun } = this.analysis
    return compare.includes(indicator) ? true : dryRun.includes(indicator) ? false : null
  }

  #readable<Row>(rows: readonly Row[], isReadable: (row: Row) => boolean): readonly Row[] {
    let bad = 0
    for (const row of rows) if (row === null || typeof row !== 'object' || !isReadable(row)) bad++
    if (bad === 0) return rows
    this.broken += bad
    return rows.filter((row) => row !== null && typeof row === 'object' && isReadable(row))
  }

  #count(row: EvidenceRow, toMs: number, touched: Set<ServiceTests | RouteTests>): void {
    const service = this.services.get(row.service) ?? this.#newService(row.service)
    service.tally.add(row, toMs)
    service.silence.count(row)
    service.unanswered.count(row)
    service.requests.count(row)
    touched.add(service)
    this.#byReplica.rows += row.requests
    const route = service.routes.get(row.route) ?? this.#newRoute(service, row.route)
    route.tally.add(row, toMs)
    if (route.tested) route.requests.count(row)
    if (route.tested) touched.add(route)
  }

  #countSent(row: SentRow, late: boolean, touched: Set<ServiceTests | RouteTests>): void {
    const service = this.services.get(row.service) ?? this.#newService(row.service)
    service.silence.send(row)
    touched.add(service)
    if (!late) this.#drawn[row.side] += row.drawn
  }

  /** How much slow requests come together on the stable side of this very rollout: there may have been no A/A yet, or the machine is busier than it was. */
  #measureEffect(replicas: readonly ReplicaRow[], fromMs: number): void {
    for (const { side, service, replica, timed } of replicas) {
      this.#timed[side].requests += timed
      if (timed > 0) this.#timed[side].replicas.add(`${service} ${replica}`)
    }
    if (
      !this.#stableEffect.addRows(
        replicas.filter(({ side }) => side === 'stable'),
        fromMs,
      )
    )
      return
    const measured = this.options.designEffect >= 1 ? this.options.designEffect : 1
    const { canary, stable } = this.#timed
    const part = canary.requests / Math.max(1, canary.replicas.size) / (stable.requests / Math.max(1, stable.replicas.size))
    const share = canary.requests / (canary.requests + stable.requests)
    this.#effects = QUANTILES.map((_, j) => Math.max(measured, this.#stableEffect.between(j, part, share)))
  }

  #endBlock(it: ServiceTests | RouteTests, { fromMs, toMs }: EvidenceBlock, share: number): void {
    if (it instanceof ServiceTests) {
      const [canaryTrials = 0, stableTrials = 0, canaryErrors = 0, stableErrors = 0] = it.requests.block
      it.noMoreErrors.add(canaryTrials, stableTrials, canaryErrors, stableErrors)
      it.silence.endBlock(fromMs, toMs)
      if (it.unanswered.endBlock(fromMs, toMs, share)) this.#weigh(it.tests)
    }
    if (it.requests.endBlock(fromMs, toMs, share)) this.#weigh(it.tests)
  }

  #closePools(): void {
    for (const service of this.services.values()) {
      service.requests.close()
      service.unanswered.pool.close()
      this.#weigh(service.tests)
      for (const route of service.routes.values()) {
        route.requests.close()
        this.#weigh(route.tests)
      }
    }
  }

  #nextStage({ stage, weight }: EvidenceBlock): void {
    if (this.share !== null) this.#largestShare.set('', Math.max(this.#largestShare.get('') ?? 0, this.share))
    for (const [name, { tally, routes }] of this.services) {
      this.#largestShare.set(name, Math.max(this.#largestShare.get(name) ?? 0, shareIn(tally) ?? 0))
      tally.nextStage()
      for (const route of routes.values()) route.tally.nextStage()
    }
    this.#stage = stage
    this.#drawn.canary = this.#drawn.stable = 0
    this.weight = typeof weight === 'number' && weight >= 0 && weight <= 1 ? weight : null
  }

  #newService(name: string): ServiceTests {
    const it = new ServiceTests(name, this.#limits, () => this.dispersion)
    this.services.set(name, it)
    const order = this.#changed.has(name) ? 0 : this.#unchanged++
    if (this.clients !== null) return it
    const { margins } = this.analysis
    const failing = (indicator: Indicator, kind: number, place: number, of: string) =>
      this.#watch(it.tests, {
        name: `${indicator} ${name}`,
        indicator,
        service: name,
        route: null,
        threshold: this.budget.ofService(indicator, name, order),
        logE: () => it.requests.failures.logE(kind),
        isBeyondMargin: () => isAbove(it.tally, place, margins.errors),
        counts: () => countsOf(it.tally, place, of),
      })
    failing('errors', FAILURES.errors, ERRORS, 'errors')
    failing('rejected', FAILURES.rejected, REJECTED, 'rejected requests')
    this.#watch(it.tests, {
      name: `latency ${name}`,
      indicator: 'latency',
      service: name,
      route: null,
      threshold: this.budget.ofService('latency', name, order),
      logE: () => it.requests.slow.logE(this.#divisors),
      lately: () => it.requests.slow.lately(this.#divisors),
      isBeyondMargin: () => isSlower(this.#withThresholds(it), it.requests.slow.strongest, margins.latency),
      counts: () => countsOf(it.tally, SLOW + it.requests.slow.strongest, slowRequests(it.requests.slow.strongest)),
    })
    this.#watch(it.tests, {
      name: `throughput ${name}`,
      indicator: 'throughput',
      service: name,
      route: null,
      threshold: this.budget.ofService('throughput', name, order),
      logE: () => it.unanswered.pool.logE(0),
      isBeyondMargin: () => isAbove(it.tally, ABANDONED, margins.errors, [REQUESTS, ABANDONED]),
      counts: () => countsOf(it.tally, ABANDONED, 'requests without an answer'),
    })
    return it
  }

  #newRoute(service: ServiceTests, route: string): RouteTests {
    const { routes, margins } = this.analysis
    const label = `${service.service} ${route}`
    const it = new RouteTests(route, routes === 'auto' || routes.includes(route) || routes.includes(label))
    service.routes.set(route, it)
    if (!it.tested || this.clients !== null) return it
    const order = this.#routes++
    this.#watch(it.tests, {
      name: `errors ${label}`,
      indicator: 'errors',
      service: service.service,
      route,
      threshold: this.budget.ofRoute('errors', order),
      logE: () => it.requests.failures.logE(FAILURES.errors),
      isBeyondMargin: () => isAbove(it.tally, ERRORS, margins.errors),
      counts: () => countsOf(it.tally, ERRORS, 'errors'),
    })
    this.#watch(it.tests, {
      name: `latency ${label}`,
      indicator: 'latency',
      service: service.service,
      route,
      threshold: this.budget.ofRoute('latency', order),
      logE: () => it.requests.slow.logE(this.#divisors),
      lately: () => it.requests.slow.lately(this.#divisors),
      isBeyondMargin: () =>
        isSlower([{ tally: it.tally, thresholds: this.#thresholdsOf(service.service, route) }], it.requests.slow.strongest, margins.latency),
      counts: () => countsOf(it.tally, SLOW + it.requests.slow.strongest, slowRequests(it.requests.slow.strongest)),
    })
    return it
  }

  #watchClients(clients: Clients): void {
    const { margins } = this.analysis
    const above = (place: number, trials?: readonly number[]) => () =>
      [...this.services.values()].some(({ tally }) => isAbove(tally, place, margins.errors, trials))
    const asked = (indicator: Indicator, of: string, isBeyondMargin: () => boolean) =>
      this.#watch(this.#ofClients, {
        name: indicator,
        indicator,
        service: null,
        route: null,
        threshold: this.budget.ofClients(indicator),
        logE: () => clients.question(indicator)?.logE ?? 0,
        isBeyondMargin,
        counts: () => ({ ...(clients.question(indicator)?.counts ?? NOTHING), of }),
      })
    asked('errors', 'clients with errors', above(ERRORS))
    asked('rejected', 'clients that were rejected', above(REJECTED))
    asked('throughput', 'clients without an answer', above(ABANDONED, [REQUESTS, ABANDONED]))
    this.#watch(this.#ofClients, {
      name: 'latency',
      indicator: 'latency',
      service: null,
      route: null,
      threshold: this.budget.ofClients('latency'),
      logE: () => clients.latency.logE / this.designEffect,
      isBeyondMargin: () => [...this.services.values()].some((it) => isSlower(this.#withThresholds(it), clients.latency.strongest, margins.latency)),
      counts: () => ({ ...clients.latency.counts, of: 'clients whose first requests were slow' }),
    })
  }

  readonly #ofClients: SequentialTest[] = []

  /** Questions about routes arise with the first client that failed there. */
  #watchQuestions(clients: Clients, changed: ReadonlySet<string>): void {
    for (const name of changed) {
      if (!name.startsWith('errors ') || this.#ofClients.some((it) => it.name === name)) continue
      const [, service = '', route = ''] = /^errors (\S+) (.*)$/.exec(name) ?? []
      const { routes, margins } = this.analysis
      if (routes !== 'auto' && !routes.includes(route) && !routes.includes(`${service} ${route}`)) continue
      this.#watch(this.#ofClients, {
        name,
        indicator: 'errors',
        service,
        route,
        threshold: this.budget.ofRoute('errors', this.#routes++),
        logE: () => clients.question(name)?.logE ?? 0,
        isBeyondMargin: () => {
          const tally = this.services.get(service)?.routes.get(route)?.tally
          return tally !== undefined && isAbove(tally, ERRORS, margins.errors)
        },
        counts: () => ({ ...(clients.question(name)?.counts ?? NOTHING), of: 'clients with errors' }),
      })
    }
    this.#weigh(this.#ofClients)
  }

  #watch(tests: SequentialTest[], test: Omit<SequentialTest, 'dryRun'>): void {
    const decides = this.decides(test.indicator)
    if (decides === null) return
    const watched = { ...test, dryRun: !decides }
    tests.push(watched)
    this.tests.push(watched)
  }

  #weigh(tests: readonly SequentialTest[]): void {
    for (const test of tests) {
      if (test.dryRun) continue
      const logE = test.logE()
      const lately = test.lately?.() ?? logE
      if (logE >= test.threshold) this.alarms.add(test)
      else this.alarms.delete(test)
      if (lately >= test.threshold / 2) this.suspicions.add(test)
      else this.suspicions.delete(test)
    }
  }

  #withThresholds({ service, routes }: ServiceTests) {
    return [...routes.values()].map(({ route, tally }) => ({ tally, thresholds: this.#thresholdsOf(service, route) }))
  }

  #thresholdsOf(service: string, route: string): readonly number[] | null {
    return this.thresholds[service]?.[route] ?? null
  }
}

const NOTHING = { canary: 0, total: 0, expected: 0 }

function slowRequests(quantile: number): string {
  return `requests slower than the stable side's ${quantileName(quantile)}`
}

function inStage(tally: Tally, side: Side): number {
  return tally.inStage(side, REQUESTS)
}

function shareIn(tally: Tally): number | null {
  const [canary, stable] = [inStage(tally, 'canary'), inStage(tally, 'stable')]
  return canary + stable === 0 ? null : canary / (canary + stable)
}

function countsOf(tally: Tally, place: number, of: string): TestCounts {
  return { canary: tally.count('canary', place), total: tally.count('canary', place) + tally.count('stable', place), expected: tally.expected(place), of }
}
