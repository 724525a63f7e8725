import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ObservedReplica, ObservedTask } from '../core/model/replica.ts'
import { isWeirError } from '../errors.ts'
import type { Driver, ReplicaSpec, TaskSpec } from './driver.ts'

/** A driver with a world around it that the suite can arrange. */
export interface DriverUnderTest {
  readonly driver: Driver
  /** `serves`: ready soon, ends when asked. `never-ready`: runs, answers nobody. `exits`: ends at once with 7, after printing `Error: no luck`. */
  replica(id: string, environment: string, behaviour: 'serves' | 'never-ready' | 'exits'): ReplicaSpec
  /** `lasts`: longer than the suite. */
  task(id: string, environment: string, behaviour: 'succeeds' | 'fails' | 'lasts'): TaskSpec
  /** How often anything ran for this id. */
  runs(id: string): number | Promise<number>
  /** Lets time pass until `condition` holds; throws when it does not in reasonable time. */
  until(condition: () => Promise<boolean>, what: string): Promise<void>
  close(): Promise<void>
}

/** What every driver does, whatever runs beneath it. */
export function driverContract(name: string, make: () => Promise<DriverUnderTest>): void {
  describe(`the ${name} driver`, () => {
    let world: DriverUnderTest
    let epoch = 1
    before(async () => {
      world = await make()
    })
    after(() => world.close())

    const replicaOf = async (environment: string, id: string): Promise<ObservedReplica | undefined> =>
      (await world.driver.observe(environment)).replicas.find((it) => it.id === id)
    const taskOf = async (environment: string, id: string): Promise<ObservedTask | undefined> =>
      (await world.driver.observe(environment)).tasks.find((it) => it.id === id)
    const untilPhase = (environment: string, id: string, phase: ObservedReplica['phase']) =>
      world.until(async () => (await replicaOf(environment, id))?.phase === phase, `${id} is ${phase}`)
    const untilGone = (environment: string, id: string) => world.until(async () => (await replicaOf(environment, id)) === undefined, `${id} is gone`)

    test('a replica becomes ready, with an address and a number for each of its ports', async () => {
      await world.driver.startReplica(world.replica('c1-web-v1-1', 'c1', 'serves'), epoch)
      await untilPhase('c1', 'c1-web-v1-1', 'ready')
      const replica = await replicaOf('c1', 'c1-web-v1-1')
      assert.equal(typeof replica?.address, 'string')
      assert.ok((replica?.ports['http'] ?? 0) > 0)
      assert.equal(replica?.cause, null)
      assert.equal(replica?.restarts, 0)
    })

    test('a replica is asked past the gateway, and one that is not there does not answer as it should', async () => {
      const request = { port: 'http', path: '/', expect: 200, timeoutMs: 2_000 }
      const good = await world.driver.ask('c1-web-v1-1', request)
      assert.deepEqual(good, { ok: true, cause: null })
      const { ok, cause } = await world.driver.ask('c1-web-v9-9', request)
      assert.equal(ok, false)
      assert.equal(typeof cause, 'string')
    })

    test('it is observed from the moment that its start was accepted', async () => {
      await world.driver.startReplica(world.replica('c1-web-v1-2', 'c1', 'serves'), epoch)
      assert.ok(['starting', 'ready'].includes((await replicaOf('c1', 'c1-web-v1-2'))?.phase ?? 'not there'))
    })

    test('starting the same id twice starts one', async () => {
      const spec = world.replica('c1-web-v1-3', 'c1', 'serves')
      await Promise.all([world.driver.startReplica(spec, epoch), world.driver.startReplica(spec, epoch)])
      await world.driver.startReplica(spec, epoch)
      await untilPhase('c1', spec.id, 'ready')
      assert.equal((await world.driver.observe('c1')).replicas.filter((it) => it.id === spec.id).length, 1)
      assert.equal(await world.runs(spec.id), 1)
    })

    test('two replicas never have the same port', async () => {
      const { replicas } = await world.driver.observe('c1')
      const ports = replicas.flatMap((it) => Object.values(it.ports))
      assert.equal(new Set(ports).size, ports.length)
    })

    test('a stopped replica ends and is forgotten; stopping it again, or an unknown one, is fine', async () => {
      await world.driver.stopReplica('c1-web-v1-1', epoch)
      await untilGone('c1', 'c1-web-v1-1')
      await world.driver.stopReplica('c1-web-v1-1', epoch)
      await world.driver.stopReplica('c1-web-v9-99', epoch)
    })

    test('a replica can be stopped before it is ready', async () => {
      await world.driver.startReplica(world.replica('c1-web-v1-4', 'c1', 'never-ready'), epoch)
      await world.driver.stopReplica('c1-web-v1-4', epoch)
      await untilGone('c1', 'c1-web-v1-4')
    })

    test('a replica that never becomes ready fails, and says why', async () => {
      await world.driver.startReplica(world.replica('c1-web-v1-5', 'c1', 'never-ready'), epoch)
      await untilPhase('c1', 'c1-web-v1-5', 'failed')
      assert.notEqual((await replicaOf('c1', 'c1-web-v1-5'))?.cause, null)
      await world.driver.stopReplica('c1-web-v1-5', epoch)
      await untilGone('c1', 'c1-web-v1-5')
    })

    test('a replica that exits is restarted, and fails when that is of no use, with its exit and what it printed', async () => {
      await world.driver.startReplica(world.replica('c1-web-v1-6', 'c1', 'exits'), epoch)
      await untilPhase('c1', 'c1-web-v1-6', 'failed')
      const replica = await replicaOf('c1', 'c1-web-v1-6')
      assert.equal(replica?.cause, 'exited with 7: Error: no luck')
      assert.deepEqual(replica?.exit, { kind: 'code', code: 7 })
      assert.ok((replica?.restarts ?? 0) > 0)
      assert.ok(replica?.lastLines.includes('Error: no luck'))
    })

    test('a task runs once, and its outcome stays until it is forgotten', async () => {
      const spec = world.task('c2-migrate-v1', 'c2', 'succeeds')
      await Promise.all([world.driver.startTask(spec, epoch), world.driver.startTask(spec, epoch)])
      await world.until(async () => (await taskOf('c2', spec.id))?.phase === 'succeeded', 'the task has succeeded')
      await world.driver.startTask(spec, epoch)
      assert.equal((await taskOf('c2', spec.id))?.phase, 'succeeded')
      assert.equal(await world.runs(spec.id), 1)
      await world.driver.forgetTask(spec.id, epoch)
      assert.equal(await taskOf('c2', spec.id), undefined)
    })

    test('a task that fails says how it ended', async () => {
      await world.driver.startTask(world.task('c2-migrate-v2', 'c2', 'fails'), epoch)
      await world.until(async () => (await taskOf('c2', 'c2-migrate-v2'))?.phase === 'failed', 'the task has failed')
      assert.deepEqual((await taskOf('c2', 'c2-migrate-v2'))?.exit, { kind: 'code', code: 7 })
    })

    test('a running task is ended by forgetting it', async () => {
      await world.driver.startTask(world.task('c2-migrate-v3', 'c2', 'lasts'), epoch)
      await world.until(async () => (await taskOf('c2', 'c2-migrate-v3'))?.phase === 'running', 'the task runs')
      await world.driver.forgetTask('c2-migrate-v3', epoch)
      assert.equal(await taskOf('c2', 'c2-migrate-v3'), undefined)
    })

    test('a resource becomes ready and can be asked for again', async () => {
      const spec = { environment: 'c3', name: 'data', account: { app: 3 }, kind: 'volume' } as const
      await world.driver.ensureResource(spec, epoch)
      await world.driver.ensureResource(spec, epoch)
      const phase = async () => (await world.driver.observe('c3')).resources.map((it) => it.phase).join()
      await world.until(async () => (await phase()) === 'ready', 'the volume is ready')
      await world.driver.removeResource('c3', 'data', true, epoch)
      assert.equal(await phase(), '')
      await world.driver.removeResource('c3', 'data', true, epoch)
    })

    test('environments are those of which anything exists', async () => {
      const environments = await world.driver.environments()
      assert.deepEqual([...environments].filter((it) => /^c\d$/.test(it)).sort(), ['c1', 'c2'])
      assert.deepEqual(await world.driver.observe('nowhere'), { replicas: [], tasks: [], resources: [] })
    })

    test('a change is told to those who watch, until they no longer do', async () => {
      const heard: string[] = []
      const stop = world.driver.watch((environment) => heard.push(environment))
      await world.driver.observe('c4') // a driver that must first connect has done so now
      await world.driver.startReplica(world.replica('c4-web-v1-1', 'c4', 'serves'), epoch)
      await untilPhase('c4', 'c4-web-v1-1', 'ready')
      await world.until(async () => heard.includes('c4'), 'the change was heard')
      stop()
      heard.length = 0
      await world.driver.stopReplica('c4-web-v1-1', epoch)
      await untilGone('c4', 'c4-web-v1-1')
      assert.deepEqual(heard, [])
    })

    test('after a higher epoch every effect of a lower one is refused, and observing is not', async () => {
      epoch = 2
      await world.driver.fence(epoch)
      const refused = (effect: Promise<void>) => assert.rejects(effect, (error) => isWeirError(error, 'E_STALE_EPOCH'))
      await refused(world.driver.startReplica(world.replica('c1-web-v1-7', 'c1', 'serves'), 1))
      await refused(world.driver.stopReplica('c1-web-v1-2', 1))
      await refused(world.driver.startTask(world.task('c2-migrate-v4', 'c2', 'succeeds'), 1))
      await refused(world.driver.forgetTask('c2-migrate-v2', 1))
      await refused(world.driver.ensureResource({ environment: 'c3', name: 'data', account: { app: 3 }, kind: 'volume' }, 1))
      await refused(world.driver.removeResource('c3', 'data', true, 1))
      await refused(world.driver.fence(1))
      assert.equal((await replicaOf('c1', 'c1-web-v1-2'))?.phase, 'ready')
    })

    test('an effect with a higher epoch fences too', async () => {
      await world.driver.stopReplica('c1-web-v1-2', 3)
      await assert.rejects(world.driver.fence(2), (error) => isWeirError(error, 'E_STALE_EPOCH'))
    })
  })
}
