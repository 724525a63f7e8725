import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isWeirError } from '../../errors.ts'
import { replicaSpec, SECRET, TestRunner, until } from './testing.ts'

const WEB = `
const { readFileSync } = require('node:fs')
require('node:http').createServer((ask, answer) => {
  if (ask.url.startsWith('/log')) console.log(ask.url)
  answer.end(JSON.stringify({ pid: process.pid, file: readFileSync(process.env.SECRETS_DIR + '/key', 'utf8'), variable: process.env.KEY }))
}).listen(process.env.PORT, process.env.HOST)`
const secrets = [{ name: 'key', version: 1, environment: 'KEY' }]

let runner: TestRunner
let web = ''
before(async () => {
  runner = await TestRunner.start()
  web = runner.slug({ 'app.js': WEB })
})
after(() => runner.close())

async function pidAt(url: string): Promise<number> {
  return ((await (await fetch(url)).json()) as { pid: number }).pid
}

test('replicas go on while no runner runs, and the next one takes them over as they are', async () => {
  await runner.driver.startReplica(replicaSpec('s1-web-v1-1', web, { secrets }), 1)
  const { url } = await runner.ready('s1-web-v1-1')
  const pid = await pidAt(url)
  await runner.kill9()
  for (let n = 0; n < 20; n++) assert.equal(await pidAt(`${url}/log${n}`), pid)
  await runner.up()
  assert.equal((await runner.replica('s1-web-v1-1'))?.phase, 'ready')
  assert.equal((await runner.replica('s1-web-v1-1'))?.restarts, 0)
  assert.equal(await pidAt(url), pid)
})

test('what a replica wrote while no runner ran is in its log', async () => {
  await until(async () => ((await runner.replica('s1-web-v1-1'))?.lastLines.length ?? 0) >= 20, 'the lines were read')
  assert.deepEqual((await runner.replica('s1-web-v1-1'))?.lastLines.slice(-2), ['/log18', '/log19'])
})

test('SIGTERM hands over as well: nothing ends', async () => {
  const { url } = await runner.ready('s1-web-v1-1')
  const pid = await pidAt(url)
  await runner.leave()
  assert.equal(existsSync(runner.paths.runnerSocket), false)
  assert.equal(await pidAt(url), pid)
  await runner.up()
  assert.equal(await pidAt(url), pid)
})

test('an adopted replica that ends has an unknown exit, and is started again with its port and its secrets', async () => {
  const { url, port } = await runner.ready('s1-web-v1-1')
  process.kill(await pidAt(url), 'SIGKILL')
  await until(async () => (await runner.replica('s1-web-v1-1'))?.restarts === 1, 'it was restarted')
  assert.deepEqual((await runner.replica('s1-web-v1-1'))?.exit, { kind: 'unknown' })
  assert.equal((await runner.ready('s1-web-v1-1')).port, port)
  const { file, variable } = (await (await fetch(url)).json()) as { file: string; variable: string }
  assert.deepEqual([file, variable], [SECRET, SECRET])
})

test('a replica that died while no runner ran is started again', async () => {
  const { url } = await runner.ready('s1-web-v1-1')
  const pid = await pidAt(url)
  await runner.kill9()
  process.kill(pid, 'SIGKILL')
  await runner.up()
  await runner.ready('s1-web-v1-1')
  assert.notEqual(await pidAt(url), pid)
})

test('secrets are in no record and no log of the runner', async () => {
  const files = ['runner/replicas/s1-web-v1-1.json', 'logs/s1/s1-web-v1-1.jsonl'].map((it) => readFileSync(join(runner.paths.home, it), 'utf8'))
  assert.ok(files.every((text) => !text.includes(SECRET)))
  assert.ok(!runner.stderr.includes(SECRET))
})

test('the highest epoch outlives the runner', async () => {
  await runner.driver.fence(5)
  await runner.kill9()
  await runner.up()
  await assert.rejects(runner.driver.fence(4), (error) => isWeirError(error, 'E_STALE_EPOCH'))
})

test('after a boot the replicas are forgotten, also those whose record a power cut left empty', async () => {
  await runner.driver.stopReplica('s1-web-v1-1', 5)
  await until(async () => (await runner.replica('s1-web-v1-1')) === undefined, 'it is gone')
  await runner.kill9()
  writeFileSync(join(runner.paths.runner, 'boot.json'), JSON.stringify({ boot: 'another' }))
  writeFileSync(join(runner.paths.runner, 'replicas/s1-web-v1-2.json'), '')
  await runner.up()
  assert.equal(existsSync(join(runner.paths.runner, 'replicas/s1-web-v1-2.json')), false)
  await runner.driver.startReplica(replicaSpec('s1-web-v1-3', web, { secrets }), 5)
  await runner.ready('s1-web-v1-3')
})
