/** The verdict on what was counted. */
import type { Analysis } from './analysis.ts'
import type { EvidenceBlock, SideEvidence, Thresholds } from './evidence.ts'
import { type JudgeOptions, Ledger } from './ledger.ts'
import { hasNoMoreErrors, isNotSlower, measuredRatio, missingForPass, passes, proofLimits } from './proof.ts'
import { asked, byChance, count, duration, grouped, percent, short } from './sentences.ts'
import type { SequentialTest } from './sequential-test.ts'
import type { ProofLimits } from './service-tests.ts'
import { rule, sideTests } from './side-tests.ts'
import { REQUESTS } from './tally.ts'
import type { TestResult, Verdict } from './verdict.ts'

export interface Judge {
  /** Blocks in the order in which they were stored. One that comes twice counts once. */
  add(block: EvidenceBlock): void
  /** Frozen thresholds of routes that had none. */
  learn(thresholds: Thresholds): void
  /** Only which verdict it is: for those who look often. */
  look(side: SideEvidence, nowMs: number): Verdict['kind']
  verdict(side: SideEvidence, nowMs: number): Verdict
}

/**
 * Looks may be as frequent as one likes: the chance that a canary without a fault ever fails is at most `analysis.falseAlarm`.
 * ```ts
 * const judge = createJudge(STANDARD_ANALYSIS, { unit: 'request', designEffect: 1, changed: ['web'], replicas: { web: 1 }, thresholds: {} })
 * for (const block of blocks) judge.add(block)
 * judge.verdict(NOTHING_BESIDE, nowMs).text // "canary 6 of 7 errors, expected 0.7; by chance 1 in 52,000; GET /pay worst"
 * ```
 */
export function createJudge(analysis: Analysis, options: JudgeOptions): Judge {
  const limits = proofLimits(analysis)
  const ledger = new Ledger(analysis, options, limits)
  return {
    add: (block) => ledger.add(block),
    learn: (thresholds) => ledger.learn(thresholds),
    look: (side, nowMs) => look(ledger, limits, side, nowMs),
    verdict: (side, nowMs) => verdict(ledger, limits, side, nowMs),
  }
}

/** No deaths, no signatures, no usage: what `SideEvidence` is where only requests are judged. */
export const NOTHING_BESIDE: SideEvidence = { deaths: [], signatures: [], usage: [], custom: [] }

function look(ledger: Ledger, limits: ProofLimits, side: SideEvidence, nowMs: number): Verdict['kind'] {
  if (anyFails(ledger) || besides(ledger, side).some(isFailing)) return 'fail'
  return passes(ledger, side, nowMs, limits) ? 'pass' : 'inconclusive'
}

function anyFails(ledger: Ledger): boolean {
  for (const test of ledger.alarms) if (test.isBeyondMargin()) return true
  return false
}

function verdict(ledger: Ledger, limits: ProofLimits, side: SideEvidence, nowMs: number): Verdict {
  const tests = [...besides(ledger, side), ...ledger.tests.map((test) => resultOf(ledger, limits, test)), ratioTest(ledger)].sort(byStrength)
  const unproven = routesWithoutProof(ledger, limits)
  const busiest = ledger.busiest?.tally
  const counted =
    ledger.clients === null
      ? { canary: busiest?.count('canary', REQUESTS) ?? 0, stable: busiest?.count('stable', REQUESTS) ?? 0, unit: 'requests' as const }
      : { ...ledger.countedInStage, unit: 'clients' as const }
  const common = { tests, unproven, share: ledger.share, counted }
  const failing = tests.find(isFailing)
  if (failing !== undefined) return { kind: 'fail', text: failureText(failing, tests), needsS: null, ...common }
  const missing = missingForPass(ledger, side, nowMs, limits)
  if (missing === null) {
    const proof = `${percent(limits.errors)} more errors and ${asked(limits.slow)} times as many slow requests are excluded`
    return { kind: 'pass', text: `${proof} after ${count(busiest?.count('canary', REQUESTS) ?? 0, 'request')} on the canary`, needsS: null, ...common }
  }
  const time = missing.needsS === null ? '' : `; about ${duration(missing.needsS)} more at this rate`
  return { kind: 'inconclusive', text: `${missing.reason}${time}`, needsS: missing.needsS, ...common }
}

