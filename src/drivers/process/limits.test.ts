import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { replicaSpec, TestRunner, taskSpec, until } from './testing.ts'

const root = process.getuid?.() === 0
const LISTEN = `require('node:http').createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, process.env.HOST)`

describe('limits', { skip: root ? false : 'limits need control groups, and those need root' }, () => {
  let runner: TestRunner
  before(async () => {
    runner = await TestRunner.start()
  })
  after(() => runner.close())

  test('a replica that takes more memory than its limit is ended, and the cause names the limit', async () => {
    const eats = `const held = []; setInterval(() => held.push(Buffer.alloc(8 * 1024 * 1024, 1)), 5)`
    await runner.driver.startReplica(replicaSpec('l1-web-v1-1', runner.slug({ 'app.js': eats }), { limits: { cpu: 1, memoryBytes: 96 * 1024 ** 2 } }), 1)
    await until(async () => (await runner.replica('l1-web-v1-1'))?.exit !== null, 'it was ended')
    assert.deepEqual((await runner.replica('l1-web-v1-1'))?.exit, { kind: 'oom' })
    assert.match((await runner.replica('l1-web-v1-1'))?.cause ?? '', /^out of memory \(limit 96 MiB\)/)
    await runner.driver.stopReplica('l1-web-v1-1', 1)
  })

  test('a program that makes processes without end is held at its limit, and all of them are ended with it', async () => {
    const bomb = ['/bin/sh', '-c', 'while sleep 1000 & do :; done']
    await runner.driver.startTask(taskSpec('l1-bomb', runner.slug({ 'task.js': '' }), { argv: bomb, limits: { cpu: 2, memoryBytes: 1024 ** 3 } }), 1)
    await until(async () => (await runner.task('l1-bomb'))?.phase === 'failed', 'it was ended')
    assert.match((await runner.task('l1-bomb'))?.lastLines.at(-1) ?? '', /Cannot fork/)
    assert.deepEqual(
      runner.traces().filter((it) => /^\d+$/.test(it)),
      [],
    )
  })

  test('a replica gets no more processor time than its share', async () => {
    const busy = `const until = Date.now() + 1000; while (Date.now() < until); console.log(Math.round(process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000))`
    await runner.driver.startTask(taskSpec('l1-busy', runner.slug({ 'task.js': busy }), { limits: { cpu: 0.2, memoryBytes: 2 ** 28 } }), 1)
    await until(async () => (await runner.task('l1-busy'))?.phase === 'succeeded', 'it has ended')
    const usedMs = Number((await runner.task('l1-busy'))?.lastLines[0])
    assert.ok(usedMs < 500, `${usedMs} ms of some 1000`)
  })

  test('a task that takes too long is ended, with all that it started', async () => {
    const lasts = `require('node:child_process').spawn('sleep', ['1000'], { detached: true }); setInterval(() => {}, 1000)`
    await runner.driver.startTask(taskSpec('l1-lasts', runner.slug({ 'task.js': lasts }), { timeoutMs: 300 }), 1)
    await until(async () => (await runner.task('l1-lasts'))?.phase === 'failed', 'it was ended')
    assert.deepEqual((await runner.task('l1-lasts'))?.exit, { kind: 'timeout' })
    assert.deepEqual(
      runner.traces().filter((it) => /^\d+$/.test(it)),
      [],
    )
  })
})

test('after a shutdown nothing is left in the kernel, and only data in the state folder', async () => {
  const runner = await TestRunner.start()
  await runner.driver.ensureResource({ environment: 'l2', name: 'data', account: { app: 1 }, kind: 'volume' }, 1)
  await runner.driver.startReplica(replicaSpec('l2-web-v1-1', runner.slug({ 'app.js': LISTEN })), 1)
  const { url } = await runner.ready('l2-web-v1-1')
  await runner.driver.startTask(taskSpec('l2-lasts', runner.slug({ 'task.js': 'setInterval(() => {}, 1000)' })), 1)
  await until(async () => (await runner.task('l2-lasts'))?.phase === 'running', 'the task runs')
  if (root) assert.notDeepEqual(runner.traces(), [])
  await runner.daemons.shutdown()
  await runner.ended()
  assert.deepEqual(runner.traces(), [])
  assert.equal(existsSync(runner.paths.runnerSocket), false)
  assert.deepEqual(readdirSync(join(runner.paths.runner, 'replicas')), [])
  assert.ok(existsSync(join(runner.paths.volumes, 'l2/data')))
  await assert.rejects(fetch(url))
  await runner.up()
  assert.deepEqual((await runner.driver.observe('l2')).replicas, [])
  assert.equal((await runner.task('l2-lasts'))?.phase, 'failed')
  await runner.close()
})
