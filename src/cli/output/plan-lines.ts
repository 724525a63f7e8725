import type { PlanView } from '../../../packages/client/src/types.ts'
import { escapeControl } from './escape.ts'
import { durationText } from './units.ts'

type Colours = Readonly<Record<'green' | 'red' | 'yellow' | 'dim' | 'bold', (text: string) => string>>

const SIGNS = { added: '+', changed: '~', removed: '-' } as const

/** A plan as a person reads it: what changes and why, the order, then what to know before saying yes. */
export function planLines(plan: PlanView, colours: Colours): string[] {
  const over = plan.base === null ? 'first release' : `over v${plan.base}`
  const lines = [
    `${colours.bold(plan.app)} ${colours.dim(plan.environment)}  ${over}, ${plan.strategy}${plan.steps.length > 0 ? ` ${plan.steps.map((step) => `${step} %`).join(', ')}` : ''}`,
  ]
  lines.push(...diffLines(plan, colours))
  if (plan.untouched.length > 0) lines.push(colours.dim(`  not touched: ${plan.untouched.join(', ')}`))
  if (plan.stages.length > 0) lines.push('', 'order', ...plan.stages.map((stage, at) => `  ${at + 1}. ${stage.services.map(stageService).join(', ')}`))
  const migrations = plan.stages.flatMap((stage) => stage.services.flatMap((service) => service.preStart.map((it) => ({ ...it, service: service.service }))))
  for (const it of migrations)
    lines.push(`  before ${it.service}: ${escapeControl(it.name)}${it.compatible ? '' : colours.yellow(', not declared compatible: no warm rollback')}`)
  if (plan.judged.length > 0) lines.push('', 'judged', ...plan.judged.map((it) => `  ${escapeControl(it)}`))
  for (const it of plan.notJudged) lines.push(`${colours.yellow('blind')} ${escapeControl(it)}`)
  for (const it of plan.breaks) lines.push(`${colours.yellow('break')} ${escapeControl(it)}`)
  for (const it of plan.notWarm) lines.push(`${colours.yellow('cold')}  ${it.service}: ${escapeControl(it.because)}`)
  if (plan.base !== null && plan.changes.length > 0 && plan.notWarm.length === 0)
    lines.push(colours.dim(`v${plan.base} stays warm for ${durationText(plan.keepMs)}`))
  for (const it of plan.notes) lines.push(colours.dim(`note  ${escapeControl(it)}`))
  if (plan.refusal !== null) lines.push(colours.red(`would be refused: ${escapeControl(plan.refusal)}`))
  return lines
}

/** Only what differs. */
export function diffLines(plan: PlanView, colours: Colours): string[] {
  const paint = { added: colours.green, changed: colours.yellow, removed: colours.red }
  const line = (kind: keyof typeof SIGNS, text: string, why = '') => `  ${paint[kind](SIGNS[kind])} ${text}${why === '' ? '' : `  ${colours.dim(why)}`}`
  const lines = plan.changes.map((it) => line(it.kind, it.service, escapeControl(it.reasons.join(', '))))
  for (const it of plan.resources) {
    if (it.action === 'create') lines.push(line('added', `${it.kind} ${it.name}`))
    if (it.action === 'detach') lines.push(line('removed', `${it.kind} ${it.name}`, 'its data stays'))
  }
  for (const it of plan.routes.added) lines.push(line('added', `route ${escapeControl(it)}`))
  for (const it of plan.routes.removed) lines.push(line('removed', `route ${escapeControl(it)}`))
  return lines.length === 0 ? ['  nothing would change'] : lines
}

function stageService(service: PlanView['stages'][number]['services'][number]): string {
  return service.manner === 'replace' ? `${service.service} (the old one stops first)` : service.service
}
