import type { Verdict } from '../canary/verdict.ts'
import { compareVersions } from '../model/routing.ts'
import { type Releases, type RunningRelease, warmServices } from '../plan/desired.ts'
import type { Seen } from '../plan/seen.ts'
import { advanceChecking, blueGreenWakesAt, deathsOf, troubleAfterSwitch } from './blue-green.ts'
import type { Findings } from './findings.ts'
import { beginSplit, everything, goBack, judged, reject } from './moves.ts'
import { noted } from './noted.ts'
import { advanceShadow } from './shadow.ts'
import { advanceSplit, splitWakesAt } from './split.ts'
import type { Because, EnvironmentState, Rollout, RolloutPhase } from './state.ts'
import { trialAfter, withoutEndedTrial } from './trial.ts'
import { isReady, STAGE_DEADLINE_MS, troubleIn } from './trouble.ts'
import { withWait } from './wait.ts'

/** Going back ends after this even if the base does not become ready: it is then repaired like any steady environment. */
const RESTORE_DEADLINE_MS = 5 * 60 * 1000

export interface StepInput {
  readonly state: EnvironmentState
  readonly releases: Releases
  readonly seen: Seen
  readonly findings: Findings
  readonly now: number
}

export interface Stepped {
  readonly state: EnvironmentState
  /** Set when the rollout ended in this step. */
  readonly ended: { readonly rollout: Rollout; readonly outcome: 'promoted' | 'failed' | 'aborted' | 'superseded'; readonly because: Because | null } | null
  readonly wakeAt: number | null
}

/**
 * Moves the rollout as far as what is seen allows; the table above RolloutPhase (state.ts) says where each phase leads.
 * Called every pass: a phase that is satisfied at once (everything warm, nothing to replace) costs no second pass.
 */
export function step({ state: before, releases, seen, findings, now }: StepInput): Stepped {
  const state = withoutEndedTrial(servingBase(expireWarm(before, now)), now)
  if (!state.rollout) return { state, ended: null, wakeAt: earliest(state.warm?.until, state.trial?.until) }
  const target = releases[state.rollout.target]
  if (!target) return { state, ended: null, wakeAt: null }

  const input = { state, releases, seen, findings, now }
  let rollout = noted(state.rollout, findings.judgement, now)
  const { name } = rollout.phase
  for (;;) {
    // What was seen of copies says nothing of the split that they led to.
    const verdict = rollout.phase.name === name ? verdictOf(rollout, findings) : null
    const next: Rollout = advance(rollout, target, verdict, input)
    if (next === rollout) break
    rollout = next
    if (rollout.phase.name === 'switching') break // the table that switches is made after this step, and must be acknowledged first
  }
  rollout = withWait(rollout, now)

  const { phase } = rollout
  if (phase.name === 'switching') {
    if (state.rollout.phase.name !== 'switching' || !isAcknowledged(state, seen))
      return { state: { ...state, current: rollout.target, warm: null, rollout }, ended: null, wakeAt: null }
    if (!rollout.checks || rollout.checks.after.forMs === 0) return promote(state, rollout, target, releases, now)
    const deathsBefore = deathsOf(rollout, target, state).count
    rollout = withWait({ ...rollout, phase: { name: 'watching', since: now, deathsBefore } }, now)
  } else if (phase.name === 'watching' && rollout.checks && !rollout.paused && now >= phase.since + rollout.checks.after.forMs) {
    return promote(state, rollout, target, releases, now)
  } else if (phase.name === 'restoring' && isRestored(rollout, { ...input, state: servingBase({ ...state, rollout }) })) {
    return { state: servingBase({ ...state, rollout }, null), ended: { rollout, outcome: phase.outcome, because: phase.because }, wakeAt: null }
  }
  return { state: servingBase({ ...state, rollout }), ended: null, wakeAt: earliest(...wakes(rollout, now), state.warm?.until) }
}

function verdictOf(rollout: Rollout, { judgement }: Findings): Verdict | null {
  return judgement && judgement.rollout === rollout.id ? judgement.verdict : null
}

/**
 * | phase     | trouble                     | a verdict that fails | else                              |
 * |-----------|-----------------------------|----------------------|-----------------------------------|
 * | starting, | back; a migration that may  | –                    | stage by stage, unless paused     |
 * | replacing | have run: held              |                      |                                   |
 * | splitting | back; not again by itself   | back at once, paused | not judged: a person's; else      |
 * |           | if a process would not stay | or not               | split.ts                          |
 * | shadowing | the same                    | the same             | shadow.ts                         |
 * | checking  | back                        | –                    | blue-green.ts                     |
 * | watching  | the same, or a limit is     | –                    | stays until its time is over      |
 * |           | broken (blue-green.ts)      |                      |                                   |
 * | others    | –                           | –                    | stays                             |
 */
