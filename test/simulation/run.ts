import type { Builder } from '../../src/build/builder.ts'
import { NOTHING_BESIDE } from '../../src/controllers/beside.ts'
import type { World } from '../../src/controllers/control-plane.ts'
import type { AppGraph } from '../../src/core/model/app-graph.ts'
import { type Behaviours, EXITS, NEVER_READY, NO_FAULTS as NO_DRIVER_FAULTS, SERVES, SUCCEEDS } from '../../src/drivers/simulated/behaviour.ts'
import { SimulatedDriver } from '../../src/drivers/simulated/driver.ts'
import { NO_FAULTS as NO_GATEWAY_FAULTS, SimulatedGateway } from '../../src/gateway/simulated.ts'
import type { Source } from '../../src/source/source.ts'
import { SimulatedJournal } from '../../src/store/simulated.ts'
import { SimulatedStore } from '../../src/store/simulated-store.ts'
import { nextRelease, randomGraph } from './apps.ts'
import { SeededRandom, SimulatedClock } from './clock.ts'
import { type Incarnation, incarnate } from './incarnation.ts'
import { Invariants } from './invariants.ts'
import { Users } from './users.ts'

const POINTS = ['before-save', 'after-save', 'after-effect', 'after-outcome']
/** Faults have stopped: by then everything must have come to rest. */
const REST_MS = 40 * 60 * 1000
/** With sixty requests a second: often enough for a verdict, … */
const JUDGED_MS = 90_000
/** … and always. */
const PROOF_MS = 5 * 60_000

export interface SimulationResult {
  readonly seed: number
  readonly rollouts: number
  readonly crashes: number
  readonly faults: number
  /** Rollouts that ended by a verdict. */
  readonly passed: number
  readonly rejected: number
  readonly violations: readonly string[]
}

/** Everything that one seed decides. */
interface Simulation {
  readonly random: SeededRandom
  readonly clock: SimulatedClock
  readonly store: SimulatedStore
  readonly driver: SimulatedDriver
  readonly gateway: SimulatedGateway
  readonly environment: string
  readonly graph: AppGraph
  /** null: nobody sends a request. */
  readonly users: Users | null
  readonly code: Record<string, string>
  server: Incarnation
  crashes: number
  faults: number
  crashIn: number
  releases: number
  faultUntil: number
}

/**
 * One environment's life under one seed: `rollouts` deploys, rollbacks and commands in between, a crash in each and three faults around
 * it, then rest, then the invariants. The same seed gives the same run, to the last call.
 */
export async function simulate(
  seed: number,
  rollouts: number,
  inspect: (simulation: Simulation) => void = () => {},
  { judged = false, used = false }: { readonly judged?: boolean; readonly used?: boolean } = {},
): Promise<SimulationResult> {
  const random = new SeededRandom(seed)
  const clock = new SimulatedClock()
  const store = new SimulatedStore()
  const behaviours = badBuilds(new SeededRandom(seed + 1))
  const driver = new SimulatedDriver({ clock, random: new SeededRandom(seed + 2), behaviours })
  const gatewayFaults = {
    ...NO_GATEWAY_FAULTS,
    slowestAckMs: 5 + random.below(300),
    workerCrash: random.next() < 0.3 ? 0.05 : 0,
    lostHint: random.next() < 0.3 ? 0.3 : 0,
  }
  const gateway = new SimulatedGateway({
    clock,
    random: new SeededRandom(seed + 3),
    workers: 2,
    faults: gatewayFaults,
  })
  const environment = store.createEnvironment({ tenant: 'acme', app: 'shop', environment: 'production' })
  const graph = randomGraph(random, judged ? new SeededRandom(seed + 4) : null, { isUsed: used })
  const users = used ? new Users({ clock, store, gateway, environment, random: new SeededRandom(seed + 5) }) : null
  const invariants = new Invariants({ clock, store, driver, gateway, environment, users })
  invariants.workersDied = gatewayFaults.workerCrash > 0
  const simulation: Simulation = {
    random,
    clock,
    store,
    driver: invariants.watchDriver(driver),
    gateway,
    environment,
    graph,
    users,
    code: {},
    server: null as never,
    crashes: 0,
    faults: 0,
    crashIn: -1,
    releases: 0,
    faultUntil: 0,
  }
  simulation.server = serve(simulation, 's1', true, invariants)

  store.fault = (call) =>
    call !== 'hint' && clock.monotonic() < simulation.faultUntil && random.next() < 0.1 ? random.pick(['unavailable', 'lost-answer'] as const) : null
  for (let i = 0; i < rollouts; i++) {
    plan(simulation)
    await clock.run(random.below(4_000))
    for (let fault = 0; fault < 3; fault++) {
      disturb(simulation, invariants)
      await clock.run(random.below(3_000))
      revive(simulation, invariants)
    }
    if (random.next() < 0.6) interfere(simulation)
    await clock.run(random.below(60_000))
    calm(simulation)
    revive(simulation, invariants)
    await clock.run(used ? JUDGED_MS : 100)
    invariants.lying = false
  }
  simulation.crashIn = -1
  revive(simulation, invariants)
  if (used) {
    await clock.run(PROOF_MS)
    invariants.decided()
  }
  simulation.store.addCommand(environment, { kind: 'abort' }) // a canary that waits for a person would wait for ever
  await clock.run(REST_MS)
  inspect(simulation)
  invariants.atRest()
  await simulation.server.plane.stop()
  const { passed, rejected } = invariants.verdicts()
  return { seed, rollouts, crashes: simulation.crashes, faults: simulation.faults, passed, rejected, violations: invariants.violations }
}

