import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom, SimulatedClock } from '../../test/simulation/clock.ts'
import type { TableVersion } from '../core/model/routing.ts'
import { SimulatedDriver } from '../drivers/simulated/driver.ts'
import { NO_FAULTS, SimulatedGateway } from '../gateway/simulated.ts'
import { SimulatedJournal } from '../store/simulated.ts'
import { SimulatedStore } from '../store/simulated-store.ts'
import { type Beside, NOTHING_BESIDE } from './beside.ts'
import { Checks } from './checking.ts'
import { reconcileEnvironment } from './environment.ts'
import { Judges } from './judging.ts'

const NO_BESIDE: Beside = { sideEvidence: async () => NOTHING_BESIDE }

test('what is left of an environment that is gone is withdrawn once, and then left alone', async () => {
  const clock = new SimulatedClock()
  const random = new SeededRandom(1)
  const withdrawn: TableVersion[] = []
  const gateway = new SimulatedGateway({ clock, random, workers: 1, faults: NO_FAULTS })
  const withdraw = gateway.withdraw.bind(gateway)
  gateway.withdraw = (environment, version) => {
    withdrawn.push(version)
    return withdraw(environment, version)
  }
  await gateway.publish({ environment: 'e9', version: { epoch: 0, n: 4 }, label: 'gone', listeners: [], services: {}, split: null, trial: null, shadow: null })
  await clock.run(1_000)
  const ports = {
    journal: new SimulatedJournal(new SimulatedStore(), clock),
    driver: new SimulatedDriver({ clock, random }),
    gateway,
    clock,
    random,
    judges: new Judges({ journal: new SimulatedJournal(new SimulatedStore(), clock), beside: NO_BESIDE, clock, hurry: () => {} }),
    checks: new Checks({
      journal: new SimulatedJournal(new SimulatedStore(), clock),
      driver: new SimulatedDriver({ clock, random }),
      clock,
      answered: () => {},
    }),
    epoch: () => 0,
    edgeAddress: () => '127.64.1.1',
  }
  for (let pass = 0; pass < 3; pass++) {
    const done = reconcileEnvironment(ports, 'e9')
    await clock.run(1_000)
    assert.equal(await done, null)
  }
  assert.deepEqual(withdrawn, [{ epoch: 0, n: 5 }])
})

test('a pass asks the gateway about its own environment, once, and not for the list of all', async () => {
  const clock = new SimulatedClock()
  const random = new SeededRandom(1)
  const store = new SimulatedStore()
  const id = store.createEnvironment({ tenant: 'acme', app: 'shop', environment: 'production' })
  const asked: string[] = []
  const gateway = new SimulatedGateway({ clock, random, workers: 1, faults: NO_FAULTS })
  const told = new Proxy(gateway, {
    get(of, name) {
      const call = Reflect.get(of, name) as (...args: unknown[]) => unknown
      return (...args: unknown[]) => {
        asked.push(`${String(name)} ${typeof args[0] === 'string' ? args[0] : ''}`.trim())
        return call.apply(of, args)
      }
    },
  })
  const journal = new SimulatedJournal(store, clock)
  const epoch = await journal.acquire('test', true)
  const driver = new SimulatedDriver({ clock, random })
  const judges = new Judges({ journal, beside: NO_BESIDE, clock, hurry: () => {} })
  const checks = new Checks({ journal, driver, clock, answered: () => {} })
  const pass = async () => {
    asked.length = 0
    const done = reconcileEnvironment(
      { journal, driver, gateway: told, clock, random, judges, checks, epoch: () => epoch ?? 0, edgeAddress: () => '127.64.1.1' },
      id,
    )
    await clock.run(1_000)
    await done
  }
  await pass()
  await pass()
  assert.deepEqual(asked, [`observe ${id}`])
})
