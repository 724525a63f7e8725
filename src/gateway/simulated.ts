import type { Epoch } from '../core/model/epoch.ts'
import { bucketOf, mergeSketches, sparse } from '../core/model/latency-sketch.ts'
import { type CounterBlock, type CounterRow, compareVersions, type ObservedTraffic, type RoutingTable, type TableVersion } from '../core/model/routing.ts'
import type { Clock, Random } from '../core/model/world.ts'
import { WeirError } from '../errors.ts'
import type { Track } from './baggage.ts'
import { drawOf } from './client-identity.ts'
import { Evidence, type EvidenceSheet } from './evidence.ts'
import type { Gateway } from './gateway.ts'

/** What may go wrong, as probabilities and delays; the same seed gives the same run. */
export interface SimulatedGatewayFaults {
  /** A worker takes over a table after this long at most. */
  readonly slowestAckMs: number
  /** The call fails and nobody knows whether it was done: half of the time it was. */
  readonly lostAnswer: number
  /** A worker dies when it should take over a table; its open counts and acknowledgements are lost, another one starts. */
  readonly workerCrash: number
  /** The hint that something changed does not come. */
  readonly lostHint: number
}

export const NO_FAULTS: SimulatedGatewayFaults = { slowestAckMs: 5, lostAnswer: 0, workerCrash: 0, lostHint: 0 }

export interface SimulatedGatewayOptions {
  readonly clock: Clock
  readonly random: Random
  readonly workers: number
  readonly faults: SimulatedGatewayFaults
}

/** How a replica answers. */
export interface SimulatedAnswer {
  readonly status: number
  readonly latencyMs: number
}

interface Kept {
  readonly version: TableVersion
  readonly table: RoutingTable | null
}

interface SimulatedWorker {
  incarnation: string
  sequence: number
  readonly tables: Map<string, Kept & { readonly sheet: EvidenceSheet | null }>
  readonly evidence: Evidence
  /** environment → replica → requests */
  readonly inflight: Map<string, Map<string, number>>
  open: CounterRow[]
}

const RESTART_MS = 50
const ROUTE = '/'
/** Who asks, where clients are what is judged and none is named. */
const CLIENTS = 200

/**
 * A gateway without sockets. What is published is durable at once; workers follow in their own time, die and come back, all by
 * the given clock and chance. `tables` and `workerTables` show what it has, so that invariants can be checked; `answers` may be replaced by
 * whatever the releases of a simulation do.
 *
 * @example const gateway = new SimulatedGateway({ clock, random, workers: 2, faults: NO_FAULTS })
 */
export class SimulatedGateway implements Gateway {
  readonly #clock: Clock
  readonly #random: Random
  readonly #faults: SimulatedGatewayFaults
  answers: (of: { readonly environment: string; readonly service: string; readonly origin: number }) => SimulatedAnswer = () => ({ status: 200, latencyMs: 1 })
  readonly #kept = new Map<string, Kept>()
  readonly #workers: SimulatedWorker[]
  readonly #watchers = new Set<(environment: string) => void>()
  readonly #blocks = new Map<string, CounterBlock>()
  readonly #count: number
  #epoch = 0
  #incarnations = 0

  constructor({ clock, random, workers, faults }: SimulatedGatewayOptions) {
    this.#clock = clock
    this.#random = random
    this.#faults = faults
    this.#count = workers
    this.#workers = Array.from({ length: workers }, () => this.#newWorker())
  }

  async publish(table: RoutingTable): Promise<void> {
    this.#effect(() => this.#put(table.environment, table.version, table))
  }

  async withdraw(environment: string, version: TableVersion): Promise<void> {
    this.#effect(() => this.#put(environment, version, null))
  }

