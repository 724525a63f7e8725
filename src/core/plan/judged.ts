import type { AnalysisPolicy, AppGraph, CanaryStep, IndicatorName, OnInconclusive } from '../model/app-graph.ts'
import { isWorker } from '../model/app-graph.ts'
import { durationText } from '../model/duration-text.ts'
import type { ServiceChange } from './changes.ts'
import { checksBefore } from './checks.ts'
import { type RolloutShape, STANDARD_AT_MOST_MS } from './strategy.ts'

/** How a release will be judged, a sentence a line: what is compared, what proof leads to, what happens without a verdict. */
export function judgedBy(shape: RolloutShape, graph: AppGraph, changes: readonly ServiceChange[], base: number | null): readonly string[] {
  const { analysis, steps, shadow, checks } = shape
  const started = changes.filter((it) => it.kind !== 'removed').map((it) => it.service)
  if (checks) {
    const before = checksBefore(graph, started, checks).map((it) => `${it.service}/${it.probe}`)
    return [
      before.length > 0 ? `before the switch the new replicas are asked ${before.join(', ')}` : 'before the switch nothing is asked but the health checks',
      checks.after.forMs > 0
        ? `for ${durationText(checks.after.forMs)} after it v${base} stays whole and takes over again if a process dies twice, a probe fails, or more than ${percentText(checks.after.errors)} of the requests fail`
        : 'after it nothing is watched',
    ]
  }
  if (analysis === null) return steps.length > 0 ? ['by nobody: each step waits for `weir canary resume`'] : []
  return [
    `by comparing it with v${base} while both serve: ${compared(analysis)}; a release without a fault is taken back in ${percentText(analysis.falseAlarm)} of cases at most`,
    ...analysis.custom.map((it) => `by ${it.name} (${it.source.kind}) from ${it.min ?? '−∞'} to ${it.max ?? '∞'}${it.dryRun ? ', only shown' : ''}`),
    ...(shadow
      ? [
          `with copies of ${percentText(shadow.share)} of ${shadow.methods.join(', ')}, for ${durationText(shadow.atMostMs)} at most; proof leads to ${{ canary: 'a canary, judged anew', promote: 'all requests', stop: 'a person, who decides' }[shadow.then]}`,
        ]
      : []),
    ...steps.map((step, index) => stepText(step, index === steps.length - 1)),
    ...(steps.length > 0 ? [inconclusiveText(shape.onInconclusive)] : []),
  ]
}

/** What of it cannot be judged, and why. */
export function notJudged(
  shape: RolloutShape,
  graph: AppGraph,
  changes: readonly ServiceChange[],
  forward: { readonly over: number | null } | null,
): readonly string[] {
  if (forward)
    return [`forward: nothing is compared with v${forward.over}, because that is what is broken; all requests go to the new release as soon as it is ready`]
  if (shape.checks) return ['nothing is compared: all requests are on one side, before and after']
  if (shape.analysis === null) return []
  const started = changes.filter((it) => it.kind !== 'removed')
  const workers = started.filter((it) => isWorker(graph, it.service)).map((it) => it.service)
  const lines = [
    ...workers.map((it) => `${it} takes no requests: its exits, memory and processor time are compared, and nothing of it is proven`),
    ...started.filter((it) => it.kind === 'added' && !workers.includes(it.service)).map((it) => `${it.service} is new: there is nothing to compare it with`),
    ...changes.filter((it) => it.kind === 'removed').map((it) => `${it.service} goes with the last step: what misses it is seen only then`),
  ]
  return started.length > 0 && workers.length === started.length
    ? [...lines, 'nothing of it takes requests, so it is never proven: it waits for `weir canary promote`']
    : lines
}

function compared({ compare, dryRun }: AnalysisPolicy): string {
  const names = (list: readonly IndicatorName[]) => list.join(', ')
  return `${names(compare)}${dryRun.length > 0 ? ` (${names(dryRun)} only shown)` : ''}`
}

function stepText({ weight, atLeastMs = 0, atMostMs = STANDARD_AT_MOST_MS, approve = false }: CanaryStep, isLast: boolean): string {
  const holds = [...(atLeastMs > 0 ? [`at least ${durationText(atLeastMs)}`] : []), ...(approve ? ['a person’s approval'] : [])]
  return `${weight} %: until it is proven${holds.length > 0 ? `, ${holds.join(' and ')}` : ''}${isLast ? '; then all requests' : ''} (${durationText(atMostMs)} without a verdict)`
}

function inconclusiveText(policy: OnInconclusive): string {
  switch (policy.kind) {
    case 'hold':
      return 'without a verdict in that time: it stays, goes on being judged, and says so'
    case 'widen':
      return 'without a verdict in that time: the next step; after the last one it stays, and says so'
    case 'rollback':
      return 'without a verdict in that time: back'
    case 'promote-after':
      return `without a verdict ${durationText(policy.afterMs)} after its first request, and without an alarm: as if it were proven`
  }
}

function percentText(share: number): string {
  return `${Math.round(share * 1e6) / 1e4} %`
}
