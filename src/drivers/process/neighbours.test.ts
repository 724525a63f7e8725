import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { edgeAddress, STATSD_PORT } from '../../config.ts'
import { replicaSpec, SECRET, TestRunner, until } from './testing.ts'

/** An app that tries, and says how it went: `?connect=HOST:PORT`, `?unix=PATH`, `?read=PATH`, `?list=PATH`, `?kill=PID`, `?uid`. */
const SPY = `
const net = require('node:net'), fs = require('node:fs'), url = require('node:url')
const connect = (where) => new Promise((done) => {
  const socket = net.connect(where)
  socket.setTimeout(2000, () => { done('timeout'); socket.destroy() })
  socket.on('connect', () => { done('connected'); socket.destroy() }).on('error', (error) => done(error.code))
})
const attempt = (act) => { try { return String(act()) } catch (error) { return error.code } }
require('node:http').createServer(async (ask, answer) => {
  const [what, value] = decodeURIComponent(ask.url.slice(2)).split('=')
  const how = {
    connect: () => connect({ host: value.slice(0, value.lastIndexOf(':')), port: Number(value.slice(value.lastIndexOf(':') + 1)) }),
    udp: () => new Promise((done) => {
      const socket = require('node:dgram').createSocket('udp4')
      socket.send('from ' + process.getuid(), ${STATSD_PORT}, value, (error) => { done(error ? error.code : 'sent'); socket.close() })
    }),
    unix: () => connect({ path: value }),
    read: () => attempt(() => fs.readFileSync(value)),
    write: () => attempt(() => fs.writeFileSync(value, 'x')),
    list: () => attempt(() => fs.readdirSync(value)),
    kill: () => attempt(() => process.kill(Number(value))),
    squat: () => new Promise((done) => {
      const at = value.lastIndexOf(':')
      net.createServer((socket) => socket.end('squatter')).on('error', (error) => done(error.code)).listen(Number(value.slice(at + 1)), value.slice(0, at), () => done('listens'))
    }),
    replace: () => attempt(() => {
      const file = process.env.SECRETS_DIR + '/key'
      try { fs.chmodSync(process.env.SECRETS_DIR, 0o700) } catch {}
      fs.rmSync(file)
      fs.symlinkSync(value, file)
    }),
    uid: () => attempt(() => process.setuid(0)),
    id: () => JSON.stringify({ pid: process.pid, uid: process.getuid(), groups: process.getgroups(), env: process.env }),
  }[what]
  answer.end(how ? await how() : 'ok')
}).listen(process.env.PORT, process.env.HOST)
console.log('secret ' + process.env.KEY)`

