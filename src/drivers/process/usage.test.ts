import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { replicaSpec, TestRunner, until } from './testing.ts'

const MB = 2 ** 20
const BUSY = `const held = Buffer.alloc(60 * ${MB}, 1); require('node:crypto').pbkdf2Sync('a', 'b', 800_000, 32, 'sha256'); require('node:http').createServer((_, answer) => answer.end(String(held.length))).listen(process.env.PORT, process.env.HOST)`
const IDLE = `require('node:http').createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, process.env.HOST)`

for (const unprivileged of [false, true]) {
  describe(unprivileged ? 'usage without rights' : 'usage', () => {
    let runner: TestRunner
    before(async () => {
      runner = await TestRunner.start({ unprivileged })
    })
    after(() => runner.close())

    test('what a replica takes of the machine is told by id, and nothing of another environment’s or of what has ended', async () => {
      await runner.driver.startReplica(replicaSpec('u1-busy-v1-1', runner.slug({ 'app.js': BUSY })), 1)
      await runner.driver.startReplica(replicaSpec('u1-idle-v1-2', runner.slug({ 'app.js': IDLE })), 1)
      for (const id of ['u1-busy-v1-1', 'u1-idle-v1-2']) await until(async () => (await runner.replica(id))?.phase === 'ready', `${id} is ready`)
      const usage = await runner.driver.usage('u1')
      const [busy, idle] = ['u1-busy-v1-1', 'u1-idle-v1-2'].map((id) => usage.find((it) => it.id === id))
      assert.ok(busy && idle, JSON.stringify(usage))
      assert.ok(busy.cpuMs - idle.cpuMs >= 100 && busy.cpuMs < 20_000, `${busy.cpuMs} and ${idle.cpuMs} ms`)
      assert.ok(busy.memoryBytes - idle.memoryBytes > 40 * MB, `${busy.memoryBytes} and ${idle.memoryBytes}`)
      assert.deepEqual(await runner.driver.usage('u2'), [])
      await runner.driver.stopReplica('u1-busy-v1-1', 1)
      await until(async () => (await runner.driver.usage('u1')).length === 1, 'the stopped one is gone')
    })
  })
}
