import { durationText } from '../model/duration-text.ts'
import type { RunningRelease } from '../plan/desired.ts'
import type { Seen } from '../plan/seen.ts'
import { because } from './begin.ts'
import type { CheckSeen, Findings } from './findings.ts'
import type { Wait } from './judging.ts'
import { everything, goBack, reject } from './moves.ts'
import type { Because, EnvironmentState, Rollout } from './state.ts'
import { isReady } from './trouble.ts'

/** A probe that is not answered as it should be so often in a row is not going to be. */
const BAD_CHECKS = 3
/** Probes that are not answered by then: nobody could ask. */
const CHECK_DEADLINE_MS = 5 * 60_000
/** A share of errors among fewer than these is chance. */
const ERRORS_AT_LEAST = 5
const DEATHS = 2

/**
 * Before the switch: the new replicas are asked what is declared, and nothing else.
 *
 * | probes                                     | does                                  |
 * |--------------------------------------------|---------------------------------------|
 * | one was answered badly, three times in a row| back, and not again by itself        |
 * | paused                                     | stays                                 |
 * | all were answered as they should be        | on to the switch                      |
 * | not all, and the time is over              | back: it could not be asked           |
 * | else                                       | stays                                 |
 */
export function advanceChecking(rollout: Rollout, findings: Findings, now: number): Rollout {
  const { phase, checks } = rollout
  if (phase.name !== 'checking' || !checks) return rollout
  const bad = badCheck(findings.checks)
  if (bad) return reject(rollout, bad, now)
  if (rollout.paused) return rollout
  const open = checks.before.filter((it) => !findings.checks.some((seen) => seen.service === it.service && seen.probe === it.probe && seen.good > 0))
  if (open.length === 0) return everything(rollout, null, now)
  if (now < phase.since + CHECK_DEADLINE_MS) return rollout
  const names = open.map((it) => `${it.service}/${it.probe}`).join(', ')
  return goBack(rollout, because('E_START_FAILED', `${names} could not be asked in ${durationText(CHECK_DEADLINE_MS)}`), 'failed', now)
}

/**
 * After the switch everything is on one side: nothing can be compared, so these are limits and no tests. The base is whole meanwhile.
 *
 * | seen since the switch                                     | does                                     |
 * |-----------------------------------------------------------|------------------------------------------|
 * | two deaths of its processes; or a service with none ready | back, and not again by itself            |
 * | a probe answered badly, three times in a row              | the same                                 |
 * | more than the limit of requests failed, five at least     | the same                                 |
 * | else, time over and not paused                            | promoted                                 |
 */
export function troubleAfterSwitch(
  rollout: Rollout,
  target: RunningRelease,
  state: EnvironmentState,
  seen: Seen,
  { checks, served }: Findings,
): Because | null {
  const { phase } = rollout
  if (phase.name !== 'watching' || !rollout.checks) return null
  const changed = rollout.stages.flat()
  const died = deathsOf(rollout, target, state)
  if (died.count - phase.deathsBefore >= DEATHS) return because('E_REJECTED', `after the switch ${died.cause}, ${died.count - phase.deathsBefore} times`)
  const gone = changed.find((it) => !isReady(it, target, { state, seen }) && readyOf(it.service, target, state, seen) === 0)
  if (gone) return because('E_REJECTED', `after the switch no replica of ${gone.service} is ready`)
  const bad = badCheck(checks)
  if (bad) return bad
  const limit = rollout.checks.after.errors
  if (served && served.errors >= ERRORS_AT_LEAST && served.errors > limit * served.requests)
    return because('E_REJECTED', `${served.errors} of ${served.requests} requests failed after the switch; ${percentText(limit)} are put up with`)
  return null
}

/** Processes of the target that ended by themselves, and why the last one did. */
export function deathsOf(rollout: Rollout, target: RunningRelease, state: EnvironmentState): { readonly count: number; readonly cause: string } {
  let [count, cause] = [0, '']
  for (const { service } of rollout.stages.flat())
    for (const record of Object.values(state.replicas))
      if (record.service === service && record.origin === target.origins[service] && record.died) {
        count += record.died.count
        cause = `${service} ${record.died.cause}`
      }
  return { count, cause }
}

export function waitOfBlueGreen({ phase, checks }: Rollout): Omit<Wait, 'since'> {
  return phase.name === 'checking'
    ? { for: 'checks', text: `${(checks?.before ?? []).map((it) => `${it.service}/${it.probe}`).join(', ')} is asked of the new replicas` }
    : { for: 'time', text: `serves everything; the old release stays whole for ${durationText(checks?.after.forMs ?? 0)}` }
}

export function blueGreenWakesAt({ phase, checks }: Rollout): readonly number[] {
  if (phase.name === 'checking') return [phase.since + CHECK_DEADLINE_MS]
  return phase.name === 'watching' && checks ? [phase.since + checks.after.forMs] : []
}

function badCheck(checks: readonly CheckSeen[]): Because | null {
  const bad = checks.find((it) => it.badInARow >= BAD_CHECKS)
  return bad ? because('E_REJECTED', `${bad.service}/${bad.probe}: ${bad.cause ?? 'not answered as it should be'}, ${bad.badInARow} times in a row`) : null
}

function readyOf(service: string, target: RunningRelease, state: EnvironmentState, seen: Seen): number {
  return Object.entries(state.replicas).filter(
    ([id, it]) => it.service === service && it.origin === target.origins[service] && !it.retired && seen.replicas.get(id)?.phase === 'ready',
  ).length
}

function percentText(share: number): string {
  return `${Math.round(share * 1e4) / 100} %`
}
