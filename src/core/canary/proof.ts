/**
 * A pass is a proof of its own, not the absence of an alarm: of every service that was changed, further errors and slower answers by more than
 * is put up with are excluded; each answers, each replica answers, and nothing that was counted is in doubt.
 */
import type { Analysis } from './analysis.ts'
import { PROOF_QUANTILE, type SideEvidence } from './evidence.ts'
import { exclusionRate } from './exclusion.ts'
import type { Ledger } from './ledger.ts'
import { sampleRatio } from './sample-ratio.ts'
import { asked, byChance, count, duration, percent } from './sentences.ts'
import { type ProofLimits, type ServiceTests } from './service-tests.ts'
import { ERRORS, REQUESTS, SLOW, TIMED } from './tally.ts'

/** Chance that a canary that is worse by what a pass excludes passes. */
const MISTAKEN_PASS = 0.05
const STALE_MS = 30_000
/** What a pass excludes, in margins: 0.2 percentage points of errors are put up with, 0.5 excluded. */
const EXCLUDED_MARGINS = 2.5

export function proofLimits({ margins }: Analysis): ProofLimits {
  return { errors: EXCLUDED_MARGINS * margins.errors, slow: Math.min(5, 1 + EXCLUDED_MARGINS * margins.latency), enough: -Math.log(MISTAKEN_PASS) }
}

export interface Missing {
  readonly reason: string
  /** Seconds at the present rate; null: not known, or never. */
  readonly needsS: number | null
}

/** What a pass is still without; null: nothing. */
export function missingForPass(ledger: Ledger, side: SideEvidence, nowMs: number, limits: ProofLimits): Missing | null {
  return inDoubt(ledger, side, nowMs) ?? unproven(ledger, limits)
}

/** The same as a yes or no. */
export function passes(ledger: Ledger, side: SideEvidence, nowMs: number, limits: ProofLimits): boolean {
  const isProven = (service: ServiceTests | undefined) =>
    service !== undefined && hasNoMoreErrors(ledger, service, limits) && isNotSlower(ledger, service, limits)
  return ledger.proving.every((name) => isProven(ledger.services.get(name))) && inDoubt(ledger, side, nowMs) === null
}

export function hasNoMoreErrors(ledger: Ledger, { noMoreErrors }: ServiceTests, { enough }: ProofLimits): boolean {
  return ledger.decides('errors') === null || noMoreErrors.logE >= enough * ledger.dispersion.errors
}

export function isNotSlower(ledger: Ledger, { notSlower }: ServiceTests, { enough }: ProofLimits): boolean {
  return ledger.decides('latency') === null || notSlower.logE >= enough * ledger.dispersion.slow
}

function inDoubt(ledger: Ledger, side: SideEvidence, nowMs: number): Missing | null {
  const never = (reason: string): Missing => ({ reason, needsS: null })
  if (ledger.broken > 0) return never(`${count(ledger.broken, 'count')} that cannot be true: nothing passes on them`)
  if (ledger.countsDisagree) return never('requests by route and by replica disagree: nothing passes on them')
  if (ledger.blocks === 0 || ledger.proving.length === 0) return never('nothing was counted')
  for (const service of ledger.proving) {
    const answers = ledger.services.get(service)?.tally.count('canary', REQUESTS) ?? 0
    if (answers === 0) return never(`no answer of ${service} on the canary was seen`)
    const wanted = ledger.options.replicas[service] ?? 1
    const answering = ledger.presence.answering(service, wanted)
    if (answering < wanted) return never(`${wanted - answering} of ${count(wanted, 'replica')} of ${service} on the canary silent`)
  }
  if (!(nowMs - ledger.lastMs <= STALE_MS)) return never(`the last counts are ${duration((nowMs - ledger.lastMs) / 1000)} old`)
  const ratio = measuredRatio(ledger)
  if (ratio.isBroken) return never(`routing: the canary has ${percent(ratio.share)}, not ${percent(ledger.weight ?? 0)}`)
  if (side.deaths.some((it) => it.side === 'canary' && it.count > 0)) return never('a process of the canary ended by itself')
  const unread = ledger.analysis.custom.find(
    (it) => !it.dryRun && !side.custom.some(({ name, canary }) => name === it.name && typeof canary === 'number' && Number.isFinite(canary)),
  )
  if (unread !== undefined) return never(`${unread.name} could not be read`)
  const [suspicion] = ledger.suspicions
  if (suspicion !== undefined) return never(`in suspicion: ${suspicion.name}, ${byChance(suspicion.logE())}`)
  return null
}

