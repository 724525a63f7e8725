import { DesignEffect } from '../core/canary/design-effect.ts'
import type { Side, SideEvidence } from '../core/canary/evidence.ts'
import { createJudge, type Judge } from '../core/canary/judge.ts'
import type { Verdict } from '../core/canary/verdict.ts'
import type { Clock } from '../core/model/world.ts'
import type { Seen } from '../core/plan/seen.ts'
import type { Judgement } from '../core/rollout/findings.ts'
import { REQUESTS_BEFORE, REQUESTS_DURING, thresholdsOf } from '../core/rollout/thresholds.ts'
import { type Beside, type BesideEvidence, NOTHING_BESIDE } from './beside.ts'
import { type EnvironmentRecord, EVIDENCE_AT_ONCE, type Journal, type Look, type Rules, type TrialSummary } from './journal.ts'
import { type Judged, judgedIn } from './judged.ts'

/** How often something that is judged is looked at, though evidence that comes in is looked at when it comes. */
export const LOOK_MS = 500
const BESIDE_EVERY_MS = 1_000
const THRESHOLDS_EVERY_MS = 5_000
/** How far back latencies go that thresholds are made of. */
const HISTORY_MS = 15 * 60_000
/** A runner that starts again takes its replicas over within this. */
const GONE_MS = 3_000
/** A look that says nothing new is stored so often, for people to see. */
const STORED_EVERY_MS = 2_000
const TRIAL_STORED_EVERY_MS = 30_000

export interface JudgingPorts {
  readonly journal: Journal
  readonly beside: Beside
  readonly clock: Clock
  /** Something is judged from now on: whoever takes counters has to hurry. */
  readonly hurry: () => void
}

/** What a look found out, and what of it is worth being stored with the pass. */
export interface Found {
  readonly judgement: Judgement | null
  /** null: nothing new since the last one that was stored. */
  readonly look: Look | null
  readonly trials: readonly TrialSummary[]
}

const NOTHING_FOUND: Found = { judgement: null, look: null, trials: [] }

/**
 * The judges of all that is judged just now, one an environment. Each is a fold over the stored evidence that goes on from its cursor; it is
 * kept in memory only, because whoever folds the same blocks again has the same judge.
 *
 * @example const { judgement } = await judges.look(record, seen)
 */
export class Judges {
  readonly #ports: JudgingPorts
  readonly #cases = new Map<string, Case>()

  constructor(ports: JudgingPorts) {
    this.#ports = ports
  }

  /** Whether counters are to be taken often. */
  get isBusy(): boolean {
    return this.#cases.size > 0
  }