function besides(ledger: Ledger, side: SideEvidence): TestResult[] {
  const { analysis, budget } = ledger
  const context = { analysis, budget, shareOf: (service: string) => ledger.shareOf(service), decides: ledger.decides.bind(ledger) }
  return [...silences(ledger), ...sideTests(side, context)]
}

function silences({ services }: Ledger): TestResult[] {
  return [...services.values()].flatMap(({ service, silence: { unanswered } }): TestResult[] => {
    if (unanswered === null) return []
    const text = `${grouped(unanswered)} requests in a row were sent to ${service} on the canary and none was answered; the stable side answers`
    return [{ ...rule(`answers ${service}`, 'answers', service), canary: unanswered, total: unanswered, state: 'fails', text }]
  })
}

function resultOf(ledger: Ledger, limits: ProofLimits, test: SequentialTest): TestResult {
  const { name, indicator, service, route, threshold, dryRun } = test
  const { canary, total, expected, of } = test.counts()
  const logE = test.logE()
  const fails = logE >= threshold && test.isBeyondMargin()
  const state = fails ? 'fails' : isProven(ledger, limits, test) ? 'passes' : 'open'
  const text = total === 0 ? `no ${of}` : `canary ${grouped(canary)} of ${grouped(total)} ${of}, expected ${short(expected)}; ${byChance(logE)}`
  return { name, indicator, service, route, canary, total, expected, logE, threshold, state, dryRun, text }
}

function isProven(ledger: Ledger, limits: ProofLimits, { indicator, service, route }: SequentialTest): boolean {
  const its = service === null ? ledger.busiest : ledger.services.get(service)
  if (route !== null || its === undefined || its === null) return false
  if (indicator === 'errors') return hasNoMoreErrors(ledger, its, limits)
  return indicator === 'latency' && isNotSlower(ledger, its, limits)
}

/** Never fails: routing is not the canary's. */
function ratioTest(ledger: Ledger): TestResult {
  const { canary, stable } = ledger.drawn
  const { logE, threshold, isBroken } = measuredRatio(ledger)
  const expected = (canary + stable) * (ledger.weight ?? ledger.share ?? 0)
  const text = isBroken
    ? `routing is broken: canary ${grouped(canary)} of ${grouped(canary + stable)}, expected ${short(expected)}`
    : `canary ${grouped(canary)} of ${grouped(canary + stable)} ${ledger.clients === null ? 'requests' : 'clients'}, expected ${short(expected)}`
  return { ...rule('sample ratio', 'routing', null), canary, total: canary + stable, expected, logE, threshold, state: 'open', text }
}

function routesWithoutProof(ledger: Ledger, { errors, enough }: ProofLimits): string[] {
  return [...ledger.services.values()].flatMap(({ service, routes }) =>
    [...routes.values()].filter(({ tally }) => tally.count('canary', REQUESTS) * errors < enough).map(({ route }) => `${service} ${route}`),
  )
}

function failureText(failing: TestResult, tests: readonly TestResult[]): string {
  const worst = tests
    .filter(
      ({ route, indicator, service, logE }) =>
        route !== null && indicator === failing.indicator && (failing.service === null || service === failing.service) && (logE ?? 0) > 1,
    )
    .sort((a, b) => (b.logE ?? 0) - (a.logE ?? 0))[0]
  if (failing.route !== null) return `${failing.text}; ${failing.service} ${failing.route}`
  return worst === undefined ? failing.text : `${failing.text}; ${worst.route} worst`
}

function isFailing({ state, dryRun }: TestResult): boolean {
  return state === 'fails' && !dryRun
}

/** What fails first; rules without chance before all; then by how much evidence is there of what is needed. */
function byStrength(a: TestResult, b: TestResult): number {
  const rank = (it: TestResult) => (it.state !== 'fails' ? 2 : it.dryRun ? 1 : 0)
  const strength = (it: TestResult) => (it.logE === null ? (it.state === 'fails' ? Number.POSITIVE_INFINITY : 0) : it.logE - it.threshold)
  return rank(a) - rank(b) || (strength(b) > strength(a) ? 1 : strength(b) < strength(a) ? -1 : 0)
}
