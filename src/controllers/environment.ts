import type { Epoch } from '../core/model/epoch.ts'
import type { ObservedReplica } from '../core/model/replica.ts'
import type { Clock, Random } from '../core/model/world.ts'
import { type Operation, operationTarget } from '../core/plan/operations.ts'
import type { Seen } from '../core/plan/seen.ts'
import type { Place } from '../core/plan/table.ts'
import { canGoBack, goBack } from '../core/rollout/commands.ts'
import { type Decision, decide } from '../core/rollout/decide.ts'
import { NO_FINDINGS } from '../core/rollout/findings.ts'
import type { EnvironmentState, Rollout, WaitingRollout } from '../core/rollout/state.ts'
import type { Driver } from '../drivers/driver.ts'
import { isWeirError, type WeirError } from '../errors.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { type ApplyPorts, apply, type Outcome } from './apply.ts'
import type { Checks } from './checking.ts'
import type { EnvironmentRecord, Journal, OperationRow, RolloutSummary } from './journal.ts'
import { type Found, type Judges, LOOK_MS } from './judging.ts'
import { eventsOf } from './narrate.ts'

export interface EnvironmentPorts extends ApplyPorts {
  readonly journal: Journal
  readonly driver: Driver
  readonly gateway: Gateway
  readonly clock: Clock
  readonly random: Random
  readonly judges: Judges
  readonly checks: Checks
  readonly epoch: () => Epoch
  /** Address of an environment's edges. */
  readonly edgeAddress: (environment: string) => string
  /** Told of every step of a pass; tests crash there. */
  readonly point?: (name: 'before-save' | 'after-save' | 'after-effect' | 'after-outcome') => void
}

/**
 * Nothing changed and nothing is due: look again all the same, because a hint may have been lost. At a moment between this and its double,
 * so that a thousand environments that were first looked at together do not come together ever after.
 */
const RESYNC_MS = 15_000

/**
 * One actor per environment: whatever is wanted (rollout, scaling, a person's command) becomes reality here and nowhere else.
 *
 * observe → decide → save (state, intents, consumed commands: one transaction) → apply → record outcomes → when to wake
 */
export async function reconcileEnvironment(ports: EnvironmentPorts, id: string): Promise<number | null> {
  const record = await ports.journal.loadEnvironment(id)
  if (!record) return clearOrphan(ports, id)
  const epoch = ports.epoch()
  const seen = await observe(ports, id)
  const found = await ports.judges.look(record, seen)
  const checked = await ports.checks.look(record, seen)
  const decision = decide({
    place: placeOf(ports, record),
    state: record.state,
    commands: record.commands,
    known: record.releases,
    seen,
    answers: record.answers,
    findings: { ...NO_FINDINGS, ...checked, judgement: found.judgement, designEffect: record.designEffect },
    epoch,
    now: ports.journal.now(),
    wall: ports.clock.wall(),
  })

  ports.point?.('before-save')
  const intents = decision.operations.filter(isNoteworthy).map((it) => operationRow(record, it, epoch, null))
  if (hasChanges(record.state, decision, intents) || found.look || found.trials.length > 0) {
    await ports.journal.commitEnvironment(epoch, id, {
      state: decision.state,
      consumed: decision.consumed,
      origins: Object.entries(decision.origins).map(([release, origins]) => ({ release: Number(release), origins })),
      promoted: decision.ended.filter((it) => it.outcome === 'promoted').map((it) => it.rollout.target),
      rollouts: withLook(rolloutSummaries(record.state, decision), record.state, found),
      trials: found.trials,
      operations: intents,
      events: eventsOf(record, decision, seen),
      removed: decision.gone,
    })
    ports.judges.stored(id, found)
  }
  ports.point?.('after-save')
  const outcomes = await apply(ports, {
    record,
    state: decision.state,
    releases: record.releases,
    origins: decision.origins,
    operations: decision.operations,
    epoch,
  })
  ports.point?.('after-effect')
  await recordOutcomes(ports, record, decision, outcomes, epoch)
  ports.point?.('after-outcome')

  const failed = outcomes.find((it) => it.error !== null)
  if (failed && !isFinal(failed.error)) throw failed.error
  if (record.trouble && !decision.gone) {
    await ports.journal.noteTrouble(epoch, id, null, [{ kind: 'environment.goes-on', text: 'no longer stuck', service: null, release: null, data: {} }])
  }
  const resyncMs = found.judgement || checked ? LOOK_MS : RESYNC_MS * (1 + ports.random.next())
  return decision.gone ? null : Math.min(decision.wakeInMs ?? resyncMs, resyncMs)
}

/** A look at everything of the environment. Whoever cannot be asked makes the pass fail: blindness is not absence. */
async function observe(ports: EnvironmentPorts, id: string): Promise<Seen> {
  const [there, traffic] = await Promise.all([ports.driver.observe(id), ports.gateway.observe(id)])
  return {
    replicas: new Map(there.replicas.map((it): [string, ObservedReplica] => [it.id, it])),
    tasks: new Map(there.tasks.map((it) => [it.id, it])),
    resources: new Map(there.resources.map((it) => [it.name, it])),
    traffic,
  }
}

function placeOf(ports: EnvironmentPorts, record: EnvironmentRecord): Place {
  return { environment: record.id, label: `${record.app}/${record.environment}`, port: record.port, edgeAddress: ports.edgeAddress(record.id) }
}

function hasChanges(before: EnvironmentState, decision: Decision, intents: readonly OperationRow[]): boolean {
  if (decision.consumed.length > 0 || decision.gone || decision.ended.length > 0 || decision.refused.length > 0 || intents.length > 0) return true
  return JSON.stringify(before) !== JSON.stringify(decision.state)
}