  async look(record: EnvironmentRecord, seen: Seen): Promise<Found> {
    const judged = judgedIn(record, this.#ports.journal.now())
    const before = this.#cases.get(record.id)
    const over = before && before.key !== judged?.key ? before.close() : []
    if (over.length > 0 || !judged) this.#cases.delete(record.id)
    if (!judged) return { ...NOTHING_FOUND, trials: over }
    const found = await (await this.#caseOf(record, judged)).look(record, judged, seen)
    return { ...found, trials: [...over, ...found.trials] }
  }

  /** The pass that brought `found` is saved. */
  stored(environment: string, { look, trials }: Found): void {
    if (look || trials.length > 0) this.#cases.get(environment)?.stored()
  }

  async #caseOf(record: EnvironmentRecord, judged: Judged): Promise<Case> {
    const present = this.#cases.get(record.id)
    if (present?.key === judged.key) return present
    const earlier = await this.#ports.journal.loadLook(record.id, judged.id)
    const fresh = new Case(this.#ports, record, judged, earlier)
    if (!this.isBusy) this.#ports.hurry()
    this.#cases.set(record.id, fresh)
    return fresh
  }
}

/** One rollout, its copies or one trial, from its first look to its last. */
class Case {
  readonly key: string
  readonly #ports: JudgingPorts
  readonly #id: string
  readonly #isTrial: boolean
  readonly #judge: Judge
  /** Frozen with the first look, but for the thresholds. */
  #rules: Rules
  readonly #effect = new DesignEffect()
  /** How often processes of the stable side had ended before the first look: that is nobody's doing. */
  readonly #deathsBefore: Readonly<Record<string, number>>
  #cursor = 0
  #thresholds: Judgement['thresholds'] = {}
  #thresholdsAtMs = Number.NEGATIVE_INFINITY
  #beside: BesideEvidence = NOTHING_BESIDE
  #besideAtMs = Number.NEGATIVE_INFINITY
  #isAsking = false
  readonly #goneSinceMs = new Map<string, number>()
  #storedAtMs = Number.NEGATIVE_INFINITY
  #storedKind: Verdict['kind'] | null = null
  #newest: Verdict | null = null
  #trial: TrialSummary | null = null

  constructor(ports: JudgingPorts, record: EnvironmentRecord, judged: Judged, earlier: Look | null) {
    this.#ports = ports
    this.key = judged.key
    this.#id = judged.id
    this.#isTrial = judged.kind === 'trial'
    this.#rules = earlier?.isSplit === judged.isSplit ? earlier.rules : judged.rules
    this.#judge = createJudge(this.#rules.analysis, this.#rules)
    this.#deathsBefore = earlier?.deathsBefore ?? deathsOf(record)
    this.#storedKind = earlier?.verdict.kind ?? null
    if (this.#isTrial) this.#trial = { id: judged.id, release: judged.release, requests: 0, maxLogE: 0, alarm: false, designEffect: 1, ended: false }
  }

  async look(record: EnvironmentRecord, judged: Judged, seen: Seen): Promise<Found> {
    await this.#makeThresholds(record, judged)
    if (!judged.isCounted) return { ...NOTHING_FOUND, judgement: { rollout: this.#id, verdict: null, cursor: this.#cursor, thresholds: this.#thresholds } }
    await this.#fold(record, judged)
    this.#askBeside(record, judged)
    const at = this.#ports.clock.wall()
    const side = this.#side(record, judged, seen)
    this.#rules = { ...this.#rules, thresholds: judged.rules.thresholds }
    this.#judge.learn(judged.rules.thresholds)
    const verdict = this.#judge.verdict(side, at)
    this.#newest = verdict
    const judgement = { rollout: this.#id, verdict, cursor: this.#cursor, thresholds: this.#thresholds }
    const trials = this.#trialSoFar(verdict)
    const look = { verdict, rules: this.#rules, isSplit: judged.isSplit, cursor: this.#cursor, side, at, deathsBefore: this.#deathsBefore }
    return { judgement, look: !this.#isTrial && this.#isDue(verdict) ? look : null, trials }
  }

  stored(): void {
    this.#storedAtMs = this.#ports.clock.monotonic()
    this.#storedKind = this.#newest?.kind ?? null
  }

  /** The last word of a trial; a rollout has it in its history. */
  close(): readonly TrialSummary[] {
    return this.#trial === null ? [] : [{ ...this.#trial, ended: true }]
  }

  async #fold(record: EnvironmentRecord, judged: Judged): Promise<void> {
    for (;;) {
      const blocks = await this.#ports.journal.loadEvidence(record.id, this.#id, this.#cursor)
      for (const { seq, block } of blocks) {
        this.#cursor = seq
        if (block.stage > 0 !== judged.isSplit) continue
        this.#judge.add(block)
        if (this.#isTrial) this.#effect.add(block)
      }
      if (blocks.length < EVIDENCE_AT_ONCE) return
    }
  }

  /** Before requests are split: of what serves. From then on: of routes that had too few, by what the stable side did meanwhile. */
  async #makeThresholds(record: EnvironmentRecord, judged: Judged): Promise<void> {
    const nowMs = this.#ports.clock.monotonic()
    if (this.#isTrial || nowMs - this.#thresholdsAtMs < THRESHOLDS_EVERY_MS) return
    this.#thresholdsAtMs = nowMs
    const withinMs = judged.isCounted ? judged.sinceMs : HISTORY_MS
    const latencies = await this.#ports.journal.loadLatencies(record.id, Math.min(withinMs, HISTORY_MS))
    const stable = Object.fromEntries(judged.services.flatMap((it) => (it.stable === null ? [] : [[it.service, it.stable]])))
    this.#thresholds = thresholdsOf(latencies, stable, judged.isCounted ? REQUESTS_DURING : REQUESTS_BEFORE)
  }

  /** Nothing waits for the answer: until it comes, what was known last counts. */
  #askBeside(record: EnvironmentRecord, judged: Judged): void {
    const nowMs = this.#ports.clock.monotonic()
    if (this.#isTrial || this.#isAsking || nowMs - this.#besideAtMs < BESIDE_EVERY_MS) return
    this.#isAsking = true
    this.#besideAtMs = nowMs
    const { id, tenant, app, environment, appNumber } = record
    const { services, replicas, sinceMs, rules } = judged
    const request = { id, tenant, app, environment, appNumber, rollout: this.#id, sinceMs, unit: rules.unit, services, replicas, custom: rules.analysis.custom }
    void this.#ports.beside
      .sideEvidence(request)
      .then((answer) => {
        this.#beside = answer
      })
      .catch(() => {}) // absent is neither bad nor good
      .finally(() => {
        this.#isAsking = false
      })
  }

  #side(record: EnvironmentRecord, judged: Judged, seen: Seen): SideEvidence {
    const { replicas } = judged
    const deaths = replicas.flatMap(({ id, service, side }) => {
      const died = record.state.replicas[id]?.died
      const count = (died?.count ?? 0) - (side === 'stable' ? (this.#deathsBefore[id] ?? 0) : 0)
      return died && count > 0 ? [{ service, replica: id, side, count, cause: died.cause }] : []
    })
    return { deaths, gone: this.#goneFor(record, judged, seen), ...this.#beside }
  }

  /** Services that have no ready replica on the canary and one on the stable side, for longer than a look may be wrong. */
  #goneFor({ state }: EnvironmentRecord, { services, replicas, isSplit }: Judged, seen: Seen): readonly string[] {
    const nowMs = this.#ports.clock.monotonic()
    const isServed = (service: string, side: Side) =>
      replicas.some((it) => it.service === service && it.side === side && !state.replicas[it.id]?.retired && seen.replicas.get(it.id)?.phase === 'ready')
    return services.flatMap(({ service, stable }) => {
      if (!isSplit || isServed(service, 'canary') || (stable !== null && !isServed(service, 'stable'))) {
        this.#goneSinceMs.delete(service)
        return []
      }
      const sinceMs = this.#goneSinceMs.get(service) ?? nowMs
      this.#goneSinceMs.set(service, sinceMs)
      return nowMs - sinceMs >= GONE_MS ? [service] : []
    })
  }

  #isDue({ kind }: Verdict): boolean {
    return kind !== this.#storedKind || this.#ports.clock.monotonic() - this.#storedAtMs >= STORED_EVERY_MS
  }

  #trialSoFar(verdict: Verdict): readonly TrialSummary[] {
    if (this.#trial === null) return []
    const nowMs = this.#ports.clock.monotonic()
    this.#trial = {
      ...this.#trial,
      requests: verdict.counted.canary + verdict.counted.stable,
      maxLogE: Math.max(this.#trial.maxLogE, ...verdict.tests.flatMap((it) => (it.logE === null ? [] : [it.logE]))),
      alarm: this.#trial.alarm || verdict.kind === 'fail',
      designEffect: this.#effect.value,
    }
    if (nowMs - this.#storedAtMs < TRIAL_STORED_EVERY_MS) return []
    return [this.#trial]
  }
}

function deathsOf({ state }: EnvironmentRecord): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(state.replicas).flatMap(([id, { died }]) => (died ? [[id, died.count]] : [])))
}
