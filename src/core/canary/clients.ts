/**
 * Split by client, the client is what was drawn by lot, so it counts once per question and stage: "has it met an error?", however many it
 * met; "were at least so many of its first m requests slow?", for m = 1, 2, 4, …, 128. Those who could have been put on either side are
 * compared with one another: clients that this stage sees first, and, apart from them, those that were on the stable side before. Who was on
 * the canary in an earlier stage stays there when the weight grows; the lot does not decide about them again, so they no longer count.
 */

import { EProcess, logMean } from './e-process.ts'
import { type ClientRow, PROOF_QUANTILE, QUANTILES, type Side } from './evidence.ts'
import { ERRORS, OUTAGE, SLOW } from './grids.ts'
import { Batcher, batchOf, Comparison, type Counts, countsFor, type Pace } from './pool.ts'
import { betaInc } from './special.ts'

/** Requests after which a client's latency is judged. */
const LOOKS = [1, 2, 4, 8, 16, 32, 64, 128] as const
/** Chance, on the stable side, that a client is slow by its first requests. */
const SLOW_CLIENT = 0.1
/** Clients that are compared at once. */
const AT_A_TIME: Pace = { canaryTrials: 5, mostMs: 5_000 }
const MOST_CLIENTS = 20_000
/** With so many times the blocks, how much clients differ is measured again. */
const MEASURE_AGAIN = 1.05
/** First seen in this stage; seen before, and on the stable side. */
const STRATA = 2
const NO_LONGER = 2

interface Client {
  side: Side
  /** 0, 1, or NO_LONGER. */
  stratum: number
  looksDone: number
  requests: number
  errors: number
  timed: number
  readonly slow: Float64Array
  readonly failed: Set<string>
}

export class Clients {
  readonly #clients = new Map<string, Client>()
  readonly #questions = new Map<string, Question>()
  readonly #seen = sides()
  readonly #active: Record<Side, number> = { canary: 0, stable: 0 }
  readonly #latency = new LatencyOfClients()
  readonly #dispersion = { errors: 1, slow: 1 }
  #stage = Number.NEGATIVE_INFINITY
  #blocks = 0
  #measureAt = 1

  /** Distinct ones in this stage. */
  get active(): Readonly<Record<Side, number>> {
    return this.#active
  }

  /** Names of the questions whose evidence changed; `latency` among them. */
  add(rows: readonly ClientRow[], stage: number, fromMs: number, toMs: number, share: number): ReadonlySet<string> {
    if (stage < this.#stage) return new Set()
    if (stage > this.#stage) this.#begin(stage)
    for (const row of rows) this.#count(row)
    const changed = new Set<string>()
    for (const [name, question] of this.#questions) if (question.close(this.#seen)) changed.add(name)
    if (this.#latency.endBlock(fromMs, toMs, share)) changed.add('latency')
    if (++this.#blocks >= this.#measureAt) {
      this.#measureDispersion()
      this.#measureAt = this.#blocks * MEASURE_AGAIN + 1
    }
    return changed
  }

  question(name: string): Question | null {
    return this.#questions.get(name) ?? null
  }

  get latency(): LatencyOfClients {
    return this.#latency
  }

  /** How much more clients of the stable side differ than their requests would by chance, in errors and in slow requests at q90; at least 1. */
  get dispersion(): { readonly errors: number; readonly slow: number } {
    return this.#dispersion
  }

  #measureDispersion(): void {
    const stable = [...this.#clients.values()].filter(({ side }) => side === 'stable')
    this.#dispersion.errors = overdispersion(stable, (it) => [it.errors, it.requests])
    this.#dispersion.slow = overdispersion(stable, (it) => [it.slow[PROOF_QUANTILE] as number, it.timed])
  }

  #begin(stage: number): void {
    this.#stage = stage
    this.#latency.endStage()
    for (const counts of this.#seen) counts.canary = counts.stable = 0
    for (const question of this.#questions.values()) question.begin()
    this.#active.canary = this.#active.stable = 0
    for (const [name, it] of this.#clients) {
      if (it.side === 'canary' || it.stratum === NO_LONGER) it.stratum = NO_LONGER
      else
        this.#clients.set(name, {
          ...it,
          stratum: -1,
          looksDone: 0,
          requests: 0,
          errors: 0,
          timed: 0,
          slow: new Float64Array(QUANTILES.length),
          failed: new Set(),
        })
    }
  }

  #count(row: ClientRow): void {
    const it = this.#clientOf(row)
    if (it === null || it.stratum === NO_LONGER) return
    if (it.side !== row.side) return this.#leave(it)
    it.requests += row.requests
    it.errors += row.errors
    it.timed += row.timed
    for (let j = 0; j < it.slow.length; j++) it.slow[j] = (it.slow[j] as number) + (row.slow[j] ?? 0)
    if (row.errors > 0) this.#ask('errors', it)
    if (row.rejected4xx > 0) this.#ask('rejected', it)
    if ((row.abandoned ?? 0) > 0) this.#ask('throughput', it)
    if (row.errors > 0) for (const route of row.failed) this.#ask(`errors ${route}`, it)
    this.#latency.count(it)
  }

  #clientOf(row: ClientRow): Client | null {
    const known = this.#clients.get(row.client)
    if (known !== undefined && known.stratum >= 0) return known
    if (known === undefined && this.#clients.size >= MOST_CLIENTS) return null
    const it = known ?? {
      side: row.side,
      stratum: -1,
      looksDone: 0,
      requests: 0,
      errors: 0,
      timed: 0,
      slow: new Float64Array(QUANTILES.length),
      failed: new Set<string>(),
    }
    it.stratum = known === undefined ? 0 : 1
    it.side = row.side
    if (known === undefined) this.#clients.set(row.client, it)
    const seen = this.#seen[it.stratum] as Record<Side, number>
    seen[it.side]++
    this.#active[it.side]++
    return it
  }

  /** Met both sides within a stage: it says nothing about either. */
  #leave(it: Client): void {
    const seen = this.#seen[it.stratum] as Record<Side, number>
    seen[it.side]--
    for (const question of it.failed) this.#questions.get(question)?.forget(it.stratum, it.side)
    it.stratum = NO_LONGER
  }

  #ask(name: string, it: Client): void {
    if (it.failed.has(name)) return
    it.failed.add(name)
    let question = this.#questions.get(name)
    if (question === undefined) this.#questions.set(name, (question = new Question()))
    question.yes(it.stratum, it.side)
  }
}

