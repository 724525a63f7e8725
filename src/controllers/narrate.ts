import type { Seen } from '../core/plan/seen.ts'
import type { Decision } from '../core/rollout/decide.ts'
import type { Rollout } from '../core/rollout/state.ts'
import type { EnvironmentRecord, NewEvent } from './journal.ts'

/** What a pass means to people: an event for everything that began, moved, failed or ended. The `because` was made where it was decided. */
export function eventsOf(record: EnvironmentRecord, decision: Decision, seen: Seen): readonly NewEvent[] {
  const events: NewEvent[] = []
  const add = (kind: string, text: string, more: Partial<NewEvent> = {}) => events.push({ kind, text, service: null, release: null, data: {}, ...more })

  for (const rollout of decision.began) {
    const how = rollout.split ? `${rollout.strategy}, split by ${splitText(rollout.split)}` : rollout.strategy
    add('rollout.started', `v${rollout.target} takes over from ${rollout.base === null ? 'nothing' : `v${rollout.base}`} (${how})`, {
      release: rollout.target,
      data: startData(rollout),
    })
  }
  const before = record.state.rollout
  const after = decision.state.rollout
  if (
    after &&
    (before?.id !== after.id ||
      before.phase.name !== after.phase.name ||
      JSON.stringify(before.phase) !== JSON.stringify(after.phase) ||
      before.paused !== after.paused)
  ) {
    add('rollout.phase', phaseText(after), { release: after.target, data: { rollout: after.id, phase: after.phase, paused: after.paused } })
  }
  const verdict = after?.judging?.verdict
  const kindBefore = before?.id === after?.id ? before?.judging?.verdict?.kind : undefined
  if (after && verdict && verdict.kind !== (kindBefore ?? 'inconclusive')) {
    const { kind, text, share, cursor } = verdict
    add('rollout.verdict', `v${after.target} ${VERDICTS[kind]}: ${text}`, { release: after.target, data: { rollout: after.id, verdict: kind, share, cursor } })
  }
  const waits = after?.waits
  if (after && waits && (before?.id !== after.id || before.waits?.for !== waits.for))
    add('rollout.waits', `v${after.target} waits for ${waits.for}: ${waits.text}`, { release: after.target, data: { rollout: after.id, for: waits.for } })
  for (const { rollout, outcome, because } of decision.ended) {
    const text = outcome === 'promoted' ? `v${rollout.target} serves` : `v${rollout.target} ${outcome}: ${because?.text ?? ''}`
    add(`rollout.${outcome}`, text, { release: rollout.target, data: { rollout: rollout.id, base: rollout.base, because } })
  }
  for (const { id, target, because } of decision.refused)
    add('rollout.failed', `v${target} failed: ${because.text}`, { release: target, data: { rollout: id, because } })

  for (const [id, was] of Object.entries(record.state.replicas)) {
    const now = decision.state.replicas[id]
    const died = now?.died
    if (died && died.count !== was.died?.count) {
      const { exit = null, lastLines = [] } = seen.replicas.get(id) ?? {}
      add('replica.died', `${id} ${died.cause}${died.count > 1 ? ` (${died.count} times now)` : ''}`, {
        service: was.service,
        release: was.origin,
        data: { replica: id, cause: died.cause, count: died.count, exit, lines: lastLines.slice(-5) },
      })
    }
    if (!was.retired && now?.retired)
      add('replica.retired', `${id} leaves`, { service: was.service, release: was.origin, data: { replica: id, cause: seen.replicas.get(id)?.cause ?? null } })
  }
  for (const [id, now] of Object.entries(decision.state.replicas)) {
    if (!record.state.replicas[id]) add('replica.wanted', `${id} is wanted`, { service: now.service, release: now.origin, data: { replica: id } })
  }
  for (const [id, task] of Object.entries(decision.state.tasks)) {
    const was = record.state.tasks[id]
    if (!was) add('task.started', `${task.service}/${task.name}`, { service: task.service, release: task.release, data: { task: id, kind: task.kind } })
    if (task.outcome !== 'pending' && was?.outcome !== task.outcome) {
      add(`task.${task.outcome}`, `${task.service}/${task.name} ${task.outcome}`, {
        service: task.service,
        release: task.release,
        data: { task: id, exit: task.exit, lines: task.lastLines.slice(-5) },
      })
    }
  }
  return events
}

const VERDICTS = { pass: 'is proven not to be worse', fail: 'is worse', inconclusive: 'is in doubt again' } as const

function startData(rollout: Rollout): Record<string, unknown> {
  return { rollout: rollout.id, base: rollout.base, strategy: rollout.strategy, split: rollout.split, stages: rollout.stages, removed: rollout.removed }
}

function splitText(split: NonNullable<Rollout['split']>): string {
  return 'name' in split ? `${split.by} ${split.name}` : split.by
}

function phaseText(rollout: Rollout): string {
  const { phase } = rollout
  const services = 'stage' in phase ? (rollout.stages[phase.stage] ?? []).map((it) => it.service).join(', ') : ''
  if (rollout.paused) return `v${rollout.target} is paused`
  switch (phase.name) {
    case 'starting':
      return services ? `starting ${services}` : 'everything is ready'
    case 'splitting':
      return `v${rollout.target} takes ${phase.weight} %, ${rollout.judging ? 'judged' : 'waiting for approval'}`
    case 'shadowing':
      return phase.over ? `v${rollout.target} gets no more copies` : `v${rollout.target} gets copies of requests`
    case 'checking':
      return `v${rollout.target} is asked whether it is well`
    case 'watching':
      return `v${rollout.target} serves and is watched`
    case 'replacing':
      return services ? `replacing ${services}` : 'everything is ready'
    case 'switching':
      return `all requests go to v${rollout.target}`
    case 'held':
      return `held: ${phase.because.text}`
    case 'restoring':
      return `going back to ${rollout.base === null ? 'nothing' : `v${rollout.base}`}: ${phase.because.text}`
  }
}
