import type { AppGraph } from '../../src/core/model/app-graph.ts'
import { type EnvironmentState, INITIAL_STATE } from '../../src/core/rollout/state.ts'
import type { ReplicaSpec } from '../../src/drivers/driver.ts'
import type { SimulatedDriver } from '../../src/drivers/simulated/driver.ts'
import { isWeirError } from '../../src/errors.ts'
import type { SimulatedGateway } from '../../src/gateway/simulated.ts'
import type { SimulatedStore } from '../../src/store/simulated-store.ts'
import type { SimulatedClock } from './clock.ts'
import type { Users } from './users.ts'

const UNDECIDED: ReadonlySet<string> = new Set(['splitting', 'shadowing', 'checking', 'watching'])

interface Watched {
  readonly clock: SimulatedClock
  readonly store: SimulatedStore
  readonly driver: SimulatedDriver
  readonly gateway: SimulatedGateway
  readonly environment: string
  readonly users: Users | null
}

/**
 * What must hold whatever happens. Some are checked at every effect, the rest when everything has come to rest:
 *
 * - effects: a stopped replica is in no worker's table · order kept · a task runs once · weights in 0…100
 *   the old release is whole until there is a verdict
 * - rest: a rollout that is judged was promoted by proof or by a person's word; by proof never one that is broken where the release before was not
 * - rest: with requests enough, nothing that works waits for evidence · each request is evidence once
 * - rest: every acknowledged command has an outcome · every rollout has ended or says why it waits · what runs is what is wanted, no more ·
 *   the table shows exactly what is ready · what serves is a release that was promoted
 */
export class Invariants {
  readonly violations: string[] = []
  /** The driver shows the past for a while. */
  lying = false
  /** With what they had counted. */
  workersDied = false
  readonly #watched: Watched

  constructor(watched: Watched) {
    this.#watched = watched
  }

  violated(what: string): void {
    this.violations.push(`at ${this.#watched.clock.monotonic()} ms: ${what}`)
  }