/** A yes or no of each client. Who has said yes is not asked again. */
export class Question {
  readonly #comparison = new Comparison(ERRORS, OUTAGE)
  readonly #before = sides()
  readonly #now = sides()
  readonly counts = { canary: 0, total: 0, expected: 0 }

  get logE(): number {
    return this.#comparison.logE
  }

  yes(stratum: number, side: Side): void {
    ;(this.#now[stratum] as Record<Side, number>)[side]++
  }

  forget(stratum: number, side: Side): void {
    const before = this.#before[stratum] as Record<Side, number>
    if (before[side] > 0) before[side]--
  }

  begin(): void {
    for (const counts of [...this.#before, ...this.#now]) counts.canary = counts.stable = 0
  }

  /** `seen`: clients of this stage, with those of this block. */
  close(seen: readonly Readonly<Record<Side, number>>[]): boolean {
    let changed = false
    for (let stratum = 0; stratum < STRATA; stratum++) {
      const now = this.#now[stratum] as Record<Side, number>
      if (now.canary + now.stable === 0) continue
      const before = this.#before[stratum] as Record<Side, number>
      const all = seen[stratum] as Readonly<Record<Side, number>>
      const batch = {
        canaryTrials: Math.max(now.canary, all.canary - before.canary),
        stableTrials: Math.max(now.stable, all.stable - before.stable),
        canaryEvents: now.canary,
        stableEvents: now.stable,
      }
      this.#comparison.addRegression(batch)
      this.#comparison.addOutage(batch)
      this.counts.canary += now.canary
      this.counts.total += now.canary + now.stable
      this.counts.expected += ((now.canary + now.stable) * batch.canaryTrials) / (batch.canaryTrials + batch.stableTrials)
      before.canary += now.canary
      before.stable += now.stable
      now.canary = now.stable = 0
      changed = true
    }
    return changed
  }
}

interface Look {
  readonly requests: number
  readonly processes: readonly EProcess[]
  readonly strata: readonly { readonly batcher: Batcher; readonly counts: Counts }[]
}

/** Whether clients are slow by their first requests. */
export class LatencyOfClients {
  readonly #looks: readonly Look[] = LOOKS.map((requests) => ({
    requests,
    processes: QUANTILES.map(() => new EProcess(SLOW_CLIENTS)),
    strata: Array.from({ length: STRATA }, () => ({ batcher: new Batcher(QUANTILES.length, AT_A_TIME), counts: countsFor(QUANTILES.length) })),
  }))
  /** Of each threshold, over all looks: clients. */
  readonly #counts = QUANTILES.map(() => ({ canary: 0, total: 0, expected: 0 }))

