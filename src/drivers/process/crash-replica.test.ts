import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { CrashPoint } from './runner/crash-point.ts'
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

const REPLICA_POINTS: CrashPoint[] = ['epoch-persisted', 'replica-recorded', 'slug-unpacked', 'replica-prepared', 'replica-spawned', 'replica-running']
for (const [index, point] of REPLICA_POINTS.entries()) {
  test(`killed at ${point}: asked again, there is exactly one replica`, async () => {
    const id = `s2-web-v1-${index}`
    const slug = runner.slug({ 'app.js': `console.log('ran at ${point}'); ${WEB}` })
    const epoch = 10 + index
    await runner.kill9()
    await runner.up(point)
    const spec = replicaSpec(id, slug, { secrets })
    await runner.driver.startReplica(spec, epoch).catch(() => {})
    await runner.ended()
    await runner.up()
    await runner.driver.startReplica(spec, epoch)
    const { url } = await runner.ready(id)
    assert.equal(((await (await fetch(url)).json()) as { file: string }).file, SECRET)
    assert.equal((await runner.driver.observe('s2')).replicas.filter((it) => it.id === id).length, 1)
    assert.equal((await runner.replica(id))?.restarts, 0)
    assert.deepEqual((await runner.replica(id))?.lastLines, [`ran at ${point}`])
  })
}

for (const point of ['replica-stopping', 'replica-killed'] as const) {
  test(`killed at ${point}: the next runner ends the replica`, async () => {
    const id = `s3-web-v1-${point === 'replica-killed' ? 1 : 2}`
    await runner.kill9()
    await runner.up(point)
    await runner.driver.startReplica(replicaSpec(id, web, { secrets }), 20)
    const { url } = await runner.ready(id)
    await runner.driver.stopReplica(id, 20).catch(() => {})
    await runner.ended()
    await runner.up()
    await until(async () => (await runner.replica(id)) === undefined, 'it is gone')
    await assert.rejects(fetch(url))
  })
}