/** Some code is bad: it exits, never gets ready, is slow, or its migration fails. Decided per release, so a restart behaves alike. */
function badBuilds(random: SeededRandom): Behaviours {
  const verdicts = new Map<string, number>()
  const luck = (key: string) => {
    const known = verdicts.get(key)
    if (known !== undefined) return known
    const drawn = random.next()
    verdicts.set(key, drawn)
    return drawn
  }
  return {
    replica: (spec) => {
      const drawn = luck(`${spec.service}@${spec.origin}`)
      if (spec.origin > 1 && drawn < 0.1) return EXITS
      if (spec.origin > 1 && drawn < 0.15) return NEVER_READY
      return drawn < 0.3 ? { ...SERVES, readyAfterMs: 4_000, stopsAfterMs: 3_000 } : SERVES
    },
    task: (spec) => (luck(spec.id) < 0.15 ? { runsForMs: 300, phase: 'failed' } : SUCCEEDS),
    resource: () => ({ readyAfterMs: 100 }),
  }
}

function serve(simulation: Simulation, name: string, force: boolean, invariants: Invariants): Incarnation {
  const { clock, random, store, gateway } = simulation
  const world: World = {
    clock,
    random,
    journal: new SimulatedJournal(store, clock),
    driver: simulation.driver,
    gateway: invariants.watchGateway(gateway),
    builder: idleBuilder,
    source: noSource,
    beside: { sideEvidence: async () => NOTHING_BESIDE },
  }
  return incarnate({
    name,
    world,
    force,
    dieAt: (point) => {
      if (simulation.crashIn < 0 || !POINTS.includes(point)) return false
      return simulation.crashIn-- === 0
    },
    failed: (error) => invariants.passFailed(error),
  })
}

/** Somebody deploys; now and then two at once, or goes back. */
function plan(simulation: Simulation): void {
  const { random, store, environment, graph, code } = simulation
  const deploy = () => {
    const made = nextRelease(graph, ++simulation.releases, random, code)
    store.createReadyRelease(environment, {
      graph: made.graph,
      artifacts: made.artifacts,
      fingerprints: made.fingerprints,
      whenBusy: random.next() < 0.3 ? 'supersede' : 'wait',
    })
  }
  if (simulation.releases > 1 && random.next() < 0.25) store.addCommand(environment, { kind: 'rollback', to: null, acceptSchema: random.next() < 0.5 })
  else deploy()
  if (random.next() < 0.15) deploy()
  simulation.crashIn = random.below(40)
}

function disturb(simulation: Simulation, invariants: Invariants): void {
  const { random, driver, gateway, clock, environment } = simulation
  simulation.faults++
  const { replicas, tasks } = driver.truth(environment)
  switch (random.below(8)) {
    case 0:
      driver.faults = { ...NO_DRIVER_FAULTS, lostAnswer: 0.2, unreachable: 0.2 }
      return
    case 1:
      driver.faults = { ...NO_DRIVER_FAULTS, lostHint: 0.8, slowMs: 2_000 }
      invariants.lying = true
      return
    case 2:
      driver.faults = { ...NO_DRIVER_FAULTS, stale: 0.3 }
      invariants.lying = true
      return
    case 3:
      if (replicas.length > 0) driver.crashReplica(random.pick(replicas).id)
      return
    case 4:
      gateway.crashWorker(random.below(2))
      invariants.workersDied = true
      return
    case 5:
      simulation.faultUntil = clock.monotonic() + 2_000
      return
    case 6:
      clock.jumpWall(random.pick([1, -1]) * 30 * 86_400_000)
      return
    default: {
      const running = tasks.filter((it) => it.phase === 'running')
      if (running.length > 0) driver.loseTask(random.pick(running).id)
      else freeze(simulation, invariants)
    }
  }
}

/** The leader stands still until another has taken over, then goes on as if nothing had been: its late writes and effects must be refused. */
function freeze(simulation: Simulation, invariants: Invariants): void {
  const frozen = simulation.server
  simulation.crashes++
  simulation.server = serve(simulation, `s${simulation.crashes + 1}`, true, invariants)
  simulation.clock.after(2_000 + simulation.random.below(20_000), () => frozen.kill())
}

function revive(simulation: Simulation, invariants: Invariants): void {
  if (simulation.server.alive()) return
  simulation.crashes++
  simulation.server = serve(simulation, `s${simulation.crashes + 1}`, true, invariants)
}

function calm(simulation: Simulation): void {
  simulation.driver.faults = NO_DRIVER_FAULTS
  simulation.faultUntil = 0
}

function interfere(simulation: Simulation): void {
  const { random, store, environment, graph } = simulation
  const service = random.pick(Object.keys(graph.services))
  switch (random.below(8)) {
    case 0:
      return void store.addCommand(environment, { kind: 'scale', service, replicas: random.pick([null, 1, 2, 4]) })
    case 1:
      return void store.addCommand(environment, { kind: 'weight', weight: random.below(101) })
    case 2:
    case 3:
      return void store.addCommand(environment, { kind: random.next() < 0.7 ? 'resume' : 'promote' })
    case 4:
      return void store.addCommand(environment, { kind: 'abort' })
    case 5:
      return void store.addCommand(environment, { kind: 'restart', service: random.next() < 0.5 ? service : null })
    case 6:
      store.addCommand(environment, { kind: 'stop', service: random.next() < 0.5 ? service : null })
      return void store.addCommand(environment, { kind: 'start', service: null })
    default:
      store.addCommand(environment, { kind: 'pause' })
      return void store.addCommand(environment, { kind: 'resume' })
  }
}

/** Releases are made ready by the simulated store itself; building and fetching have simulations of their own kind in their tests. */
const idleBuilder = { watch: () => () => {}, fence: () => {} } as unknown as Builder
const noSource = {} as Source