  get logE(): number {
    const logs = this.#looks.flatMap(({ requests, processes }) => processes.filter((_, j) => canBeSlow(requests, j)).map((it) => it.logE))
    return logMean(
      logs,
      logs.map(() => 1 / logs.length),
    )
  }

  /** The threshold that says most. */
  get strongest(): number {
    const best = (j: number) => Math.max(...this.#looks.map(({ processes }) => (processes[j] as EProcess).logE))
    return QUANTILES.map((_, j) => j).reduce((a, b) => (best(b) > best(a) ? b : a))
  }

  get counts(): { readonly canary: number; readonly total: number; readonly expected: number } {
    return this.#counts[this.strongest] as { canary: number; total: number; expected: number }
  }

  count(client: Client): void {
    for (; client.looksDone < LOOKS.length && client.timed >= (LOOKS[client.looksDone] as number); client.looksDone++) {
      const { counts } = (this.#looks[client.looksDone] as Look).strata[client.stratum] as { counts: Counts }
      const side = client.side === 'canary' ? 0 : 1
      counts[side] = (counts[side] as number) + 1
      for (let j = 0; j < QUANTILES.length; j++) {
        const place = 2 + 2 * j + side
        if ((client.slow[j] as number) >= leastSlow(client.timed, j)) counts[place] = (counts[place] as number) + 1
      }
    }
  }

  endBlock(fromMs: number, toMs: number, share: number): boolean {
    let told = false
    for (const { processes, strata } of this.#looks) {
      for (const { batcher, counts } of strata) {
        const isComplete = batcher.add(counts, fromMs, toMs, share)
        counts.fill(0)
        if (isComplete) told = this.#take(batcher, processes) || told
      }
    }
    return told
  }

  /** The stage ends: what was begun is a batch. */
  endStage(): void {
    for (const { processes, strata } of this.#looks) for (const { batcher } of strata) this.#take(batcher, processes)
  }

  #take(batcher: Batcher, processes: readonly EProcess[]): boolean {
    let told = false
    batcher.take((counts) => {
      processes.forEach((evidence, j) => {
        const batch = batchOf(counts, j)
        told = evidence.add(batch) || told
        const sums = this.#counts[j] as { canary: number; total: number; expected: number }
        const events = batch.canaryEvents + batch.stableEvents
        sums.canary += batch.canaryEvents
        sums.total += events
        if (events > 0) sums.expected += (events * batch.canaryTrials) / (batch.canaryTrials + batch.stableTrials)
      })
    })
    return told
  }
}

/** A client is slow or not; which is rarer on the stable side than a slow request, and much more frequent where all is slow. */
const SLOW_CLIENTS = { ...SLOW, reference: 1.25 }

function canBeSlow(requests: number, quantile: number): boolean {
  return leastSlow(requests, quantile) <= requests
}

const known = new Map<number, number>()

/** The fewest slow ones of so many requests that the stable side would have with a chance of at most SLOW_CLIENT. */
function leastSlow(requests: number, quantile: number): number {
  const key = requests * QUANTILES.length + quantile
  let least = known.get(key)
  if (least === undefined) {
    const chance = 1 - (QUANTILES[quantile] as number)
    least = 1
    while (least <= requests && betaInc(least, requests - least + 1, chance) > SLOW_CLIENT + 1e-9) least++
    if (requests <= 1000) known.set(key, least)
  }
  return least
}

function overdispersion(clients: readonly Client[], of: (client: Client) => readonly [number, number]): number {
  let events = 0
  let trials = 0
  for (const it of clients) {
    const [own, all] = of(it)
    events += own
    trials += all
  }
  const rate = events / trials
  if (!(rate > 0 && rate < 1)) return 1
  let squares = 0
  for (const it of clients) {
    const [own, all] = of(it)
    squares += (own - all * rate) ** 2
  }
  return Math.max(1, squares / (trials * rate * (1 - rate)))
}

function sides(): Record<Side, number>[] {
  return Array.from({ length: STRATA }, () => ({ canary: 0, stable: 0 }))
}
