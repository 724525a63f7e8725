import assert from 'node:assert/strict'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { replicaSpec, SECRET, TestRunner, taskSpec, until } from './testing.ts'

/** As in every other file, but as a user without rights: no cgroups, no accounts, no firewall. */
const WEB = `require('node:http').createServer((_, answer) => answer.end(JSON.stringify({ pid: process.pid, uid: process.getuid(), key: process.env.KEY }))).listen(process.env.PORT, process.env.HOST)`

let runner: TestRunner
before(async () => {
  runner = await TestRunner.start({ unprivileged: true })
})
after(() => runner.close())

async function about(url: string): Promise<{ pid: number; uid: number; key: string }> {
  return (await (await fetch(url)).json()) as { pid: number; uid: number; key: string }
}

test('replicas run as the user, and are taken over by the next runner', async () => {
  await runner.driver.startReplica(
    replicaSpec('u1-web-v1-1', runner.slug({ 'app.js': WEB }), { secrets: [{ name: 'key', version: 1, environment: 'KEY' }] }),
    1,
  )
  const { url } = await runner.ready('u1-web-v1-1')
  const first = await about(url)
  assert.notEqual(first.uid, 0)
  assert.equal(first.key, SECRET)
  await runner.kill9()
  await runner.up()
  assert.equal((await runner.replica('u1-web-v1-1'))?.phase, 'ready')
  assert.equal((await about(url)).pid, first.pid)
})

test('a stopped replica takes those along that left its process group', async () => {
  const child = `setInterval(() => {}, 1000)`
  const parent = `const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { detached: true }); console.log(child.pid); ${WEB}`
  await runner.driver.startReplica(replicaSpec('u1-web-v1-2', runner.slug({ 'app.js': parent })), 1)
  await runner.ready('u1-web-v1-2')
  const pid = Number((await runner.replica('u1-web-v1-2'))?.lastLines[0])
  assert.ok(process.kill(pid, 0))
  await runner.driver.stopReplica('u1-web-v1-2', 1)
  await until(async () => (await runner.replica('u1-web-v1-2')) === undefined, 'it is gone')
  const { processStat } = await import('./runner/proc.ts')
  assert.ok(processStat(pid)?.zombie ?? true)
})

test('a program that is not there harms nothing but its replica', async () => {
  await runner.driver.startReplica(replicaSpec('u1-web-v1-3', runner.slug({ 'app.js': '' }), { argv: ['no-such-program'] }), 1)
  await until(async () => (await runner.replica('u1-web-v1-3'))?.phase === 'failed', 'it has failed')
  assert.match((await runner.replica('u1-web-v1-3'))?.cause ?? '', /failed to execute no-such-program: (ENOENT|EACCES)/)
  await assert.rejects(runner.exec.open('u1-web-v1-1', ['no-such-program']), /failed to execute no-such-program/)
  await runner.driver.startTask(taskSpec('u1-task', runner.slug({ 'task.js': '' }), { argv: ['no-such-program'] }), 1)
  await until(async () => (await runner.task('u1-task'))?.phase === 'failed', 'the task has failed')
  assert.deepEqual((await runner.task('u1-task'))?.exit, { kind: 'code', code: 127 })
  assert.equal((await runner.replica('u1-web-v1-1'))?.phase, 'ready')
})

test('builds run, with the limits that need no rights', async () => {
  const folder = join(runner.paths.builds, 'b')
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  await runner.confined.start(
    {
      id: 'b',
      argv: ['sleep', '1000'],
      cwd: folder,
      env: {},
      limits: { cpu: 1, memoryBytes: 2 ** 28, pids: 64, wallMs: 200, diskBytes: 2 ** 24 },
      own: [folder],
      logFile: join(runner.paths.builds, 'b.log'),
    },
    1,
  )
  await until(async () => (await runner.confined.observe('b'))?.phase === 'ended', 'it has ended')
  assert.deepEqual(await runner.confined.observe('b'), { phase: 'ended', exit: { kind: 'timeout' }, limit: 'wall', lastLines: [''] })
})
