import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock, Random } from '../../core/model/world.ts'
import { isWeirError } from '../../errors.ts'
import { driverContract } from '../contract.ts'
import type { ReplicaSpec, TaskSpec } from '../driver.ts'
import { ALL_WELL, type Behaviours, EXITS, NEVER_READY, NO_FAULTS, SERVES } from './behaviour.ts'
import { SimulatedDriver } from './driver.ts'

class ManualClock implements Clock {
  #now = 0
  #timers: { at: number; call: () => void }[] = []
  monotonic = () => this.#now
  wall = () => this.#now
  after(ms: number, call: () => void): () => void {
    const timer = { at: this.#now + ms, call }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((it) => it !== timer)
    }
  }
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.filter((it) => it.at <= end).sort((a, b) => a.at - b.at)[0]
      if (!next) break
      this.#timers = this.#timers.filter((it) => it !== next)
      this.#now = next.at
      next.call()
    }
    this.#now = end
  }
}

function seeded(seed: number): Random {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return {
    next,
    hex: (bytes) =>
      Array.from({ length: bytes }, () =>
        Math.floor(next() * 256)
          .toString(16)
          .padStart(2, '0'),
      ).join(''),
  }
}

const common = {
  account: { app: 1 },
  slug: `sha256:${'0'.repeat(64)}`,
  runtime: null,
  environmentVariables: {},
  secrets: [],
  uses: [],
  limits: { cpu: 1, memoryBytes: 2 ** 28 },
}
function replica(id: string, environment: string, does: string): ReplicaSpec {
  const healthcheck = { kind: 'http', path: '/', port: 'http', intervalMs: 100, timeoutMs: 100, retries: 2, startPeriodMs: 500 } as const
  return {
    ...common,
    id,
    environment,
    argv: [does],
    service: 'web',
    origin: 1,
    ports: ['http'],
    healthcheck,
    stop: { signal: 'SIGTERM', graceMs: 1000 },
    volumes: [],
    telemetry: null,
  }
}
function task(id: string, environment: string, does: string): TaskSpec {
  return { ...common, id, environment, service: 'web', origin: 1, telemetry: null, argv: [does], timeoutMs: 1_000_000 }
}
const BY_ARGV: Behaviours = {
  ...ALL_WELL,
  replica: ({ argv }) => ({ serves: SERVES, 'never-ready': NEVER_READY, exits: EXITS })[argv[0] ?? ''] ?? SERVES,
  task: ({ argv }) => ({ runsForMs: argv[0] === 'lasts' ? null : 50, phase: argv[0] === 'fails' ? 'failed' : 'succeeded' }),
}

driverContract('simulated', async () => {
  const clock = new ManualClock()
  const driver = new SimulatedDriver({ clock, random: seeded(1), behaviours: BY_ARGV })
  return {
    driver,
    replica,
    task,
    runs: (id) => driver.history.filter((it) => it.id === id && ['replica-started', 'task-started'].includes(it.event)).length,
    until: async (condition, what) => {
      for (let round = 0; round < 10_000; round++) {
        if (await condition()) return
        clock.advance(10)
      }
      assert.fail(`never: ${what}`)
    },
    close: async () => {},
  }
})

test('an effect whose answer is lost has happened', async () => {
  const driver = new SimulatedDriver({ clock: new ManualClock(), random: seeded(1), faults: { ...NO_FAULTS, lostAnswer: 1 } })
  await assert.rejects(driver.startReplica(replica('r', 'e', 'serves'), 1), (error) => isWeirError(error, 'E_UNAVAILABLE'))
  assert.equal(driver.truth('e').replicas.length, 1)
})

test('an effect that does not reach the driver has not happened', async () => {
  const driver = new SimulatedDriver({ clock: new ManualClock(), random: seeded(1), faults: { ...NO_FAULTS, unreachable: 1 } })
  await assert.rejects(driver.startReplica(replica('r', 'e', 'serves'), 1))
  assert.deepEqual(driver.truth('e').replicas, [])
})

test('a stale observation is what was observed before', async () => {
  const driver = new SimulatedDriver({ clock: new ManualClock(), random: seeded(1) })
  await driver.observe('e')
  await driver.startReplica(replica('r', 'e', 'serves'), 1)
  driver.faults = { ...NO_FAULTS, stale: 1 }
  assert.deepEqual((await driver.observe('e')).replicas, [])
  driver.faults = NO_FAULTS
  assert.equal((await driver.observe('e')).replicas.length, 1)
})

test('a crashed replica waits and is restarted with growing delays', async () => {
  const clock = new ManualClock()
  const driver = new SimulatedDriver({ clock, random: seeded(1) })
  await driver.startReplica(replica('r', 'e', 'serves'), 1)
  for (const delayMs of [200, 400, 800]) {
    clock.advance(1000)
    assert.equal(driver.truth('e').replicas[0]?.phase, 'ready')
    driver.crashReplica('r')
    clock.advance(delayMs - 1)
    assert.equal(driver.truth('e').replicas[0]?.phase, 'waiting')
    clock.advance(1)
    assert.equal(driver.truth('e').replicas[0]?.phase, 'starting')
  }
})

test('a lost task is unknown', async () => {
  const driver = new SimulatedDriver({ clock: new ManualClock(), random: seeded(1) })
  await driver.startTask(task('t', 'e', 'lasts'), 1)
  driver.loseTask('t')
  assert.equal(driver.truth('e').tasks[0]?.phase, 'unknown')
})

test('the same seed gives the same history', async () => {
  const run = async (seed: number) => {
    const clock = new ManualClock()
    const driver = new SimulatedDriver({ clock, random: seeded(seed), faults: { ...NO_FAULTS, unreachable: 0.3, lostAnswer: 0.3 } })
    for (let n = 0; n < 100; n++) {
      await driver.startReplica(replica(`r${n}`, 'e', 'serves'), 1).catch(() => {})
      clock.advance(10)
    }
    return JSON.stringify(driver.history)
  }
  assert.equal(await run(7), await run(7))
  assert.notEqual(await run(7), await run(8))
})