  async observe(environment: string): Promise<ObservedTraffic> {
    let acknowledged: TableVersion | null = this.#workers[0]?.tables.get(environment)?.version ?? null
    const inflight: Record<string, number> = {}
    for (const worker of this.#workers) {
      const version = worker.tables.get(environment)?.version ?? null
      if (version === null) acknowledged = null
      else if (acknowledged !== null && compareVersions(version, acknowledged) < 0) acknowledged = version
      for (const [replica, count] of worker.inflight.get(environment) ?? []) inflight[replica] = (inflight[replica] ?? 0) + count
    }
    return { hasTable: (this.#kept.get(environment)?.table ?? null) !== null, acknowledged, inflight, refused: [] }
  }

  async environments(): Promise<readonly string[]> {
    return [...this.tables().keys()]
  }

  watch(changed: (environment: string) => void): () => void {
    this.#watchers.add(changed)
    return () => this.#watchers.delete(changed)
  }

  async counters(limit: number): Promise<readonly CounterBlock[]> {
    for (const worker of this.#workers) this.#closeBlock(worker)
    return [...this.#blocks.values()].slice(0, limit)
  }

  async acknowledgeCounters(blocks: readonly { readonly incarnation: string; readonly sequence: number }[]): Promise<void> {
    this.#effect(() => {
      for (const block of blocks) this.#blocks.delete(nameOf(block))
    })
  }

  async fence(epoch: Epoch): Promise<void> {
    this.#fence(epoch)
  }

  // what a simulation does and looks at

  /** Durable tables by environment. */
  tables(): ReadonlyMap<string, RoutingTable> {
    return new Map([...this.#kept].flatMap(([name, { table }]) => (table === null ? [] : [[name, table] as const])))
  }

  /** The table that each worker routes `environment` by at this moment; null: none. */
  workerTables(environment: string): readonly (RoutingTable | null)[] {
    return this.#workers.map((worker) => worker.tables.get(environment)?.table ?? null)
  }

  /**
   * A request arrives for `service` at a worker chosen by chance, and stays until the returned function ends it; null: nobody can take it.
   * `html`: it is answered with a page. `client`: who asks, where clients are what is judged; null: one of two hundred.
   */
  begin(environment: string, service: string, html = false, client: string | null = null): (() => void) | null {
    const worker = this.#pick(this.#workers)
    const { table, sheet } = worker.tables.get(environment) ?? { table: null, sheet: null }
    const targets = table?.services[service]
    if (!table || !targets) return null
    const drawn = this.#draw(table, client)
    const served = table.split !== null && targets.canary !== null && drawn.side === 'canary' ? targets.canary : targets.stable
    const target = served.targets.length > 0 ? this.#pick(served.targets) : null
    const origin = target === null ? 0 : served.origin
    const { status, latencyMs } = target === null ? { status: 503, latencyMs: 0 } : this.answers({ environment, service, origin })
    worker.open.push(oneRequest(table, service, table.split === null ? 'stable' : drawn.side, origin, { status, latencyMs }, html))
    const replica = target === null ? null : target.id
    sheet?.send(service, drawn.side, true)
    sheet?.record(service, ROUTE, drawn, { status, latencyMs, replica, target: replica, aborted: false, broken: false })
    if (target === null) return null
    const { incarnation } = worker
    const add = (by: number) => {
      if (worker.incarnation !== incarnation) return // it died, and the request with it
      const counts = worker.inflight.get(environment) ?? new Map<string, number>()
      worker.inflight.set(environment, counts)
      const left = (counts.get(target.id) ?? 0) + by
      if (left > 0) counts.set(target.id, left)
      else counts.delete(target.id)
      if (left === 0) this.#hint(environment)
    }
    add(1)
    return () => add(-1)
  }

  /** Kills a worker: open counts, requests in flight and acknowledgements are gone. */
  crashWorker(index: number): void {
    this.#workers[index] = this.#newWorker()
    this.#clock.after(RESTART_MS, () => {
      for (const environment of this.#kept.keys()) this.#follow(environment)
    })
  }

  /** The side of the split, or of the trial, and the client where clients are what is judged. */
  #draw({ split, trial }: RoutingTable, client: string | null): { side: Track; client: string | null } {
    const [weight, unit, rollout] = split
      ? [split.weight, split.judge?.unit ?? 'request', split.rollout]
      : trial
        ? [trial.weight, trial.unit, trial.id]
        : [0, 'request', '']
    const drawn =
      unit === 'client'
        ? drawOf(client ?? `client ${Math.floor(this.#random.next() * CLIENTS)}`, rollout, 'simulated')
        : { position: this.#random.next() * 100, client: null }
    return { side: drawn.position < weight ? 'canary' : 'stable', client: drawn.client }
  }

  #newWorker(): SimulatedWorker {
    const evidence = new Evidence()
    evidence.workers = this.#count
    return { incarnation: `w${++this.#incarnations}`, sequence: 0, tables: new Map(), evidence, inflight: new Map(), open: [] }
  }

  #put(environment: string, version: TableVersion, table: RoutingTable | null): void {
    const present = this.#kept.get(environment)
    if (present && compareVersions(version, present.version) === 0) return
    this.#fence(version.epoch)
    if (present && compareVersions(version, present.version) < 0)
      throw stale(`version ${version.epoch}.${version.n} of ${environment} is older than ${present.version.epoch}.${present.version.n}`)
    this.#kept.set(environment, { version, table })
    this.#follow(environment)
  }

  #fence(epoch: Epoch): void {
    if (epoch < this.#epoch) throw stale(`epoch ${epoch} is over, ${this.#epoch} has begun`)
    this.#epoch = epoch
  }

  /** Every worker takes over what is kept at that time. */
  #follow(environment: string): void {
    for (const [index, worker] of this.#workers.entries()) {
      const delay = this.#random.next() * this.#faults.slowestAckMs
      const crashes = this.#random.next() < this.#faults.workerCrash
      this.#clock.after(delay, () => {
        if (this.#workers[index] !== worker) return
        if (crashes) return this.crashWorker(index)
        const kept = this.#kept.get(environment)
        if (!kept) return
        const sheet = kept.table && worker.evidence.sheet(kept.table, worker.tables.get(environment)?.sheet ?? null)
        worker.tables.set(environment, { ...kept, sheet })
        this.#hint(environment)
      })
    }
  }

  #effect(act: () => void): void {
    const lost = this.#random.next() < this.#faults.lostAnswer
    if (!lost || this.#random.next() < 0.5) act()
    if (lost) throw new WeirError('E_UNAVAILABLE', { message: 'a part of Weir does not answer', cause: 'the answer was lost' })
  }

  #closeBlock(worker: SimulatedWorker): void {
    if (worker.open.length === 0) return
    const now = this.#clock.wall()
    const evidence = worker.evidence.close(now, now)
    const block = { incarnation: worker.incarnation, sequence: ++worker.sequence, from: now, to: now, rows: joined(worker.open), evidence }
    worker.open = []
    this.#blocks.set(nameOf(block), block)
  }

  #hint(environment: string): void {
    if (this.#random.next() < this.#faults.lostHint) return
    for (const watcher of this.#watchers) watcher(environment)
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random.next() * from.length)] as T
  }
}

