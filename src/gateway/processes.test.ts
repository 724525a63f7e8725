import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { ask, group, isAlive, Processes, pause, route, service, startLoad, startTarget, type Target, table, until, workersOf } from './testing.ts'

describe('killed and stopped processes of the gateway', () => {
  let target: Target
  let gateway: Processes
  // As the runner sets it: connections queued at a listener that closes go to the next one instead of being reset.
  const migrate = '/proc/sys/net/ipv4/tcp_migrate_req'
  const was = readFileSync(migrate, 'utf8')
  before(async () => {
    if (process.getuid?.() === 0) writeFileSync(migrate, '1')
    target = await startTarget((request, response) => {
      if (request.url === '/slow') setTimeout(() => response.end('slow'), 150)
      else response.end('ok')
    })
  })
  after(() => {
    if (process.getuid?.() === 0) writeFileSync(migrate, was)
    return target.close()
  })
  beforeEach(async () => {
    gateway = await Processes.start({ WEIR_GATEWAY_WORKERS: '2' })
    await gateway.publish(app(1))
    await until(() => workersOf(gateway).length === 2, 'two workers')
  })
  afterEach(() => gateway.stop())

  const app = (n: number, replica = 'r1') => table('e1', n, [route('shop.test')], { web: service(group(1, { [replica]: target.port })) })

  test('a killed worker refuses no connection and loses only what it had in flight', async () => {
    const load = startLoad(gateway.port, 'shop.test', 6)
    for (let i = 0; i < 3; i++) {
      await pause(200)
      process.kill(workersOf(gateway)[0] as number, 'SIGKILL')
      await until(() => workersOf(gateway).length === 2, 'another worker came')
    }
    await pause(200)
    const { answered, failures } = await load.stop()
    assert.ok(answered > 0)
    assert.ok(failures.length <= 3 * 6, failures.join())
    assert.deepEqual(
      failures.filter((code) => code === 'ECONNREFUSED'),
      [],
    )
  })

  test('the only worker killed: connections wait for the next one', async () => {
    const single = await Processes.start()
    await single.publish(app(1))
    process.kill(workersOf(single)[0] as number, 'SIGKILL')
    assert.equal((await ask({ port: single.port, headers: { host: 'shop.test' } })).body, 'ok')
    await single.stop()
  })

  test('a killed parent: its workers go on, the next one takes over without a failed request, and they leave', async () => {
    const before = workersOf(gateway)
    const load = startLoad(gateway.port, 'shop.test', 4)
    await pause(200)
    gateway.parent?.kill('SIGKILL')
    await pause(300)
    await gateway.startParent()
    await until(async () => (await gateway.client.observe('e1')).acknowledged?.n === 1, 'the table is in place again')
    await until(() => before.every((pid) => !isAlive(pid)), 'the workers of the dead parent have left')
    await gateway.publish(app(2, 'r2'))
    await pause(100)
    const { answered, failures } = await load.stop()
    assert.ok(answered > 0)
    assert.deepEqual(failures, [])
  })

  test('a table is not acknowledged while a worker of a dead parent still routes by the old one', async () => {
    const orphan = workersOf(gateway)[0] as number
    gateway.parent?.kill('SIGKILL')
    process.kill(orphan, 'SIGSTOP')
    await gateway.startParent()
    await gateway.client.publish(app(2))
    await pause(300)
    assert.equal((await gateway.client.observe('e1')).acknowledged, null)
    process.kill(orphan, 'SIGCONT')
    await until(async () => (await gateway.client.observe('e1')).acknowledged?.n === 2, 'acknowledged')
  })

  test('a worker of a dead parent that hangs holds up no table for ever', async () => {
    const orphan = workersOf(gateway)[0] as number
    gateway.parent?.kill('SIGKILL')
    process.kill(orphan, 'SIGSTOP')
    await gateway.startParent()
    await gateway.client.publish(app(2))
    for (let seconds = 0; isAlive(orphan) && seconds < 8; seconds++) await pause(1000)
    await until(async () => (await gateway.client.observe('e1')).acknowledged?.n === 2, 'acknowledged')
  })

  test('every request is counted once, though parent and workers are killed and asked to stop', async () => {
    const agent = new Agent({ keepAlive: true })
    let sent = 0
    const some = async (count: number) => {
      for (let i = 0; i < count; i++) {
        await ask({ port: gateway.port, headers: { host: 'shop.test' }, agent })
        sent++
      }
    }
    await some(40)
    gateway.parent?.kill('SIGKILL')
    await some(40)
    await gateway.startParent()
    await some(40)
    agent.destroy()
    const counted = new Map<string, number>()
    const take = async () => {
      const blocks = await gateway.client.counters(100)
      for (const block of blocks)
        counted.set(
          `${block.incarnation} ${block.sequence}`,
          block.rows.reduce((sum, row) => sum + row.requests, 0),
        )
      return [...counted.values()].reduce((sum, count) => sum + count, 0)
    }
    await until(async () => (await take()) === sent, 'all are counted')
    await pause(1200)
    assert.equal(await take(), sent)
    // A worker that is killed takes its open block with it, and nothing else.
    process.kill(workersOf(gateway)[0] as number, 'SIGKILL')
    await pause(50)
    assert.equal(await take(), sent)
    await gateway.client.acknowledgeCounters(
      [...counted.keys()].map((key) => ({ incarnation: key.split(' ')[0] as string, sequence: Number(key.split(' ')[1]) })),
    )
    assert.deepEqual(await gateway.client.counters(100), [])
  })

  test('a worker that starts after a withdrawal acknowledges it too', async () => {
    await gateway.client.withdraw('e1', { epoch: 1, n: 2 })
    const [first] = workersOf(gateway)
    process.kill(first as number, 'SIGKILL')
    await until(() => workersOf(gateway).length === 2 && !workersOf(gateway).includes(first as number), 'another worker came')
    await pause(300)
    await until(async () => (await gateway.client.observe('e1')).acknowledged?.n === 2, 'acknowledged by the new one as well')
  })

  test('a stopped gateway leaves no process behind, not even workers of an earlier parent', async () => {
    const all = workersOf(gateway)
    gateway.parent?.kill('SIGKILL')
    await gateway.startParent()
    all.push(...workersOf(gateway))
    gateway.parent?.kill('SIGTERM')
    await until(() => all.every((pid) => !isAlive(pid)), 'all are gone', 8000)
  })
})
