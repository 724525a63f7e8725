import type {
  AnalysisPolicy,
  CanaryStep,
  IndicatorName,
  OnInconclusive,
  ReleaseChecks,
  ReleasePolicy,
  ShadowPolicy,
  Split,
  Strategy,
} from '../model/app-graph.ts'
import type { Check } from './check.ts'
import { customIndicators } from './custom-indicators.ts'
import { nearest } from './nearest.ts'
import type { ServiceDocument } from './schema.ts'
import type { Path } from './tree.ts'

const MINUTE_MS = 60_000
export const RELEASE_DEFAULTS = {
  keepMs: 5 * MINUTE_MS,
  steps: [{ weight: 5 }, { weight: 25 }, { weight: 50 }],
  /** As core/canary has it; a test holds the two together. */
  analysis: {
    falseAlarm: 0.01,
    margins: { errors: 0.002, latency: 0.1 },
    routes: 'auto',
    compare: ['errors', 'latency', 'signatures', 'throughput', 'restarts', 'memory', 'cpu'],
    dryRun: ['rejected'],
    custom: [],
  },
  shadow: { share: 0.1, methods: ['GET', 'HEAD', 'OPTIONS'], diff: false, atMostMs: 30 * MINUTE_MS, then: 'stop' },
  checks: { before: 'auto', after: { forMs: 2 * MINUTE_MS, errors: 0.05 } },
} as const satisfies { analysis: AnalysisPolicy; shadow: ShadowPolicy; checks: ReleaseChecks; steps: readonly CanaryStep[]; keepMs: number }

export type ReleaseDocument = NonNullable<ServiceDocument['release']>
interface Own {
  readonly hasVolume: boolean
  readonly probes: readonly string[]
}

/** Which strategies a key is a word about. */
const BELONGS = {
  steps: ['canary', 'shadow'],
  split: ['canary', 'shadow'],
  analysis: ['canary', 'shadow'],
  on_inconclusive: ['canary', 'shadow'],
  shadow: ['shadow'],
  checks: ['blue-green'],
} as const

export function releaseOf(document: ReleaseDocument, { hasVolume, probes }: Own, path: Path, check: Check): ReleasePolicy {
  const strategy = document.strategy ?? (hasVolume ? 'recreate' : 'rolling')
  if (hasVolume && strategy !== 'recreate')
    check.problem(
      [...path, 'strategy'],
      `a service with a volume cannot be released by \`${strategy}\`: two releases would write to the same files`,
      'write strategy: recreate',
    )
  if (!check.broken([...path, 'strategy'])) misplaced(document, strategy, path, check)
  const shadow = strategy === 'shadow' ? shadowOf(document.shadow ?? {}) : null
  const isSplit = strategy === 'canary' || shadow?.then === 'canary'
  const analysis = strategy === 'canary' || strategy === 'shadow' ? analysisOf(document.analysis ?? {}, [...path, 'analysis'], check) : undefined
  if (analysis === null) withoutJudge(document, strategy, path, check)
  return {
    strategy,
    steps: isSplit ? stepsOf(document.steps, analysis !== null, [...path, 'steps'], check) : [],
    split: splitOf(document.split, [...path, 'split'], check),
    keepMs: document.keep ?? RELEASE_DEFAULTS.keepMs,
    ...(analysis === undefined ? {} : { analysis }),
    ...(document.on_inconclusive === undefined ? {} : { onInconclusive: inconclusiveOf(document.on_inconclusive) }),
    ...(shadow === null ? {} : { shadow }),
    ...(strategy === 'blue-green' ? { checks: checksOf(document.checks ?? {}, probes, [...path, 'checks'], check) } : {}),
  }
}

function misplaced(document: ReleaseDocument, strategy: Strategy, path: Path, check: Check): void {
  for (const [key, strategies] of Object.entries(BELONGS) as [keyof typeof BELONGS, readonly Strategy[]][]) {
    if (document[key] === undefined || strategies.includes(strategy)) continue
    const first = strategies[0] as Strategy
    check.problem([...path, key], `\`${key}\` belongs to a ${first}`, `add strategy: ${first}`)
  }
  const becomesCanary = document.shadow?.then === 'canary'
  if (strategy === 'shadow' && !becomesCanary && !check.broken([...path, 'shadow']))
    for (const key of ['steps', 'split', 'on_inconclusive'] as const)
      if (document[key] !== undefined) check.problem([...path, key], `\`${key}\` belongs to a shadow that becomes a canary`, 'add shadow: { then: canary }')
}

/** Nobody judges: each step is a person's, and what only a verdict could decide is no use. */
function withoutJudge(document: ReleaseDocument, strategy: Strategy, path: Path, check: Check): void {
  if (strategy === 'shadow') check.problem([...path, 'analysis'], 'a shadow without analysis shows nothing: its answers are only compared', 'take it out')
  if (document.on_inconclusive !== undefined)
    check.problem([...path, 'on_inconclusive'], '`on_inconclusive` needs a judge, and `analysis` is off', 'take one of them out')
  for (const [index, step] of (document.steps ?? []).entries()) {
    if (typeof step === 'number') continue
    for (const key of ['at_least', 'at_most'] as const)
      if (step[key] !== undefined)
        check.problem(
          [...path, 'steps', index, key],
          `\`${key}\` needs a judge, and \`analysis\` is off`,
          'take it out: the step waits for `weir canary resume`',
        )
    if (step.approve === false)
      check.problem([...path, 'steps', index, 'approve'], 'without analysis every step waits for a person', 'take out `approve: false`, or `analysis: off`')
  }
}