function oneRequest(table: RoutingTable, service: string, track: Track, origin: number, { status, latencyMs }: SimulatedAnswer, html: boolean): CounterRow {
  return {
    environment: table.environment,
    version: table.version,
    hop: 'entry',
    track,
    service,
    origin,
    route: ROUTE,
    requests: 1,
    errors: status >= 500 ? 1 : 0,
    rejected4xx: status >= 400 && status < 500 ? 1 : 0,
    aborted: 0,
    html: html && origin !== 0 ? 1 : 0,
    latency: sparse(new Map([[bucketOf(latencyMs), 1]])),
  }
}

/** As a worker would count them. */
function joined(requests: readonly CounterRow[]): CounterRow[] {
  const alike = Map.groupBy(requests, ({ environment, version, track, service, origin }) => JSON.stringify([environment, version, track, service, origin]))
  return [...alike.values()].map((rows) => {
    const sum = (of: (row: CounterRow) => number) => rows.reduce((total, row) => total + of(row), 0)
    return {
      ...(rows[0] as CounterRow),
      requests: sum((it) => it.requests),
      errors: sum((it) => it.errors),
      rejected4xx: sum((it) => it.rejected4xx),
      html: sum((it) => it.html),
      latency: mergeSketches(rows.map((it) => it.latency)),
    }
  })
}

function nameOf({ incarnation, sequence }: { readonly incarnation: string; readonly sequence: number }): string {
  return `${incarnation} ${sequence}`
}

function stale(cause: string): WeirError {
  return new WeirError('E_STALE_EPOCH', { message: 'the gateway follows a newer server', cause })
}
