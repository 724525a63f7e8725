/** What is seen beside requests: processes that die, error signatures, memory and processor time, the team's own indicators. */
import type { Analysis, Indicator } from './analysis.ts'
import type { Budget } from './budget.ts'
import type { Side, SideEvidence } from './evidence.ts'
import { logMostlyOne } from './one-sided.ts'
import { byChance, count, short } from './sentences.ts'
import { logGamma } from './special.ts'
import type { TestResult } from './verdict.ts'

const MOST_DEATHS = 1
const LEAST_REPLICAS = 3
/** So much more than any stable replica is put up with. */
const USAGE_MARGIN = 1.2
/** Usage changes slowly: so many looks are as good as independent of one another. */
const INDEPENDENT_LOOKS = 100

export interface SideContext {
  readonly analysis: Analysis
  readonly budget: Budget
  /** The largest measured share of the canary so far: what an occurrence falls to it with, at most. */
  shareOf(service: string): number
  decides(indicator: Indicator): boolean | null
}

export function sideTests(side: SideEvidence, context: SideContext): TestResult[] {
  return [
    ...gone(side),
    ...deaths(side, context),
    ...signatures(side, context),
    ...usage('memory', side, context),
    ...usage('cpu', side, context),
    ...custom(side, context),
  ]
}

function gone({ gone: services = [] }: SideEvidence): TestResult[] {
  return services.map((service) => ({
    ...rule(`ready ${service}`, 'readiness', service),
    state: 'fails',
    text: `every replica of ${service} on the canary is gone or unready while requests are routed to it`,
  }))
}

function deaths({ deaths: all, usage: replicas }: SideEvidence, { budget, decides }: SideContext): TestResult[] {
  const of = (side: Side) => all.filter((it) => it.side === side).reduce((sum, it) => sum + atLeastZero(it.count), 0)
  const [canary, stable] = [of('canary'), of('stable')]
  const threshold = budget.ofRelease('restarts')
  const last = all.filter((it) => it.side === 'canary').at(-1)
  const results: TestResult[] = []
  if (canary > MOST_DEATHS && stable === 0) {
    results.push({
      ...rule('crash loop', 'restarts', last?.service ?? null),
      canary,
      total: canary,
      threshold: MOST_DEATHS + 1,
      state: 'fails',
      text: `processes of the canary ended by themselves ${canary} times, of the stable side none: ${last?.cause ?? 'no cause known'}`,
    })
  }
  const decided = decides('restarts')
  if (decided === null) return results
  const share = replicas.length === 0 ? 0.5 : replicas.filter((it) => it.side === 'canary').length / replicas.length
  const logE = logMostlyOne(canary, canary + stable, share)
  const total = canary + stable
  results.push({
    name: 'restarts',
    indicator: 'restarts',
    service: null,
    route: null,
    canary,
    total,
    expected: total * share,
    logE,
    threshold,
    state: logE >= threshold ? 'fails' : 'open',
    dryRun: !decided,
    text: total === 0 ? 'no process ended by itself' : `canary ${canary} of ${count(total, 'restart')}, expected ${short(total * share)}; ${byChance(logE)}`,
  })
  return results
}

function signatures({ signatures: all }: SideEvidence, { budget, shareOf, decides }: SideContext): TestResult[] {
  const decided = decides('signatures')
  if (decided === null) return []
  return all.flatMap(({ signature, service, canary, stable }, order): TestResult[] => {
    if (!(canary > 0) || !(stable >= 0)) return []
    const share = shareOf(service)
    const total = canary + stable
    const logE = logMostlyOne(canary, total, share)
    const threshold = budget.ofSignature(order)
    const seen = stable === 0 ? `new error, ${count(canary, 'time')} on the canary and never on the stable side` : `canary ${canary} of ${count(total, 'time')}`
    return [
      {
        name: `signature ${signature}`,
        indicator: 'signatures',
        service,
        route: null,
        canary,
        total,
        expected: total * share,
        logE,
        threshold,
        state: logE >= threshold ? 'fails' : 'open',
        dryRun: !decided,
        text: `${seen}; ${byChance(logE)}: ${signature}`,
      },
    ]
  })
}