function advance(rollout: Rollout, target: RunningRelease, verdict: Verdict | null, input: StepInput): Rollout {
  const { state, seen, findings, now } = input
  const cursor = findings.judgement?.cursor ?? 0
  const { phase } = rollout
  const to = (next: RolloutPhase): Rollout => ({ ...rollout, phase: next })
  switch (phase.name) {
    case 'starting':
    case 'replacing': {
      const trouble = troubleIn(rollout, target, input)
      if (trouble?.code === 'E_MIGRATION_UNKNOWN') return to({ name: 'held', because: trouble, since: now, then: phase.name, stage: phase.stage })
      if (trouble) return goBack(rollout, trouble, 'failed', now)
      if (rollout.paused) return rollout
      const manner = phase.name === 'starting' ? 'beside' : 'replace'
      const stage = rollout.stages[phase.stage]
      if (stage)
        return stage.every((it) => it.manner !== manner || isReady(it, target, input)) ? to({ name: phase.name, stage: phase.stage + 1, since: now }) : rollout
      return phase.name === 'replacing' ? to({ name: 'switching', since: now }) : started(rollout, now)
    }
    case 'splitting':
    case 'shadowing': {
      const trouble = troubleIn(rollout, target, input)
      if (trouble) return trouble.code === 'E_START_FAILED' ? reject(rollout, trouble, now) : goBack(rollout, trouble, 'failed', now)
      if (rollout.judging && verdict?.kind === 'fail') return reject(rollout, judged('E_REJECTED', verdict.text, verdict, cursor), now)
      return phase.name === 'splitting' ? advanceSplit(rollout, verdict, cursor, now) : advanceShadow(rollout, verdict, cursor, now)
    }
    case 'checking': {
      const trouble = troubleIn(rollout, target, input)
      return trouble ? goBack(rollout, trouble, 'failed', now) : advanceChecking(rollout, findings, now)
    }
    case 'watching': {
      const trouble = troubleAfterSwitch(rollout, target, state, seen, findings) ?? troubleIn(rollout, target, input)
      if (!trouble) return rollout
      return trouble.code === 'E_REJECTED' || trouble.code === 'E_START_FAILED' ? reject(rollout, trouble, now) : goBack(rollout, trouble, 'failed', now)
    }
    case 'switching':
    case 'held':
    case 'restoring':
      return rollout
  }
}

/** All that can run beside is ready: what the strategy does with it. */
function started(rollout: Rollout, now: number): Rollout {
  if (rollout.strategy === 'canary' && rollout.steps.length > 0) return beginSplit(rollout, now)
  if (rollout.strategy === 'shadow' && rollout.shadow && rollout.judging)
    return { ...rollout, judging: { ...rollout.judging, since: now }, phase: { name: 'shadowing', since: now, over: false } }
  if (rollout.checks && rollout.checks.before.length > 0) return { ...rollout, phase: { name: 'checking', since: now } }
  return everything(rollout, null, now)
}

function isAcknowledged(state: EnvironmentState, seen: Seen): boolean {
  return state.table !== null && seen.traffic.acknowledged !== null && compareVersions(seen.traffic.acknowledged, state.table.version) >= 0
}

function promote(state: EnvironmentState, rollout: Rollout, target: RunningRelease, releases: Releases, now: number): Stepped {
  const base = rollout.base === null ? undefined : releases[rollout.base]
  const keep = base !== undefined && base.number !== target.number && rollout.keepMs > 0 && warmServices(base, target).length > 0
  const warm = keep ? { release: base.number, until: now + rollout.keepMs } : null
  const trial = trialAfter(rollout, now)
  return {
    state: { ...state, current: rollout.target, warm, rollout: null, trial },
    ended: { rollout, outcome: 'promoted', because: rollout.grounds ?? null },
    wakeAt: earliest(warm?.until, trial?.until),
  }
}

/** Going back after the switch: the base serves from this very pass on. */
function servingBase(state: EnvironmentState, rollout: Rollout | null = state.rollout): EnvironmentState {
  const { phase, target, base } = state.rollout ?? { phase: null, target: null, base: null }
  const current = phase?.name === 'restoring' && state.current === target ? base : state.current
  return current === state.current && rollout === state.rollout ? state : { ...state, current, rollout }
}

/** Base whole (or its time is over, or it is broken and known to be), nothing of the target left, and nobody routed to it. */
function isRestored(rollout: Rollout, { state, releases, seen, now }: StepInput): boolean {
  const { phase } = rollout
  if (phase.name !== 'restoring') return false
  const base = rollout.base === null ? undefined : releases[rollout.base]
  const target = releases[rollout.target]
  // A target that was warm before a rollback to it was given up is warm again.
  const staysWarm = state.warm?.release === rollout.target
  const left = !staysWarm && Object.values(state.replicas).some((it) => target?.origins[it.service] === it.origin && base?.origins[it.service] !== it.origin)
  // Two migrations never run at once: the next rollout waits for one that cannot be taken back.
  const migrating = Object.values(state.tasks).some((it) => it.kind === 'pre_start' && it.release === rollout.target && it.outcome === 'pending')
  if (left || migrating || !isAcknowledged(state, seen)) return false
  if (now >= phase.since + RESTORE_DEADLINE_MS || !base || state.waiting[0]?.forward) return true
  return Object.keys(base.graph.services).every((service) => isReady({ service, manner: 'beside' }, base, { state, seen }))
}

/** Warm replicas leave in time, whatever else is going on; only a rollback to them keeps them. */
function expireWarm(state: EnvironmentState, now: number): EnvironmentState {
  return state.warm && now >= state.warm.until && state.rollout?.target !== state.warm.release ? { ...state, warm: null } : state
}

/** Moments at which time alone may move it. */
function wakes(rollout: Rollout, now: number): readonly number[] {
  const { phase } = rollout
  if (phase.name === 'restoring') return [phase.since + RESTORE_DEADLINE_MS]
  if (phase.name === 'starting' || phase.name === 'replacing') return [phase.since + STAGE_DEADLINE_MS]
  const over = phase.name === 'shadowing' && !phase.over && rollout.shadow ? [phase.since + rollout.shadow.atMostMs] : []
  return [...over, ...splitWakesAt(rollout), ...blueGreenWakesAt(rollout)].filter((it) => it > now)
}

function earliest(...moments: readonly (number | null | undefined)[]): number | null {
  return moments.reduce<number | null>((least, it) => (it == null ? least : least === null ? it : Math.min(least, it)), null)
}