export function measuredRatio(ledger: Ledger) {
  const { canary, stable } = ledger.drawn
  return sampleRatio(canary, canary + stable, ledger.weight ?? 0)
}

function unproven(ledger: Ledger, limits: ProofLimits): Missing | null {
  let missing: Missing | null = null
  for (const name of ledger.proving) {
    const service = ledger.services.get(name)
    if (service === undefined) continue
    for (const next of [errorsMissing(ledger, service, limits), latencyMissing(ledger, service, limits)]) {
      if (next === null) continue
      if (missing === null || (next.needsS ?? Number.POSITIVE_INFINITY) > (missing.needsS ?? Number.POSITIVE_INFINITY)) missing = next
    }
  }
  return missing
}

function errorsMissing(ledger: Ledger, its: ServiceTests, limits: ProofLimits): Missing | null {
  if (hasNoMoreErrors(ledger, its, limits)) return null
  const { service, tally, noMoreErrors } = its
  const { errors, enough } = limits
  const [canary, stable] = [tally.count('canary', REQUESTS), tally.count('stable', REQUESTS)]
  const [canaryErrors, stableErrors] = [tally.count('canary', ERRORS), tally.count('stable', ERRORS)]
  const pooled = (canaryErrors + stableErrors + 0.05) / (canary + stable + 50)
  const rate = exclusionRate((canaryErrors + 50 * pooled) / (canary + 50), (stableErrors + 50 * pooled) / (stable + 50), errors, canary / (canary + stable))
  const needsS = secondsFor(ledger, enough * ledger.dispersion.errors - noMoreErrors.logE, rate, canary + stable)
  return { reason: `that ${service} has not ${percent(errors)} more errors is not proven yet`, needsS }
}

function latencyMissing(ledger: Ledger, its: ServiceTests, limits: ProofLimits): Missing | null {
  if (isNotSlower(ledger, its, limits)) return null
  const { service, tally, notSlower } = its
  const { slow, enough } = limits
  const [canary, stable] = [tally.count('canary', TIMED), tally.count('stable', TIMED)]
  if (canary === 0 || stable === 0) return { reason: `there is no latency of ${service} to compare yet`, needsS: null }
  const [canarySlow, stableSlow] = [tally.count('canary', SLOW + PROOF_QUANTILE), tally.count('stable', SLOW + PROOF_QUANTILE)]
  const share = canary / (canary + stable)
  const stableRate = (stableSlow + 1) / (stable + 10)
  const ratio = (canarySlow + 50 * stableRate) / (canary + 50) / stableRate
  const among = (odds: number) => (share * odds) / (share * odds + 1 - share)
  const rate = ratio >= slow ? 0 : ((canarySlow + stableSlow) / (canary + stable)) * divergence(among(ratio), among(slow))
  const needsS = secondsFor(ledger, enough * ledger.dispersion.slow - notSlower.logE, rate, canary + stable)
  return { reason: `that ${service} has not ${asked(slow)} times as many slow requests is not proven yet`, needsS }
}

function secondsFor({ firstMs, lastMs }: Ledger, evidence: number, perTrial: number, trials: number): number | null {
  const perSecond = (perTrial * trials * 1000) / (lastMs - firstMs)
  const seconds = evidence / perSecond
  return seconds > 0 && Number.isFinite(seconds) ? Math.ceil(seconds) : null
}

function divergence(p: number, q: number): number {
  return p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q))
}