  /** A pass may fail (faults, fencing, death); only what names a bug is a violation. */
  passFailed(error: unknown): void {
    if (isWeirError(error, 'E_UNAVAILABLE') || isWeirError(error, 'E_STALE_EPOCH') || (error instanceof Error && error.message === 'killed')) return
    this.violated(`a pass failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
  }

  watchDriver(driver: SimulatedDriver): SimulatedDriver {
    return intercept(driver, {
      startReplica: ([spec]) => this.#checkOrder(spec as ReplicaSpec),
      stopReplica: ([id]) => this.#checkDrained(id as string),
    })
  }

  watchGateway(gateway: SimulatedGateway): SimulatedGateway {
    return intercept(gateway, {
      publish: ([table]) => {
        const { split } = table as { split: { weight: number } | null }
        if (split && !(split.weight >= 0 && split.weight <= 100)) this.violated(`weight ${split.weight}`)
        this.#checkBaseWhole()
      },
    })
  }

  atRest(): void {
    const { store, driver, environment } = this.#watched
    const row = store.must(environment)
    const state = this.#state()
    for (const command of row.commands) if (command.outcome === 'pending') this.violated(`command ${command.id} was acknowledged and never taken`)
    if (state.rollout && (!['splitting', 'shadowing', 'held'].includes(state.rollout.phase.name) || !state.rollout.waits))
      this.violated(`rollout ${state.rollout.id} still ${state.rollout.phase.name}`)
    if (state.waiting.length > 0 && !state.rollout) this.violated('rollouts wait for nothing')

    const really = new Set(driver.truth(environment).replicas.map((it) => it.id))
    const wanted = new Set(Object.keys(state.replicas))
    for (const id of really) if (!wanted.has(id)) this.violated(`${id} runs and nobody wants it`)
    for (const [id, record] of Object.entries(state.replicas))
      if (!record.retired && !really.has(id) && !state.setbacks[`${record.service}@${record.origin}`]) this.violated(`${id} is wanted and does not run`)
    for (const [id, record] of Object.entries(state.replicas)) if (record.retired) this.violated(`${id} was retired and is still there`)

    if (state.current !== null && !row.releases.get(state.current)?.promoted) this.violated(`v${state.current} serves and was never promoted`)
    this.#checkTable(state)
    this.#checkTasks()
    this.#checkGrounds()
  }

  /** While the target is compared, copied to, checked or watched, as many replicas of the base are wanted as before. */
  #checkBaseWhole(): void {
    const state = this.#state()
    const { rollout } = state
    if (!rollout || rollout.base === null || !UNDECIDED.has(rollout.phase.name)) return
    const row = this.#watched.store.must(this.#watched.environment)
    const base = row.releases.get(rollout.base)
    const known = base ? (JSON.parse(base.document) as { graph: AppGraph; origins: Record<string, number> | null }) : null
    for (const { service, manner } of rollout.stages.flat()) {
      const spec = known?.graph.services[service]
      const origin = known?.origins?.[service]
      if (!spec || manner === 'replace' || origin === undefined || state.setbacks[`${service}@${origin}`]) continue
      if (state.stopped.includes('*') || state.stopped.includes(service)) continue
      const wanted = state.wishes[service] ?? spec.scale.min
      const there = Object.values(state.replicas).filter((it) => it.service === service && it.origin === origin && !it.retired).length
      if (there < wanted) this.violated(`${service}@${origin} has ${there} of ${wanted} replicas while ${rollout.id} is ${rollout.phase.name}`)
    }
  }

  /** Whatever was promoted of what is judged was so by a person, and says so, or by proof, and where there are no users by a person alone. */
  #checkGrounds(): void {
    for (const { id, strategy, outcome, because, base, target } of this.#rollouts()) {
      if (outcome !== 'promoted' || !(strategy === 'shadow' || strategy === 'canary') || because?.code === 'approved') continue
      if (because?.code !== 'passed' || this.#watched.users === null) this.violated(`${id} (${strategy}) was promoted because of ${because?.text ?? 'nothing'}`)
      else if (this.#isBroken(base, target)) this.violated(`${id} is broken and was promoted: ${because.text}`)
    }
    const miscounted = this.#watched.users?.miscounted(this.workersDied)
    if (miscounted) this.violated(miscounted)
  }

  /** Long after the last fault, with users all the while: a verdict is there, or a person is waited for. */
  decided(): void {
    const { rollout } = this.#state()
    if (rollout?.phase.name === 'splitting' && rollout.waits?.for === 'evidence') this.violated(`${rollout.id} still waits: ${rollout.waits.text}`)
  }

  verdicts(): { readonly passed: number; readonly rejected: number } {
    const ended = (by: string, code: string) => this.#rollouts().filter(({ outcome, because }) => outcome === by && because?.code === code).length
    return { passed: ended('promoted', 'passed'), rejected: ended('failed', 'E_REJECTED') }
  }

  #rollouts() {
    return [...this.#watched.store.must(this.#watched.environment).rollouts.values()]
  }

  /** Something is broken that works in the release before. */
  #isBroken(base: number | null, target: number): boolean {
    const { users } = this.#watched
    const [before, after] = [this.#originsOf(base), this.#originsOf(target)]
    const breaks = (service: string, origin: number | undefined) => origin !== undefined && users?.isBroken(service, origin) === true
    return Object.entries(after).some(([service, origin]) => breaks(service, origin) && !breaks(service, before[service]))
  }

  #originsOf(release: number | null): Readonly<Record<string, number>> {
    const row = release === null ? undefined : this.#watched.store.must(this.#watched.environment).releases.get(release)
    return row ? ((JSON.parse(row.document) as { origins: Record<string, number> | null }).origins ?? {}) : {}
  }

  /** What every worker routes by is what is really ready. */
  #checkTable(state: EnvironmentState): void {
    const { gateway, driver, environment } = this.#watched
    if (state.current === null) return
    const ready = new Set(driver.truth(environment).replicas.flatMap((it) => (it.phase === 'ready' ? [it.id] : [])))
    for (const table of gateway.workerTables(environment)) {
      if (!table) {
        this.violated('a worker has no table')
        continue
      }
      for (const [service, { stable }] of Object.entries(table.services)) {
        for (const { id } of stable.targets) if (!ready.has(id)) this.violated(`${service} is routed to ${id}, which is not ready`)
        const expected = Object.entries(state.replicas).filter(([id, it]) => it.service === service && it.origin === stable.origin && ready.has(id)).length
        if (expected !== stable.targets.length) this.violated(`${service} has ${expected} ready replicas and ${stable.targets.length} targets`)
      }
    }
  }

  /** At most once per id, over all crashes. */
  #checkTasks(): void {
    const runs = new Map<string, number>()
    for (const { event, id } of this.#watched.driver.history) if (event === 'task-started') runs.set(id, (runs.get(id) ?? 0) + 1)
    for (const [id, count] of runs) if (count > 1) this.violated(`${id} ran ${count} times`)
  }

  /** The replica must be in no table that any worker routes by; then stopping it loses no request. */
  #checkDrained(id: string): void {
    const { gateway, driver, environment } = this.#watched
    const phase = driver.truth(environment).replicas.find((it) => it.id === id)?.phase
    if (phase !== 'ready') return
    for (const table of gateway.workerTables(environment)) {
      for (const { stable, canary } of Object.values(table?.services ?? {})) {
        if ([...stable.targets, ...(canary?.targets ?? [])].some((it) => it.id === id)) this.violated(`${id} is stopped while a worker still routes to it`)
      }
    }
  }

  /** Whatever the service depends on in its release is ready when it first starts. */
  #checkOrder(spec: ReplicaSpec): void {
    const { driver, environment, store } = this.#watched
    const there = driver.truth(environment)
    if (there.replicas.some((it) => it.id === spec.id)) return // adopted, not started
    const row = store.must(environment)
    const release = row.releases.get(spec.origin)
    const graph = release ? (JSON.parse(release.document) as { graph: { services: Record<string, { dependsOn: Record<string, unknown> }> } }).graph : null
    for (const callee of Object.keys(graph?.services[spec.service]?.dependsOn ?? {})) {
      const known = Object.values(this.#state().replicas).some((it) => it.service === callee)
      const ready = there.replicas.some((it) => it.phase === 'ready' && it.id.includes(`-${callee}-v`))
      if (known && !ready && !this.#mayBePast()) this.violated(`${spec.id} starts before ${callee} is ready`)
    }
  }

  /** A callee that just died was ready when it was looked at; so was everything a lying driver shows. */
  #mayBePast(): boolean {
    const { driver, clock } = this.#watched
    return this.lying || driver.history.some((it) => it.event === 'replica-exited' && clock.monotonic() - it.at < 30_000)
  }

  #state(): EnvironmentState {
    return { ...INITIAL_STATE, ...(JSON.parse(this.#watched.store.must(this.#watched.environment).state) as Partial<EnvironmentState>) }
  }
}

/** Calls `before` with the arguments of each named method, then the method. */
function intercept<T extends object>(port: T, before: Readonly<Record<string, (args: readonly unknown[]) => void>>): T {
  return new Proxy(port, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      const check = typeof key === 'string' ? before[key] : undefined
      return (...args: unknown[]) => {
        check?.(args)
        return value.apply(target, args) as unknown
      }
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  })
}
