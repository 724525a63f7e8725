import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isWeirError } from '../../errors.ts'
import { RpcClient } from '../../rpc/client.ts'
import { replicaSpec, TestRunner, taskSpec } from './testing.ts'

let runner: TestRunner
let calls: RpcClient
before(async () => {
  runner = await TestRunner.start()
  calls = new RpcClient(runner.paths.runnerSocket)
})
after(async () => {
  calls.close()
  await runner.close()
})

/** What asks, what a person at this machine wants, and what any server may want before it knows an epoch: all of it changes nothing twice. */
const WITHOUT_EPOCH = new Set([
  'observe',
  'usage',
  'ask',
  'figure',
  'environments',
  'observeJob',
  'daemons',
  'daemonSpec',
  'ping',
  'ensureStore',
  'shutdown',
  'intake',
])
const DAEMON = { name: 'late', argv: ['/bin/true'], env: {}, account: 'root', stop: { signal: 'SIGTERM', graceMs: 1 }, leftovers: 'kill' }

test('every call that has an effect is refused in the name of a lower epoch, over a restart of the runner too', async () => {
  const slug = runner.slug({ 'app.js': 'setInterval(() => {}, 1000)' })
  const spec = replicaSpec('p1-web-v1-1', slug)
  const effects: Record<string, object> = {
    startReplica: { spec, secrets: {} },
    stopReplica: { id: spec.id },
    startTask: { spec: taskSpec('p1-migrate', slug), secrets: {} },
    forgetTask: { id: 'p1-migrate' },
    ensureResource: { spec: { environment: 'p1', name: 'data', account: { app: 1 }, kind: 'volume' } },
    removeResource: { environment: 'p1', name: 'data', withData: true },
    fence: {},
    exec: { id: spec.id, argv: ['true'] },
    removeSlugs: { digests: [slug] },
    removeLogs: { silentForMs: 0 },
    takeOverJobs: {},
    placeBuild: { stage: 'stage-1-1', tenant: 'acme' },
    clearBuild: { tenant: 'acme' },
    startJob: { job: { id: 'late' } },
    stopJob: { id: 'late' },
    ensureDaemon: { spec: DAEMON },
    stopDaemon: { name: 'late' },
  }
  const main = readFileSync(join(import.meta.dirname, 'runner/main.ts'), 'utf8')
  const served = [...main.slice(main.indexOf('function handlers')).matchAll(/^ {4}(\w+): \(/gm)].map((it) => it[1] ?? '').filter((it) => !WITHOUT_EPOCH.has(it))
  assert.deepEqual(served.sort(), Object.keys(effects).sort())

  await runner.driver.fence(7)
  await runner.kill9()
  await runner.up()
  for (const [call, args] of Object.entries(effects)) {
    await assert.rejects(calls.call(call, { ...args, epoch: 6 }), (error) => isWeirError(error, 'E_STALE_EPOCH') || assert.fail(`${call}: ${String(error)}`))
  }
  assert.deepEqual(await runner.driver.environments(), [])
  assert.deepEqual(await runner.daemons.list(), [])
  assert.ok(existsSync(join(runner.paths.slugs, `${slug.slice(7)}.tar`)))
})
