import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runCommand } from '../../src/spawn.ts'
import { intakeKey } from '../../src/telemetry/keys.ts'
import { requestOf, spanId, traceId } from '../../src/telemetry/window/testing.ts'
import { eventually, type Installation, installation } from './installation.ts'

const SECRET = 'swordfish-7731-of-the-collector'
const root = process.getuid?.() === 0
const skip = !root && 'without root there are no accounts'
let weir: Installation
const seen: IncomingMessage['headers'][] = []
const collector = createServer((request, response) => {
  seen.push(request.headers)
  request.resume().on('end', () => response.writeHead(seen.length === 1 ? 503 : 200).end(`thanks for ${request.headers.authorization}`))
})

before(async () => {
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  const address = `127.0.0.1:${(collector.address() as AddressInfo).port}`
  weir = await installation({ WEIR_FORWARD_OTLP: `http://${address}`, WEIR_LOG_EXPORT: `otlp+http://${address}` })
  if (!root) return
  const home = weir.env['WEIR_HOME'] ?? ''
  mkdirSync(home, { recursive: true, mode: 0o711 })
  const headers = { authorization: `Bearer ${SECRET}` }
  writeFileSync(join(home, 'telemetry.credentials'), JSON.stringify({ 'forward-otlp': { headers }, 'log-export': { headers } }), { mode: 0o600 })
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
})
after(async () => {
  collector.closeAllConnections()
  collector.close()
  await weir.remove()
})

const home = () => weir.env['WEIR_HOME'] ?? ''

test('what another place wants to see is shown to it, and stands nowhere but in its file', { skip }, async () => {
  const key = intakeKey(Buffer.from(readFileSync(join(home(), 'intake.secret'), 'utf8'), 'hex'), 'e1')
  await eventually('the intake takes spans', async () => {
    const answer = await fetch(`http://127.0.0.1:${weir.env['WEIR_OTLP_PORT']}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf', 'x-weir-key': key },
      body: Buffer.from(requestOf([{ trace: traceId(1), id: spanId(1), kind: 'server', service: 'web' }])),
    })
    return answer.status === 200
  })
  await eventually('it was forwarded', async () => seen.length >= 2)
  assert.equal(seen[0]?.authorization, `Bearer ${SECRET}`)

  const { stdout, stderr } = await weir.weir(['doctor', '--json'])
  const health = await weir.api('GET', '/api/v1/health')
  assert.ok(!`${stdout}${stderr}${JSON.stringify(health.body)}`.includes(SECRET))
  const inProcesses = readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && ['environ', 'cmdline'].some((name) => textOf(`/proc/${pid}/${name}`).includes(SECRET)),
  )
  assert.deepEqual(inProcesses, [])
  const files = readdirSync(home(), { recursive: true, withFileTypes: true })
    .filter((it) => it.isFile() && !it.parentPath.includes('/runtimes') && !it.parentPath.includes('/pg/'))
    .map((it) => join(it.parentPath, it.name))
  assert.ok(files.some((file) => file.endsWith('daemons/telemetry.json')) && files.some((file) => file.endsWith('weir/telemetry.jsonl')))
  assert.deepEqual(
    files.filter((file) => textOf(file).includes(SECRET)),
    [join(home(), 'telemetry.credentials')],
  )
})

test('the telemetry process reaches the store and the logs, and neither the gateway nor the runner nor the API', { skip }, async () => {
  const pid = readdirSync('/proc').find(
    (it) => /^\d+$/.test(it) && textOf(`/proc/${it}/environ`).includes(`WEIR_HOME=${home()}\0`) && textOf(`/proc/${it}/cmdline`).includes('telemetry'),
  )
  const status = textOf(`/proc/${pid}/status`)
  const [, uid, gid, groups = ''] = /^Uid:\t(\d+).*?^Gid:\t(\d+).*?^Groups:\t([\d ]*)/ms.exec(status) ?? []
  assert.ok(Number(uid) > 1_000_000, `an account of its own: ${uid}`)
  const run = join(home(), 'run')
  const [gateway, runner, api, own, spans] = ['gateway/control.sock', 'runner.sock', 'server/api.sock', 'telemetry/control.sock', 'spans/spans.sock'].map(
    (it) => join(run, it),
  )
  const store = join(run, 'pg/.s.PGSQL.5432')
  const script = `
    const tries = JSON.parse(process.argv[1])
    const connect = (path) => new Promise((done) => {
      const socket = require('net').connect({ path })
      socket.on('connect', () => (done('connected'), socket.destroy())).on('error', (error) => done(error.code))
    })
    const list = (path) => { try { return require('fs').readdirSync(path).length > 0 ? 'listed' : 'empty' } catch (error) { return error.code } }
    Promise.all([...tries.sockets.map(connect), ...tries.folders.map(list)]).then((all) => console.log(JSON.stringify(all)))`
  const tries = { sockets: [gateway, runner, api, store, own, spans], folders: ['logs', 'server', 'uploads', 'gateway'].map((it) => join(home(), it)) }
  const as = [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    ...(groups.trim() ? [`--groups=${groups.trim().split(' ').join(',')}`] : ['--clear-groups']),
    '--inh-caps=-all',
  ]
  const [node = ''] = textOf(`/proc/${pid}/cmdline`).split('\0')
  const { code, stdout, stderr } = await runCommand({
    argv: [as[0] as string, ...as.slice(1), '--', node, '-e', script, JSON.stringify(tries)],
    env: {},
    timeoutMs: 10_000,
  })
  assert.equal(code, 0, stderr)
  assert.deepEqual(JSON.parse(stdout), ['EACCES', 'EACCES', 'EACCES', 'connected', 'connected', 'connected', 'listed', 'EACCES', 'EACCES', 'EACCES'])
})

test('a password in a variable is refused, and not repeated', async () => {
  for (const name of ['WEIR_FORWARD_OTLP', 'WEIR_FORWARD_ZIPKIN', 'WEIR_KAFKA', 'WEIR_LOG_EXPORT']) {
    const { code, stdout, stderr } = await weir.weir(['up', '--no-deploy'], {
      env: { WEIR_HOME: weir.folder(`other-${name.toLowerCase()}`), [name]: `http://weir:${SECRET}@127.0.0.1:1` },
    })
    assert.equal(code, 64)
    assert.match(stdout + stderr, /telemetry\.credentials/)
    assert.ok(!(stdout + stderr).includes(SECRET))
  }
})

function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return '' // gone meanwhile
  }
}