const root = process.getuid?.() === 0
describe('an app of one tenant tries what belongs to another', { skip: root ? false : 'tenants are kept apart only as root' }, () => {
  let runner: TestRunner
  let victim = { url: '', port: 0, pid: 0, env: {} as Record<string, string> }
  let spy = ''
  const servers: Server[] = []

  async function ask(what: string, at = spy): Promise<string> {
    return (await fetch(`${at}/?${encodeURIComponent(what)}`)).text()
  }
  /** What somebody who may connect to anything hears at once. */
  async function said(place: string): Promise<string> {
    const socket = connect({ host: place.split(':')[0] ?? '', port: Number(place.split(':')[1]) })
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString())).on('error', () => {})
    await new Promise((resolve) => setTimeout(resolve, 300))
    socket.destroy()
    return text
  }
  async function listen(host: string, port = 0): Promise<number> {
    const server = createServer((_, answer) => answer.end('edge'))
    servers.push(server)
    await new Promise<void>((resolve) => server.listen(port, host, resolve))
    return (server.address() as { port: number }).port
  }

  before(async () => {
    runner = await TestRunner.start()
    const telemetry = { app: 'shop', environment: 'production', instrument: false }
    const secrets = [{ name: 'key', version: 1, environment: 'KEY' }]
    await runner.driver.ensureResource({ environment: 'n1', name: 'data', account: { app: 1 }, kind: 'volume' }, 1)
    await runner.driver.startReplica(
      replicaSpec('n1-web-v1-1', runner.slug({ 'app.js': SPY, 'own.txt': 'tenant one' }), { secrets, uses: ['data'], telemetry }),
      1,
    )
    await runner.driver.startReplica(replicaSpec('n2-spy-v1-1', runner.slug({ 'app.js': SPY }), { environment: 'n2', account: { app: 2 }, telemetry }), 1)
    const { url, port } = await runner.ready('n1-web-v1-1')
    spy = (await runner.ready('n2-spy-v1-1')).url
    const { pid, env } = JSON.parse(await ask('id', url)) as { pid: number; env: Record<string, string> }
    victim = { url, port, pid, env }
  })
  after(async () => {
    for (const server of servers) server.close()
    await runner.close()
  })

  test('they run as accounts of their own, without capabilities, and cannot become anybody else', async () => {
    const { uid } = JSON.parse(await ask('id')) as { uid: number }
    assert.equal(uid, runner.accounts?.app(2))
    assert.equal(await ask('uid'), 'EPERM')
    const status = await ask('read=/proc/self/status')
    assert.match(status, /CapEff:\s*0+\n/)
    assert.match(status, /CapBnd:\s*0+\n/)
    assert.match(status, /NoNewPrivs:\s*1\n/)
  })

  test('its replica: refused, over IPv6 too', async () => {
    assert.equal(await ask(`connect=127.0.0.1:${victim.port}`), 'ECONNREFUSED')
    assert.equal(await ask(`connect=::1:${victim.port}`), 'ECONNREFUSED')
    assert.equal(await ask(`connect=::ffff:127.0.0.1:${victim.port}`), 'ECONNREFUSED')
  })

  test('its edge: refused, while its own passes', async () => {
    const other = await listen(edgeAddress(1))
    const own = await listen(edgeAddress(2))
    assert.equal(await ask(`connect=${edgeAddress(1)}:${other}`), 'ECONNREFUSED')
    assert.equal(await ask(`connect=${edgeAddress(2)}:${own}`), 'connected')
  })

  test('the telemetry intake: reached by everybody, with a key that is good for one environment; and nobody else answers there', async () => {
    const { otlp } = (await runner.daemons.intake(null)) ?? { otlp: 0 }
    const { env } = JSON.parse(await ask('id')) as { env: Record<string, string> }
    assert.equal(env['OTEL_EXPORTER_OTLP_ENDPOINT'], `http://127.0.0.1:${otlp}`)
    assert.match(env['OTEL_EXPORTER_OTLP_HEADERS'] ?? '', /^x-weir-key=n2\.[0-9a-f]{64}$/)
    assert.match(victim.env['OTEL_EXPORTER_OTLP_HEADERS'] ?? '', /^x-weir-key=n1\.[0-9a-f]{64}$/)
    assert.equal(await ask(`read=${runner.paths.intakeSecret}`), 'EACCES')
    await listen('127.0.0.1', otlp)
    assert.equal(await ask(`connect=127.0.0.1:${otlp}`), 'connected')
    await new Promise((resolve) => servers.pop()?.close(resolve))
    assert.equal(await ask(`squat=127.0.0.1:${otlp}`), 'listens')
    assert.equal(await said(`127.0.0.1:${otlp}`), '', 'who sits there while the intake is away is given nothing')
    await listen('127.0.0.2', otlp)
    assert.equal(await ask(`connect=127.0.0.2:${otlp}`), 'ECONNREFUSED')
  })

  test('who sits on a port or an edge of another is given nothing of what was meant for it', async () => {
    const silent = runner.slug({ 'app.js': 'setInterval(() => {}, 1000)' })
    await runner.driver.startReplica(replicaSpec('n4-web-v1-1', silent, { environment: 'n4', account: { app: 4 } }), 1)
    const port = (await runner.replica('n4-web-v1-1'))?.ports['http'] ?? 0
    await until(async () => (await runner.replica('n4-web-v1-1'))?.cause?.includes('no port') === true, 'it runs and does not listen')
    for (const place of [`127.0.0.1:${port}`, `${edgeAddress(4)}:10000`]) {
      assert.equal(await ask(`squat=${place}`), 'listens', place)
      assert.equal(await said(place), '', place)
    }
    assert.notEqual((await runner.replica('n4-web-v1-1'))?.phase, 'ready')
  })

  test('what listens on loopback for the machine itself (an API, a database): refused', async () => {
    const port = await listen('127.0.0.1')
    assert.equal(await ask(`connect=127.0.0.1:${port}`), 'ECONNREFUSED')
    assert.equal(await ask(`connect=127.0.0.1:${port}`, victim.url), 'ECONNREFUSED')
  })

  test('its files: code, home, secrets, volume, pipes and log: refused', async () => {
    const { HOME = '', SECRETS_DIR = '', DATA_PATH = '' } = victim.env
    assert.equal(await ask(`read=${SECRETS_DIR}/key`, victim.url), SECRET)
    const slug = JSON.parse(await ask('id', victim.url)).env.PWD
    assert.equal(slug, undefined)
    const code = await ask('read=/proc/self/cmdline', victim.url)
    assert.ok(code.includes('app.js'))
    for (const path of [
      `${SECRETS_DIR}/key`,
      join(HOME, '../out'),
      join(runner.paths.logs, 'n1/n1-web-v1-1.jsonl'),
      join(runner.paths.runner, 'replicas/n1-web-v1-1.json'),
    ])
      assert.equal(await ask(`read=${path}`), 'EACCES', path)
    for (const path of [HOME, SECRETS_DIR, DATA_PATH, runner.paths.slugs, runner.paths.replicas, runner.paths.builds])
      assert.equal(await ask(`list=${path}`), 'EACCES', path)
  })

  test('its own secrets are not its to replace: root would read on its behalf what a link there names', async () => {
    const secrets = [{ name: 'key', version: 1, environment: 'KEY' }]
    await runner.driver.startReplica(replicaSpec('n3-spy-v1-1', runner.slug({ 'app.js': SPY }), { environment: 'n3', account: { app: 3 }, secrets }), 1)
    const { url } = await runner.ready('n3-spy-v1-1')
    assert.equal(await ask(`replace=${join(runner.paths.runner, 'epoch.json')}`, url), 'EACCES')
    assert.equal((JSON.parse(await ask('id', url)) as { env: Record<string, string> }).env['KEY'], SECRET)
  })

  test('its code, even when the digest is known: refused, and nobody can change code', async () => {
    const digest = runner.slug({ 'app.js': SPY, 'own.txt': 'tenant one' }).slice('sha256:'.length)
    const own = join(runner.paths.slugs, digest, 'own.txt')
    assert.equal(await ask(`read=${own}`, victim.url), 'tenant one')
    assert.equal(await ask(`read=${own}`), 'EACCES')
    assert.equal(await ask(`write=${own}`, victim.url), 'EACCES')
  })

  test('its environment and memory: refused', async () => {
    assert.equal(await ask(`read=/proc/${victim.pid}/environ`), 'EACCES')
    assert.equal(await ask(`list=/proc/${victim.pid}/fd`), 'EACCES')
    assert.equal(await ask(`list=/proc/${victim.pid}/cwd/`), 'EACCES')
    assert.ok(['EACCES', 'EPERM'].includes(await ask(`read=/proc/${victim.pid}/mem`)))
  })

  test('its processes: no signal reaches them', async () => {
    assert.equal(await ask(`kill=${victim.pid}`), 'EPERM')
    assert.equal(await ask(`kill=${runner.pid}`), 'EPERM')
  })

  test("Weir's own sockets: refused", async () => {
    assert.equal(await ask(`unix=${runner.paths.runnerSocket}`), 'EACCES')
  })

  test('its address for StatsD: what is sent there does not arrive, while its own passes', async () => {
    const sockets = [1, 2].map((app) => ({ app, socket: createSocket('udp4') }))
    const heard: string[] = []
    for (const { app, socket } of sockets) {
      socket.on('message', (text) => heard.push(`${app} ${text}`))
      await new Promise<void>((resolve) => socket.bind(STATSD_PORT, edgeAddress(app), resolve))
    }
    try {
      await ask(`udp=${edgeAddress(1)}`)
      await ask(`udp=127.0.0.1`)
      await ask(`udp=${edgeAddress(2)}`)
      await ask(`udp=${edgeAddress(1)}`, victim.url)
      await until(() => heard.length >= 2, 'two datagrams')
      assert.deepEqual(heard.sort(), [`1 from ${runner.accounts?.app(1)}`, `2 from ${runner.accounts?.app(2)}`])
    } finally {
      for (const { socket } of sockets) socket.close()
    }
  })

  test('its secret is in nobody else’s sight: not in argv, not in the records', async () => {
    const shown = await ask(`read=/proc/${victim.pid}/cmdline`)
    assert.ok(!shown.includes(SECRET))
  })

  test('accounts of this machine that are not Weir’s reach no replica either', async () => {
    const { runCommand } = await import('../../spawn.ts')
    const script = `require('node:net').connect(${victim.port}, '127.0.0.1').on('connect', () => console.log('connected')).on('error', (error) => console.log(error.code))`
    const { stdout } = await runCommand({
      argv: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', join(runner.paths.runtimes, 'node/bin/node'), '-e', script],
      env: {},
      timeoutMs: 10_000,
    })
    assert.equal(stdout.trim(), 'ECONNREFUSED')
  })

  test('a build reaches no replica and no edge, and sees no secret', async () => {
    const edge = await listen(edgeAddress(1))
    const folder = join(runner.paths.builds, 'b1')
    const { mkdirSync } = await import('node:fs')
    mkdirSync(folder)
    chownSync(folder, runner.accounts?.server ?? 0, runner.accounts?.server ?? 0)
    chmodSync(folder, 0o700)
    writeFileSync(
      join(folder, 'try.js'),
      `
      const net = require('node:net')
      for (const [port, host] of [[${victim.port}, '127.0.0.1'], [${edge}, '${edgeAddress(1)}']]) net.connect(port, host).on('connect', () => console.log('connected')).on('error', (error) => console.log(error.code))
      try { console.log(require('node:fs').readFileSync('${victim.env['SECRETS_DIR']}/key', 'utf8')) } catch (error) { console.log(error.code) }`,
    )
    const logFile = join(runner.paths.builds, 'b1.log')
    await runner.confined.start(
      {
        id: 'b1',
        argv: [join(runner.paths.runtimes, 'node/bin/node'), 'try.js'],
        cwd: folder,
        env: {},
        limits: { cpu: 1, memoryBytes: 2 ** 28, pids: 64, wallMs: 10_000, diskBytes: 2 ** 24 },
        own: [folder],
        logFile,
      },
      1,
    )
    await until(async () => (await runner.confined.observe('b1'))?.phase === 'ended', 'the build has ended')
    assert.deepEqual((await runner.confined.observe('b1'))?.lastLines.slice().sort(), ['EACCES', 'ECONNREFUSED', 'ECONNREFUSED'])
  })
})
