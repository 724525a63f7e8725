import type { Clock } from '../core/model/world.ts'
import type { PlannedCheck } from '../core/plan/checks.ts'
import type { Seen } from '../core/plan/seen.ts'
import type { CheckSeen, Findings, Served } from '../core/rollout/findings.ts'
import type { Rollout } from '../core/rollout/state.ts'
import type { Driver } from '../drivers/driver.ts'
import type { EnvironmentRecord, Journal } from './journal.ts'

const ASK_EVERY_MS = 1_000

export interface CheckingPorts {
  readonly driver: Driver
  readonly journal: Journal
  readonly clock: Clock
  /** An answer has come: look at the environment. */
  readonly answered: (environment: string) => void
}

type Checked = Pick<Findings, 'checks' | 'served'>

/**
 * Asks the new replicas of a blue-green release what is declared, before the switch and after it, and counts what users were answered since.
 * In memory only: a server that takes over asks anew.
 *
 * @example const { checks, served } = await checks.look(record, seen)
 */
export class Checks {
  readonly #ports: CheckingPorts
  readonly #cases = new Map<string, Case>()

  constructor(ports: CheckingPorts) {
    this.#ports = ports
  }

  /** null: nothing is checked here just now. */
  async look(record: EnvironmentRecord, seen: Seen): Promise<Checked | null> {
    const { rollout } = record.state
    const phase = rollout?.phase.name === 'checking' || rollout?.phase.name === 'watching' ? rollout.phase : null
    if (!rollout?.checks || !phase) {
      this.#cases.delete(record.id)
      return null
    }
    const key = `${rollout.id} ${phase.name} ${phase.since}`
    let present = this.#cases.get(record.id)
    if (present?.key !== key) this.#cases.set(record.id, (present = new Case(key, this.#ports)))
    for (const check of rollout.checks.before) present.ask(check, record, rollout, seen)
    return { checks: present.checks, served: phase.name === 'watching' ? await this.#servedBy(record, rollout, phase.since) : null }
  }

  async #servedBy({ id, releases }: EnvironmentRecord, { target, stages }: Rollout, sinceMs: number): Promise<Served> {
    const origins = releases[target]?.origins ?? {}
    const changed = new Set(stages.flat().map((it) => it.service))
    const rows = await this.#ports.journal.loadLatencies(id, Math.max(0, this.#ports.journal.now() - sinceMs))
    const own = rows.filter((it) => changed.has(it.service) && origins[it.service] === it.origin)
    return { requests: own.reduce((sum, it) => sum + it.requests, 0), errors: own.reduce((sum, it) => sum + it.errors, 0) }
  }
}

/** One phase of one rollout. */
class Case {
  readonly key: string
  readonly #ports: CheckingPorts
  readonly #seen = new Map<string, CheckSeen>()
  readonly #askedAtMs = new Map<string, number>()

  constructor(key: string, ports: CheckingPorts) {
    this.key = key
    this.#ports = ports
  }

  get checks(): readonly CheckSeen[] {
    return [...this.#seen.values()]
  }

  /** Every ready replica has to answer; nothing waits for it. */
  ask({ service, probe, port }: PlannedCheck, { id, state, releases }: EnvironmentRecord, { target }: Rollout, seen: Seen): void {
    const declared = releases[target]?.graph.services[service]?.probes?.[probe]
    const name = `${service}/${probe}`
    const nowMs = this.#ports.clock.monotonic()
    if (!declared || nowMs - (this.#askedAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < ASK_EVERY_MS) return
    const origin = releases[target]?.origins?.[service]
    const replicas = Object.entries(state.replicas).filter(
      ([replica, it]) => it.service === service && it.origin === origin && !it.retired && seen.replicas.get(replica)?.phase === 'ready',
    )
    if (replicas.length === 0) return
    // no second time before the first has been answered
    this.#askedAtMs.set(name, Number.POSITIVE_INFINITY)
    const request = { port, path: declared.path, expect: declared.expect, timeoutMs: declared.timeoutMs }
    void Promise.all(replicas.map(([replica]) => this.#ports.driver.ask(replica, request)))
      .then((answers) => {
        const bad = answers.find((it) => !it.ok)
        const before = this.#seen.get(name) ?? { service, probe, good: 0, badInARow: 0, cause: null }
        this.#seen.set(
          name,
          bad ? { ...before, badInARow: before.badInARow + 1, cause: bad.cause } : { ...before, good: before.good + 1, badInARow: 0, cause: null },
        )
      })
      .catch(() => {}) // the driver does not answer: that is no answer of the replica
      .finally(() => {
        this.#askedAtMs.set(name, this.#ports.clock.monotonic())
        this.#ports.answered(id)
      })
  }
}
