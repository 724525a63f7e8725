import type { EvidenceView, RolloutView, TrialView } from '../../../packages/client/src/types.ts'
import type { Session } from '../frame/session.ts'
import { escapeControl } from './escape.ts'
import { rowsAsTable } from './show-table.ts'
import { durationText } from './units.ts'

/** What a release was judged by: every test with what was counted, what was expected, and how far it is from its threshold. */
export function evidenceLines(session: Session, { verdict, tests, unit, replay }: EvidenceView): string[] {
  const { counted, unproven } = verdict
  const lines = [
    `counted   ${counted.canary} ${counted.unit} on the new release, ${counted.stable} beside it${verdict.share === null ? '' : ` (${percent(verdict.share)})`}, split by ${unit}`,
  ]
  if (unproven.length > 0) lines.push(`unproven  ${escapeControl(unproven.join(', '))}: too few requests for a proof of their own`)
  if (replay)
    lines.push(
      `replay    ${replay.same ? `the same verdict from ${replay.blocks} stored blocks` : `${replay.problem ?? 'another verdict'} (${replay.blocks} blocks)`}`,
    )
  if (tests.length === 0) return lines
  const table = rowsAsTable(session, tests, [
    { title: 'TEST', value: (it) => escapeControl(it.dryRun ? `${it.name} (dry run)` : it.name) },
    { title: 'NEW', value: (it) => amount(it.canary) },
    { title: 'EXPECTED', value: (it) => amount(it.expected) },
    { title: 'OF', value: (it) => amount(it.total) },
    { title: 'EVIDENCE', value: (it) => (it.logE === null ? '-' : powerText(it.logE)) },
    { title: 'FAILS AT', value: (it) => (it.logE === null ? '-' : powerText(it.threshold)) },
    { title: 'STATE', value: (it) => it.state },
    { title: 'SAYS', flexible: true, value: (it) => escapeControl(it.text) },
  ])
  return [...lines, '', ...table]
}

/** "inconclusive: …; about 40s more". */
export function verdictText({ kind, text, needsS }: NonNullable<RolloutView['verdict']>): string {
  return `${kind}: ${escapeControl(text)}${needsS === null ? '' : `; about ${durationText(needsS * 1000)} more`}`
}

/** How often the judge was wrong here: both sides of a trial are the same release. */
export function trialsLine(trials: readonly TrialView[]): string {
  const ended = trials.filter((it) => it.endedAt !== null)
  if (ended.length === 0) return 'no trial of the judge has ended here yet'
  const alarms = ended.filter((it) => it.alarm).length
  return `${alarms} false ${alarms === 1 ? 'alarm' : 'alarms'} in the last ${ended.length === 1 ? 'trial' : `${ended.length} trials`} of a release against itself`
}

const SUPERSCRIPT = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/** How many times likelier what was seen is if the new release is worse. @example powerText(Math.log(2.5e9)) // '10⁹' */
export function powerText(logE: number): string {
  const exponent = logE / Math.LN10
  if (exponent < 2) return Math.exp(logE).toPrecision(2)
  return `10${String(Math.min(99, Math.floor(exponent))).replace(/\d/g, (digit) => SUPERSCRIPT[Number(digit)] ?? '')}`
}

function amount(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}