function stepsOf(documents: ReleaseDocument['steps'], isJudged: boolean, path: Path, check: Check): readonly CanaryStep[] {
  if (documents === undefined) return RELEASE_DEFAULTS.steps
  let before = 0
  return documents.map((document, index): CanaryStep => {
    const at: Path = [...path, index]
    const { weight: share, at_least: atLeastMs, at_most: atMostMs, approve } = typeof document === 'number' ? { weight: document } : document
    const weight = Math.round(share * 1e7) / 1e5
    if (weight <= before) check.problem(at, weight === 0 ? 'a step of 0 % sends nothing' : `steps must rise: ${weight} % comes after ${before} %`, null)
    if (weight === 100 && isJudged)
      check.problem(at, 'at 100 % nothing is left to compare with', 'end with a smaller share: what is proven there gets all requests by itself')
    if (atLeastMs !== undefined && atMostMs !== undefined && atLeastMs > atMostMs)
      check.problem([...at, 'at_most'], '`at_most` is shorter than `at_least`', 'a verdict cannot be late before it may be acted on')
    before = weight
    if (!isJudged) return { weight }
    return {
      weight,
      ...(atLeastMs === undefined ? {} : { atLeastMs }),
      ...(atMostMs === undefined ? {} : { atMostMs }),
      ...(approve === undefined ? {} : { approve }),
    }
  })
}

function splitOf(document: ReleaseDocument['split'], path: Path, check: Check): Split | null {
  if (document === undefined) return null
  const chosen = (['by', 'header', 'cookie'] as const).filter((key) => document[key] !== undefined)
  if (chosen.length > 1) check.problem([...path, chosen[1]!], `\`${chosen[0]}\` and \`${chosen[1]}\` exclude each other`, 'keep one of them')
  if (chosen.length === 0 && !check.broken(path))
    check.problem(path, '`split` says nothing', 'write `by: request`, `by: client`, `header: NAME` or `cookie: NAME`')
  if (document.header !== undefined) return { by: 'header', name: document.header }
  if (document.cookie !== undefined) return { by: 'cookie', name: document.cookie }
  return document.by ? { by: document.by } : null
}

/** null: off. What is only shown decides nothing, and the other way round. */
function analysisOf(document: NonNullable<ReleaseDocument['analysis']>, path: Path, check: Check): AnalysisPolicy | null {
  if (document === 'off') return null
  const standard: AnalysisPolicy = RELEASE_DEFAULTS.analysis
  for (const [index, name] of (document.dry_run ?? []).entries())
    if (document.compare?.includes(name))
      check.problem([...path, 'dry_run', index], `\`${name}\` is in \`compare\` too`, 'an indicator decides, or is only shown')
  const without = (names: readonly IndicatorName[], other: readonly IndicatorName[] | undefined) => names.filter((it) => !other?.includes(it))
  return {
    falseAlarm: document.false_alarm ?? standard.falseAlarm,
    margins: { errors: document.margins?.errors ?? standard.margins.errors, latency: document.margins?.latency ?? standard.margins.latency },
    routes: document.routes ?? standard.routes,
    compare: document.compare ? once(document.compare) : without(standard.compare, document.dry_run),
    dryRun: document.dry_run ? once(document.dry_run) : without(standard.dryRun, document.compare),
    custom: customIndicators(document.custom ?? [], [...path, 'custom'], check),
  }
}

function once<T>(names: readonly T[]): readonly T[] {
  return [...new Set(names)]
}

function inconclusiveOf(document: NonNullable<ReleaseDocument['on_inconclusive']>): OnInconclusive {
  return typeof document === 'string' ? { kind: document } : { kind: 'promote-after', afterMs: document['promote-after'] }
}

function shadowOf({ share, methods, diff, at_most: atMostMs, then }: NonNullable<ReleaseDocument['shadow']>): ShadowPolicy {
  const standard = RELEASE_DEFAULTS.shadow
  return {
    share: share ?? standard.share,
    methods: methods ? once(methods) : standard.methods,
    diff: diff ?? standard.diff,
    atMostMs: atMostMs ?? standard.atMostMs,
    then: then ?? standard.then,
  }
}

function checksOf(document: NonNullable<ReleaseDocument['checks']>, probes: readonly string[], path: Path, check: Check): ReleaseChecks {
  const standard = RELEASE_DEFAULTS.checks
  const { before, after } = document
  if (typeof before === 'object')
    for (const [index, name] of before.entries()) {
      if (probes.includes(name)) continue
      const near = nearest(name, probes)
      const known = probes.length > 0 ? `there are: ${probes.join(', ')}` : `add \`probes: { ${name}: { http: / } }\` to the service`
      check.problem([...path, 'before', index], `no probe \`${name}\``, near ? `did you mean \`${near}\`?` : known)
    }
  return {
    before: before === 'off' ? [] : (before ?? standard.before),
    after: after === 'off' ? { ...standard.after, forMs: 0 } : { forMs: after?.for ?? standard.after.forMs, errors: after?.errors ?? standard.after.errors },
  }
}