/** Publishing a table again is routine, not history. */
function isNoteworthy(operation: Operation): boolean {
  return operation.kind !== 'publish-table'
}

function operationRow(record: EnvironmentRecord, operation: Operation, epoch: Epoch, outcome: Outcome | null): OperationRow {
  const target = operationTarget(operation)
  const cause = outcome?.error instanceof Error ? outcome.error.message : null
  return {
    id: `${record.id}:${operation.kind}:${target}:${epoch}`,
    kind: operation.kind,
    target,
    outcome: outcome === null ? 'intended' : outcome.error === null ? 'done' : 'failed',
    cause,
  }
}

async function recordOutcomes(
  ports: EnvironmentPorts,
  record: EnvironmentRecord,
  decision: Decision,
  outcomes: readonly Outcome[],
  epoch: Epoch,
): Promise<void> {
  const rows = outcomes.filter((it) => isNoteworthy(it.operation)).map((it) => operationRow(record, it.operation, epoch, it))
  if (rows.length === 0 || decision.gone) return
  // What would fail again in the same way ends the rollout with its own words, not with a deadline's.
  const hopeless = outcomes.find((it) => isFinal(it.error))?.error
  const { rollout } = decision.state
  const state =
    isWeirError(hopeless) && rollout && canGoBack(rollout)
      ? { ...decision.state, rollout: goBack(rollout, { code: hopeless.code, text: said(hopeless), lines: [] }, 'failed', ports.journal.now()) }
      : decision.state
  await ports.journal.commitEnvironment(epoch, record.id, {
    state,
    consumed: [],
    origins: [],
    promoted: [],
    rollouts: [],
    trials: [],
    operations: rows,
    events: [],
    removed: false,
  })
}

/** Refused for what it is, not for what is going on just now. */
function isFinal(error: unknown): boolean {
  return isWeirError(error) && ['E_START_FAILED', 'E_NAME', 'E_UNSUPPORTED', 'E_USAGE'].includes(error.code)
}

function said({ message, explanation }: WeirError): string {
  return explanation.cause ? `${message}: ${explanation.cause}` : message
}

function rolloutSummaries(before: EnvironmentState, decision: Decision): readonly RolloutSummary[] {
  const summaries = new Map<string, RolloutSummary>()
  const waits = (it: WaitingRollout): RolloutSummary => ({
    ...it,
    base: decision.state.current,
    strategy: 'rolling',
    phase: 'waiting',
    weight: 0,
    outcome: null,
    because: null,
    look: null,
  })
  for (const it of decision.state.waiting) if (!before.waiting.some(({ id }) => id === it.id)) summaries.set(it.id, waits(it))
  for (const it of decision.dropped)
    summaries.set(it.id, {
      ...waits(it),
      phase: 'ended',
      outcome: 'superseded',
      because: { code: 'E_CONFLICT', text: 'another rollout took its place', lines: [] },
    })
  const running = decision.state.rollout
  for (const rollout of [...decision.began, ...(running && JSON.stringify(running) !== JSON.stringify(before.rollout) ? [running] : [])])
    summaries.set(rollout.id, summaryOf(rollout))
  for (const { rollout, outcome, because } of decision.ended) {
    summaries.set(rollout.id, { ...headOf(rollout), phase: 'ended', weight: outcome === 'promoted' ? 100 : 0, outcome, because, look: null })
  }
  for (const { id, kind, target, base, by, because } of decision.refused) {
    summaries.set(id, { id, kind, target, base, by, strategy: 'rolling', phase: 'ended', weight: 0, outcome: 'failed', because, look: null })
  }
  return [...summaries.values()]
}

function summaryOf(rollout: Rollout): RolloutSummary {
  const { phase } = rollout
  const because = phase.name === 'held' || phase.name === 'restoring' ? phase.because : null
  const weight = phase.name === 'splitting' ? phase.weight : phase.name === 'switching' || phase.name === 'watching' ? 100 : 0
  return { ...headOf(rollout), phase: rollout.paused ? 'paused' : phase.name, weight, outcome: null, because, look: null }
}

/** A look that is to be stored, with what became of its rollout in this pass, or by itself where nothing did. */
function withLook(summaries: readonly RolloutSummary[], before: EnvironmentState, { look }: Found): readonly RolloutSummary[] {
  const { rollout } = before
  if (!look || !rollout) return summaries
  const present = summaries.find(({ id }) => id === rollout.id)
  return [...summaries.filter((it) => it !== present), { ...(present ?? summaryOf(rollout)), look }]
}

function headOf(rollout: NonNullable<EnvironmentState['rollout']>): Pick<RolloutSummary, 'id' | 'kind' | 'target' | 'base' | 'by' | 'strategy'> {
  return { id: rollout.id, kind: rollout.kind, target: rollout.target, base: rollout.base, by: rollout.by, strategy: rollout.strategy }
}

/** Something runs under an environment that no longer exists: what a crash between removal and clean-up left. */
async function clearOrphan(ports: EnvironmentPorts, id: string): Promise<null> {
  const epoch = ports.epoch()
  const { replicas, tasks } = await ports.driver.observe(id)
  for (const replica of replicas) await ports.driver.stopReplica(replica.id, epoch)
  for (const task of tasks) await ports.driver.forgetTask(task.id, epoch)
  // Only what has a table is withdrawn: the gateway tells of every withdrawal, and would be asked for the next one for ever.
  const { hasTable, acknowledged } = await ports.gateway.observe(id)
  if (hasTable) await ports.gateway.withdraw(id, { epoch, n: (acknowledged?.n ?? 0) + 1 })
  return null
}
