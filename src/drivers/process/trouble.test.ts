import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ObservedReplica } from '../../core/model/replica.ts'
import type { ReplicaSpec } from '../driver.ts'
import { replicaSpec, TestRunner, until } from './testing.ts'

const LISTEN = `const server = require('node:http').createServer((_, answer) => answer.end('ok')); server.listen(process.env.PORT, process.env.HOST)`
const FAST = { kind: 'http', path: '/', port: 'http', intervalMs: 50, timeoutMs: 500, retries: 2, startPeriodMs: 400 } as const

let runner: TestRunner
before(async () => {
  runner = await TestRunner.start()
})
after(() => runner.close())

async function start(id: string, code: string, change: Partial<ReplicaSpec> = {}): Promise<void> {
  await runner.driver.startReplica(replicaSpec(id, runner.slug({ 'app.js': code }), change), 1)
}
async function failed(id: string): Promise<ObservedReplica> {
  await until(
    async () => (await runner.replica(id))?.phase === 'failed',
    async () => `${id} failed: ${JSON.stringify(await runner.replica(id))}`,
  )
  return (await runner.replica(id)) as ObservedReplica
}

test('exits at once: the cause is the error that it printed, not the lines around it', async () => {
  await start('t1-web-v1-1', `require('node:net').connect(1, '127.0.0.1')`)
  assert.match((await failed('t1-web-v1-1')).cause ?? '', /^exited with 1: Error: connect ECONNREFUSED 127\.0\.0\.1:1$/)
})

test('a program that is not there: the cause names it', async () => {
  await start('t1-web-v1-2', '', { argv: ['no-such-program'] })
  assert.match((await failed('t1-web-v1-2')).cause ?? '', /no-such-program/)
})

test('a slug that is not there: the cause says so', async () => {
  await runner.driver.startReplica(replicaSpec('t1-web-v1-3', `sha256:${'a'.repeat(64)}`), 1)
  assert.match((await failed('t1-web-v1-3')).cause ?? '', /the slug aaaaaaaaaaaa is not on this machine/)
})

test('listens on another port: the cause names both', async () => {
  await start('t1-web-v1-4', `require('node:http').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })`, {
    healthcheck: FAST,
  })
  const replica = await failed('t1-web-v1-4')
  assert.equal(replica.cause, `listens on ${replica.lastLines[0]}, not on PORT=${replica.ports['http']}`)
})

test('listens on nothing: the cause says so', async () => {
  await start('t1-web-v1-5', `setInterval(() => {}, 1000)`, { healthcheck: FAST })
  const replica = await failed('t1-web-v1-5')
  assert.equal(replica.cause, `listens on no port (expected PORT=${replica.ports['http']})`)
})

test('listens on another address than HOST: the cause says where', async () => {
  await start('t1-web-v1-6', `require('node:http').createServer().listen(process.env.PORT, '127.0.0.9')`, { healthcheck: FAST })
  const replica = await failed('t1-web-v1-6')
  assert.equal(replica.cause, `listens on 127.0.0.9:${replica.ports['http']}, not on HOST=127.0.0.1`)
})

/** By then it listens, on a busy machine too: what is told is what it answers. */
const STARTED_MS = 4_000

test('answers the health check with 500: the cause says what was asked', async () => {
  await start('t1-web-v1-7', LISTEN.replace(`answer.end('ok')`, `answer.writeHead(500).end()`), {
    healthcheck: { ...FAST, path: '/healthz', startPeriodMs: STARTED_MS },
  })
  assert.equal((await failed('t1-web-v1-7')).cause, 'GET /healthz answered 500')
})

test('accepts and never answers: the cause says how long was waited', async () => {
  await start('t1-web-v1-8', `require('node:net').createServer().listen(process.env.PORT, process.env.HOST)`, {
    healthcheck: { ...FAST, timeoutMs: 100, startPeriodMs: STARTED_MS },
  })
  assert.equal((await failed('t1-web-v1-8')).cause, 'GET / did not answer within 100 ms')
})

test('a failing check by command: the cause is what the command said', async () => {
  await start('t1-web-v1-9', `setInterval(() => {}, 1000)`, {
    healthcheck: { ...FAST, kind: 'command', argv: ['node', '-e', `console.error('Error: queue is gone'); process.exitCode = 3`] },
  })
  assert.match((await failed('t1-web-v1-9')).cause ?? '', /exited with 3: Error: queue is gone$/)
})

test('a good check by command or by connection makes it ready, and so does time without a check', async () => {
  await start('t1-web-v1-10', `setInterval(() => {}, 1000)`, {
    healthcheck: { ...FAST, startPeriodMs: 5000, kind: 'command', argv: ['node', '-e', `process.exit(process.env.PORT > 0 ? 0 : 1)`] },
  })
  await start('t1-web-v1-11', LISTEN, { healthcheck: { ...FAST, startPeriodMs: 5000, kind: 'tcp', port: 'http' } })
  await start('t1-web-v1-12', `setInterval(() => {}, 1000)`, { healthcheck: { ...FAST, kind: 'none' }, ports: [] })
  for (const n of [10, 11, 12]) await until(async () => (await runner.replica(`t1-web-v1-${n}`))?.phase === 'ready', `${n} is ready`)
})