/** The canary's replicas against the stable ones of the same services: fails when each uses more than every stable one, and that was unlikely. */
function usage(indicator: 'memory' | 'cpu', { usage: replicas }: SideEvidence, { budget, decides }: SideContext): TestResult[] {
  const decided = decides(indicator)
  if (decided === null) return []
  const services = [...new Set(replicas.map(({ service }) => service))]
  return services.flatMap((service): TestResult[] => {
    const of = (side: Side) => replicas.filter((it) => it.service === service && it.side === side && it[indicator] >= 0).map((it) => it[indicator])
    const [canary, stable] = [of('canary'), of('stable')]
    if (canary.length === 0 || stable.length === 0) return []
    const enough = canary.length >= LEAST_REPLICAS && stable.length >= LEAST_REPLICAS
    const above = Math.min(...canary) > Math.max(...stable) * USAGE_MARGIN
    const threshold = budget.ofRelease(indicator) + Math.log(INDEPENDENT_LOOKS * services.length)
    const logE = enough && above ? logChoose(canary.length + stable.length, canary.length) : 0
    const ratio = mean(canary) / mean(stable)
    const compared = Number.isFinite(ratio)
      ? `${short(ratio)} times as much ${indicator === 'cpu' ? 'processor time' : 'memory'} a replica as the stable side`
      : 'nothing to compare with'
    const text = enough
      ? `${compared}; ${byChance(logE)}`
      : `${compared}; ${count(Math.min(canary.length, stable.length), 'replica is', 'replicas are')} too few to tell from chance`
    return [
      {
        name: `${indicator} ${service}`,
        indicator,
        service,
        route: null,
        canary: mean(canary),
        total: mean(canary) + mean(stable),
        expected: mean(stable),
        logE,
        threshold,
        state: logE >= threshold ? 'fails' : 'open',
        dryRun: !decided,
        text,
      },
    ]
  })
}

function custom({ custom: values }: SideEvidence, { analysis }: SideContext): TestResult[] {
  return analysis.custom.map(({ name, max, min, dryRun }) => {
    const value = values.find((it) => it.name === name)
    const isOut = (it: number | null | undefined) => typeof it === 'number' && ((max !== null && it > max) || (min !== null && it < min))
    const unread = value === undefined || typeof value.canary !== 'number' || !Number.isFinite(value.canary)
    const limits = [min === null ? null : `at least ${short(min)}`, max === null ? null : `at most ${short(max)}`].filter((it) => it !== null).join(', ')
    const base = { ...rule(name, 'custom', null), dryRun, threshold: max ?? min ?? 0 }
    if (unread) return { ...base, state: 'open', text: `could not be read: ${value?.problem ?? 'no value'}` }
    const canary = value.canary as number
    const both = isOut(value.stable)
    const state = isOut(canary) ? (both ? 'open' : 'fails') : 'passes'
    const known = { ...base, canary, expected: typeof value.stable === 'number' && Number.isFinite(value.stable) ? value.stable : 0 }
    return {
      ...known,
      state,
      text: `${short(canary)} (${limits})${isOut(canary) && both ? `; the stable side is out as well, with ${short(value.stable as number)}` : ''}`,
    }
  })
}

/** Without chance. */
export function rule(name: string, indicator: string, service: string | null): Omit<TestResult, 'state' | 'text'> {
  return { name, indicator, service, route: null, canary: 0, total: 0, expected: 0, logE: null, threshold: 0, dryRun: false }
}

function atLeastZero(value: number): number {
  return value > 0 && Number.isFinite(value) ? value : 0
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, it) => sum + it, 0) / values.length
}

function logChoose(all: number, some: number): number {
  return logGamma(all + 1) - logGamma(some + 1) - logGamma(all - some + 1)
}
