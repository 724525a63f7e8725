import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom, SimulatedClock } from '../../test/simulation/clock.ts'
import { isWeirError } from '../errors.ts'
import { NO_FAULTS, SimulatedGateway, type SimulatedGatewayFaults } from './simulated.ts'
import { group, route, service, table } from './testing.ts'

const web = { web: service(group(1, { r1: 1 })) }

test('a lost answer leaves open whether the table was taken', async () => {
  const outcomes = new Set<boolean>()
  for (let seed = 0; seed < 20; seed++) {
    const { gateway } = world(seed, { lostAnswer: 1 })
    await assert.rejects(gateway.publish(table('e1', 1, [route(null)], web)), (error) => isWeirError(error, 'E_UNAVAILABLE'))
    outcomes.add(gateway.tables().has('e1'))
  }
  assert.deepEqual(outcomes, new Set([true, false]))
})

test('a slow worker keeps the old table until it acknowledges', async () => {
  const { gateway, clock } = world(1, { slowestAckMs: 1000 })
  await gateway.publish(table('e1', 1, [route(null)], web))
  await clock.run(1000)
  await gateway.publish(table('e1', 2, [route(null)], web))
  assert.deepEqual(
    gateway.workerTables('e1').map((it) => it?.version.n),
    [1, 1],
  )
  assert.equal((await gateway.observe('e1')).acknowledged?.n, 1)
  await clock.run(1000)
  assert.equal((await gateway.observe('e1')).acknowledged?.n, 2)
})

test('a crashed worker loses its open counts and comes back with the kept table', async () => {
  const { gateway, clock } = world(1, {}, 1)
  await gateway.publish(table('e1', 1, [route(null)], web))
  await clock.run(100)
  gateway.begin('e1', 'web')
  gateway.crashWorker(0)
  assert.deepEqual(await gateway.observe('e1'), { hasTable: true, acknowledged: null, inflight: {}, refused: [] })
  assert.deepEqual(await gateway.counters(10), [])
  await clock.run(100)
  assert.equal((await gateway.observe('e1')).acknowledged?.n, 1)
})

test('the same seed gives the same run', async () => {
  const run = async () => {
    const { gateway, clock } = world(42, { slowestAckMs: 50, lostAnswer: 0.2, workerCrash: 0.2, lostHint: 0.3 })
    const trace: unknown[] = []
    gateway.watch((environment) => trace.push([clock.monotonic(), environment]))
    for (let n = 1; n <= 30; n++) {
      await gateway.publish(table('e1', n, [route(null)], web)).catch((error: Error) => trace.push(error.message))
      await clock.run(20)
      trace.push((await gateway.observe('e1')).acknowledged)
    }
    return trace
  }
  assert.deepEqual(await run(), await run())
})

function world(seed: number, faults: Partial<SimulatedGatewayFaults>, workers = 2): { gateway: SimulatedGateway; clock: SimulatedClock } {
  const clock = new SimulatedClock()
  return { clock, gateway: new SimulatedGateway({ clock, random: new SeededRandom(seed), workers, faults: { ...NO_FAULTS, ...faults } }) }
}