test('forks away: the cause says that it must stay in the foreground, and what it left is ended', async () => {
  const child = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(LISTEN)}], { detached: true, stdio: 'ignore' }).unref()`
  await start('t1-web-v1-13', child, { healthcheck: { ...FAST, startPeriodMs: 5000 } })
  const replica = await failed('t1-web-v1-13')
  assert.match(replica.cause ?? '', /^forked away: /)
  await assert.rejects(fetch(`http://127.0.0.1:${replica.ports['http']}`))
})

test('healthy, then dies: it is restarted after a wait, with the cause meanwhile', async () => {
  const dies = LISTEN.replace(
    `answer.end('ok')`,
    `answer.end('ok', () => _.url === '/die' && setTimeout(() => { console.error('Error: bad day'); process.exit(3) }, 10))`,
  )
  await start('t1-web-v1-14', dies)
  const { url } = await runner.ready('t1-web-v1-14')
  await (await fetch(`${url}/die`)).text()
  await until(async () => (await runner.replica('t1-web-v1-14'))?.phase === 'waiting', 'it waits')
  assert.equal((await runner.replica('t1-web-v1-14'))?.cause, 'exited with 3: Error: bad day')
  await runner.ready('t1-web-v1-14')
  assert.equal((await runner.replica('t1-web-v1-14'))?.restarts, 1)
})

test('healthy, then unhealthy: it is unready, and ready again when it answers', async () => {
  const sways = `let bad = 0; require('node:http').createServer((ask, answer) => { if (ask.url === '/bad') bad = 6; answer.writeHead(bad-- > 0 ? 503 : 200).end() }).listen(process.env.PORT, process.env.HOST)`
  await start('t1-web-v1-15', sways)
  const { url } = await runner.ready('t1-web-v1-15')
  await fetch(`${url}/bad`)
  await until(async () => (await runner.replica('t1-web-v1-15'))?.phase === 'unready', 'it is unready')
  assert.equal((await runner.replica('t1-web-v1-15'))?.cause, 'GET / answered 503')
  await runner.ready('t1-web-v1-15')
  assert.equal((await runner.replica('t1-web-v1-15'))?.restarts, 0)
})

test('ignores its stop signal: it is killed after its grace, and its log says so', async () => {
  await start('t1-web-v1-16', `process.on('SIGTERM', () => {}); ${LISTEN}`, { stop: { signal: 'SIGTERM', graceMs: 300 } })
  await runner.ready('t1-web-v1-16')
  const began = performance.now()
  await runner.driver.stopReplica('t1-web-v1-16', 1)
  await until(async () => (await runner.replica('t1-web-v1-16')) === undefined, 'it is gone')
  assert.ok(performance.now() - began >= 300)
  const said: string[] = []
  for await (const record of runner.logs.read('t1', { ids: ['t1-web-v1-16'], limit: 10 })) said.push(`${record.stream} ${record.text}`)
  assert.deepEqual(said, ['weir still running after SIGTERM, killed after 0.3 s'])
})

test('a child that outlives the asked process is asked too, and ended with the replica', async () => {
  const parent = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(`process.on('SIGTERM', () => { console.log('child asked'); process.exit() }); ${LISTEN}`)}], { stdio: 'inherit' })`
  await start('t1-web-v1-17', parent)
  await runner.ready('t1-web-v1-17')
  await runner.driver.stopReplica('t1-web-v1-17', 1)
  await until(async () => (await runner.replica('t1-web-v1-17')) === undefined, 'it is gone')
  const said: string[] = []
  for await (const record of runner.logs.read('t1', { ids: ['t1-web-v1-17'], limit: 10 })) said.push(record.text)
  assert.deepEqual(said, ['child asked'])
})

test('the log tells streams apart and keeps order and time', async () => {
  await start('t1-web-v1-18', `console.log('one'); console.error('two'); ${LISTEN}`)
  await runner.ready('t1-web-v1-18')
  const records = []
  for await (const record of runner.logs.read('t1', { ids: ['t1-web-v1-18'], limit: 10 })) records.push(record)
  assert.deepEqual(new Set(records.map((it) => `${it.stream} ${it.text}`)), new Set(['out one', 'err two']))
  assert.ok(records.every((it) => Math.abs(it.time - Date.now()) < 60_000))
})

test('needs a resource that nobody made: it says what it waits for, and can be stopped', async () => {
  await start('t1-web-v1-19', LISTEN, { uses: ['db'] })
  await until(async () => (await runner.replica('t1-web-v1-19'))?.cause !== null, 'it says why')
  assert.equal((await runner.replica('t1-web-v1-19'))?.cause, 'waits for db, which nobody has asked for')
  await runner.driver.stopReplica('t1-web-v1-19', 1)
  await until(async () => (await runner.replica('t1-web-v1-19')) === undefined, 'it is gone')
})
