import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { CounterBlock } from '../core/model/routing.ts'
import { ask, group, isAlive, Processes, pause, route, service, startTarget, type Target, table, until, workersOf } from './testing.ts'

describe('evidence in the gateway of real processes', () => {
  let gateway: Processes
  let target: Target
  before(async () => {
    gateway = await Processes.start({ WEIR_GATEWAY_WORKERS: '2' })
    target = await startTarget((_request, response) => response.end('ok'))
    const split = { rollout: 'r1', weight: 50, by: { kind: 'request' }, judge: { stage: 2, unit: 'request', thresholds: {} } } as const
    const web = service(group(1, { w1: target.port }), { canary: group(2, { w2: target.port }) })
    await gateway.publish(table('e1', 1, [route('shop.test')], { web }, { split }))
  })
  after(async () => {
    await gateway.stop()
    target.close()
  })

  test('blocks come several times a second, and a killed worker takes with it only the open one', async () => {
    let answered = 0
    const some = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const answer = await ask({ port: gateway.port, headers: { host: 'shop.test' } }).catch(() => null) // in flight on the worker that is killed
        if (answer?.status === 200) answered++
      }
    }
    const blocks = new Map<string, CounterBlock>()
    const counted = async () => {
      for (const block of await gateway.client.counters(1000)) blocks.set(`${block.incarnation} ${block.sequence}`, block)
      const rows = [...blocks.values()].flatMap((block) => block.evidence).flatMap((evidence) => evidence.rows)
      return rows.reduce((sum, row) => sum + row.requests, 0)
    }
    await some(60)
    await until(async () => (await counted()) === answered, 'all are counted')
    const closed = answered
    await some(10)
    const open = answered - closed
    const [victim] = workersOf(gateway)
    process.kill(victim as number, 'SIGKILL')
    await until(() => workersOf(gateway).length === 2 && !isAlive(victim as number), 'another one took its place')
    await some(30)
    const least = answered - open
    await until(async () => (await counted()) >= least, 'all are counted but those of the open block')
    await pause(600)
    const total = await counted()
    assert.ok(total >= least && total <= answered, `${total} of ${answered}, of which ${open} were open`)
    const lengths = [...blocks.values()].filter((block) => block.evidence.length > 0).map((block) => block.to - block.from)
    lengths.sort((a, b) => a - b)
    assert.ok((lengths[Math.floor(lengths.length / 2)] as number) <= 500, `blocks of ${lengths.join(', ')} ms`)
    assert.deepEqual(
      [...new Set([...blocks.values()].flatMap((block) => block.evidence).map(({ environment, rollout, stage }) => `${environment} ${rollout} ${stage}`))],
      ['e1 r1 2'],
    )
    const names = [...blocks.values()].map(({ incarnation, sequence }) => ({ incarnation, sequence }))
    await gateway.client.acknowledgeCounters(names)
    assert.deepEqual(await gateway.client.counters(1000), [])
  })
})
