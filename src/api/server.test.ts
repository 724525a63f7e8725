import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type ClientError, createClient, type ExecSession } from '../../packages/client/src/client.ts'
import { WeirError } from '../errors.ts'
import type { ApiOptions } from './options.ts'
import { createApi } from './server.ts'
import { FakeWorld, testOptions, VERBS_OF } from './testing.ts'

const SHOP = { tenant: 'default', app: 'shop', environment: 'production' }
const PLACE = { app: 'shop', environment: 'production' }
const folder = mkdtempSync(join(tmpdir(), 'weir-api-'))
after(() => rmSync(folder, { recursive: true }))

let count = 0
async function start(limits: Partial<ApiOptions['limits']> = {}) {
  const world = new FakeWorld()
  const detail = world.addEnvironment(SHOP, { current: 1, replicas: { 'e1-web-v1-1': { service: 'web', origin: 1, since: 0, retired: null, stale: false } } })
  world.addRelease(SHOP)
  const token = world.addToken({ tenants: { default: VERBS_OF.developer } })
  const socketPath = join(folder, `${++count}.sock`)
  const options = { ...testOptions(limits), socketPath }
  const api = await createApi(world.ports(), options)
  const { port } = await api.listen()
  const local = createClient({ address: `unix:${socketPath}` })
  const remote = createClient({ address: `http://127.0.0.1:${port}`, token })
  const close = async () => {
    local.close()
    remote.close()
    await api.close()
  }
  after(close)
  return { world, detail, api, close, options, socketPath, port: port as number, token, local, remote }
}

/** What comes back for bytes as they stand. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.on('data', (chunk) => (answer += chunk.toString()))
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
    socket.setTimeout(3000, () => socket.destroy())
  })
}

test('the unix socket is for its owner only, who is admin without a token', async () => {
  const { socketPath, local } = await start()
  assert.equal(statSync(socketPath).mode & 0o777, 0o600)
  const who = await local.call('identity.whoami', {})
  assert.deepEqual([who.name, who.admin], ['local', true])
})

test('TCP without a token is nobody, also on loopback', async () => {
  const { port } = await start()
  const anyone = createClient({ address: `http://127.0.0.1:${port}` })
  await assert.rejects(anyone.call('apps.list', {}), (error: ClientError) => error.code === 'E_UNAUTHENTICATED' && error.exit === 4)
  anyone.close()
})

test('a token on the unix socket counts for no more than it is', async () => {
  const { socketPath, token } = await start()
  const client = createClient({ address: `unix:${socketPath}`, token })
  await assert.rejects(client.call('settings.show', {}), (error: ClientError) => error.code === 'E_FORBIDDEN')
  client.close()
})

test('a second server on the same port is told so', async () => {
  const { world, options, port } = await start()
  const second = await createApi(world.ports(), { ...options, socketPath: null, listen: { host: '127.0.0.1', port } })
  await assert.rejects(second.listen(), { code: 'E_PORT_IN_USE' })
  await second.close()
})

test('a head over the limit is 431, and two framings of one body are 400', async () => {
  const { port } = await start()
  const big = await raw(port, `GET /livez HTTP/1.1\r\nHost: x\r\nX-Pad: ${'a'.repeat(20_000)}\r\n\r\n`)
  assert.match(big, /^HTTP\/1\.1 431 .*"code":"E_TOO_LARGE"/s)
  const smuggled = await raw(port, 'POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET')
  assert.match(smuggled, /^HTTP\/1\.1 400 .*"code":"E_USAGE"/s)
})

test('headers that must be single are refused when they come twice', async () => {
  const { port, token } = await start()
  const answer = await raw(
    port,
    `GET /api/v1/whoami HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer nonsense\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
  )
  assert.match(answer, /^HTTP\/1\.1 400 .*authorization came twice/s)
})

test('a body that trickles in is cut off', async () => {
  const { port, token } = await start({ requestMs: 50 })
  const begun = performance.now()
  await raw(
    port,
    `POST /api/v1/tenants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"na`,
  ).catch(() => '')
  assert.ok(performance.now() - begun < 2000)
})

test('connections over the cap are dropped, and those before go on', async () => {
  const { port, remote } = await start({ connections: 2 })
  await remote.call('identity.whoami', {})
  const held = connect(port, '127.0.0.1')
  await new Promise((resolve) => held.once('connect', resolve))
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(await raw(port, 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n').catch(() => ''), '')
  assert.equal((await remote.call('identity.whoami', {})).admin, false)
  held.destroy()
})

test('events are heard as they happen, and a reader that was cut off misses none', async () => {
  const { world, socketPath, options, api, local } = await start({ heartbeatMs: 20 })
  const heard: string[] = []
  const done = (async () => {
    for await (const { event, data } of local.stream('events.follow', {})) {
      assert.equal(event, 'rollout.started')
      heard.push(data.text)
      if (heard.length === 4) return
    }
  })()
  while (world.listeners.size === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  world.addEvent(SHOP, 'one')
  world.addEvent(SHOP, 'two')
  while (heard.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  await api.close()
  world.addEvent(SHOP, 'while nobody listened')
  const again = await createApi(world.ports(), { ...options, socketPath, listen: null })
  await again.listen()
  world.addEvent(SHOP, 'four')
  await done
  assert.deepEqual(heard, ['one', 'two', 'while nobody listened', 'four'])
  await again.close()
})

test('a silent stream carries comments, so that nobody on the way ends it', async () => {
  const { port, token } = await start({ heartbeatMs: 10 })
  const socket = connect(port, '127.0.0.1', () => socket.write(`GET /api/v1/events/follow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`))
  let text = ''
  await new Promise<void>((resolve) => socket.on('data', (chunk) => (text += chunk.toString()).split(':\n\n').length > 3 && resolve()))
  socket.destroy()
  assert.match(text, /content-type: text\/event-stream/i)
})

test('an asker may hold only so many streams', async () => {
  const { remote } = await start({ streams: 1 })
  const stop = new AbortController()
  const first = remote.stream('events.follow', {}, { signal: stop.signal })[Symbol.asyncIterator]()
  void first.next()
  await new Promise((resolve) => setTimeout(resolve, 50))
  const second = remote.stream('events.follow', {})[Symbol.asyncIterator]()
  await assert.rejects(second.next(), (error: ClientError) => error.status === 429)
  stop.abort()
})

test('a build log comes in pieces and ends; from an event id it goes on', async () => {
  const { local } = await start()
  const pieces = []
  for await (const { id, data } of local.stream('releases.log', { params: { ...PLACE, release: 1 } })) pieces.push({ id, text: data.text })
  assert.equal(pieces.map((it) => it.text).join(''), 'installing\nbuilding\n')
  const rest = []
  for await (const { data } of local.stream('releases.log', { params: { ...PLACE, release: 1 } }, { lastEventId: pieces[1]?.id as string }))
    rest.push(data.text)
  assert.deepEqual(
    rest,
    pieces.slice(2).map((it) => it.text),
  )
})

test('logs are followed by service and go on behind the last line seen', async () => {
  const { world, local } = await start()
  const line = (text: string, source = 'e1-web-v1-1') => world.lines.push({ time: 1_800_000_000_000, stream: 'out', text, source })
  line('old')
  line('other', 'e1-api-v1-2')
  const follow = async (wanted: number, lastEventId?: string) => {
    const lines = []
    for await (const { id, data } of local.stream(
      'logs.follow',
      { params: PLACE, query: { service: 'web', backlog: 10 } },
      lastEventId === undefined ? {} : { lastEventId },
    )) {
      lines.push({ id, text: data.text })
      if (lines.length === wanted) return lines
    }
    return lines
  }
  const first = follow(2)
  setTimeout(() => line('new'), 20)
  const seen = await first
  assert.deepEqual(
    seen.map((it) => it.text),
    ['old', 'new'],
  )
  line('later')
  assert.deepEqual(
    (await follow(1, seen[1]?.id as string)).map((it) => it.text),
    ['later'],
  )
})

test("a task's output ends when the task has ended", async () => {
  const { world, detail, local } = await start()
  const { task } = await local.call('tasks.create', { params: PLACE, body: { service: 'web', argv: ['ls'] } })
  world.lines.push({ time: 1, stream: 'out', text: 'server.js', source: task })
  const ended = {
    kind: 'run',
    service: 'web',
    release: 1,
    name: 'run',
    argv: ['ls'],
    since: 0,
    timeoutMs: 1,
    outcome: 'succeeded',
    exit: { kind: 'code', code: 0 },
    lastLines: [],
  } as const
  setTimeout(() => world.environments.set('default/shop/production', { ...detail, state: { ...detail.state, tasks: { [task]: ended } } }), 50)
  const output = []
  for await (const { data } of local.stream('tasks.output', { params: { ...PLACE, task } })) output.push(data)
  assert.deepEqual(output, [{ stream: 'stdout', text: 'server.js' }])
  assert.deepEqual((await local.call('tasks.show', { params: { ...PLACE, task } })).exit, { kind: 'code', code: 0 })
})

test('an upload streams, and one that is too large is cut off', async () => {
  const { world, remote } = await start({ uploadBytes: 4 * 1024 * 1024 })
  const chunks = async function* (n: number) {
    for (let i = 0; i < n; i++) yield Buffer.alloc(1024 * 1024)
  }
  const { digest } = await remote.upload(chunks(3))
  assert.match(digest, /^sha256:/)
  assert.equal(world.uploaded, 3 * 1024 * 1024)
  await assert.rejects(remote.upload(chunks(64)), (error: ClientError) => error.code === 'E_TOO_LARGE' || error.code === 'E_UNAVAILABLE')
  assert.ok(world.uploaded < 16 * 1024 * 1024)
})

const READY = { id: 'e1-web-v1-1', phase: 'ready', address: '127.0.0.1', ports: {}, restarts: 0, cause: null, lastLines: [], exit: null } as const

async function outputOf(session: ExecSession): Promise<Record<'stdout' | 'stderr', string>> {
  const seen = { stdout: '', stderr: '' }
  for await (const { stream, chunk } of session.output) seen[stream] += chunk.toString()
  return seen
}

test('exec joins input, output and exit', async () => {
  const { world, local } = await start()
  world.replicas.push(READY)
  const session = await local.exec({ params: PLACE, query: { service: 'web' } }, { argv: ['cat', '-n'], tty: null })
  session.write(Buffer.from('hello'))
  session.end()
  assert.deepEqual(await outputOf(session), { stdout: 'hello', stderr: 'cat -n' })
  assert.deepEqual(await session.exit, { kind: 'code', code: 5 })
  assert.equal(world.execs[0]?.replica, 'e1-web-v1-1')
  assert.deepEqual(world.recordedExecs, [{ service: 'web', replica: 'e1-web-v1-1', argv: ['cat', '-n'] }])
})

test('keys typed on a terminal are shown, sent by line, and Ctrl-C interrupts', async () => {
  const { world, local } = await start()
  world.replicas.push(READY)
  const session = await local.exec({ params: PLACE, query: { service: 'web' } }, { argv: ['sh'], tty: { columns: 80, rows: 24 } })
  session.write(Buffer.from('lsé\x7f\r'))
  session.write(Buffer.from('half a line\x03'))
  const { stdout } = await outputOf(session)
  assert.equal(stdout.replace('ls\n', ''), 'lsé\b \b\r\nhalf a line')
  assert.ok(stdout.includes('ls\n'))
  assert.deepEqual(await session.exit, { kind: 'signal', signal: 'SIGINT' })
})

test('exec says why when the command cannot start', async () => {
  const { world, local } = await start()
  await assert.rejects(
    local.exec({ params: PLACE, query: { service: 'web' } }, { argv: ['ls'], tty: null }),
    (error: ClientError) => error.code === 'E_CONFLICT',
  )
  world.replicas.push(READY)
  world.exec = () => {
    throw new WeirError('E_NOT_FOUND', { message: 'it has just gone' })
  }
  const session = await local.exec({ params: PLACE, query: { service: 'web' } }, { argv: ['ls'], tty: null })
  await assert.rejects(session.exit, (error: ClientError) => error.code === 'E_NOT_FOUND' && error.message === 'it has just gone')
})

test('exec is authorised like any request', async () => {
  const { world, port } = await start()
  const viewer = createClient({ address: `http://127.0.0.1:${port}`, token: world.addToken({ tenants: { default: VERBS_OF.viewer } }) })
  const nobody = createClient({ address: `http://127.0.0.1:${port}` })
  const open = (client: typeof viewer) => client.exec({ params: PLACE, query: { service: 'web' } }, { argv: ['sh'], tty: null })
  await assert.rejects(open(viewer), (error: ClientError) => error.code === 'E_FORBIDDEN')
  await assert.rejects(open(nobody), (error: ClientError) => error.code === 'E_UNAUTHENTICATED')
  assert.equal(world.execs.length, 0)
  viewer.close()
  nobody.close()
})

test('a command that loses its terminal is killed', async () => {
  const { world, local } = await start()
  world.replicas.push(READY)
  const killed = Promise.withResolvers<void>()
  const echo = world.exec
  world.exec = (argv) => ({ ...echo(argv), close: () => killed.resolve() })
  const session = await local.exec({ params: PLACE, query: { service: 'web' } }, { argv: ['top'], tty: null })
  while (world.execs.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  session.close()
  await killed.promise
})

test('the environment page joins what is wanted with what runs', async () => {
  const { world, local } = await start()
  world.replicas.push({
    id: 'e1-web-v1-1',
    phase: 'waiting',
    address: '127.0.0.1',
    ports: { http: 1 },
    restarts: 3,
    cause: 'exited with 1: boom',
    lastLines: ['boom'],
    exit: null,
  })
  const page = await local.call('environments.show', { params: PLACE })
  assert.deepEqual(
    page.services.map(({ name, kind, status, wanted, ready, cause }) => ({ name, kind, status, wanted, ready, cause })),
    [{ name: 'web', kind: 'web', status: 'degraded', wanted: 1, ready: 0, cause: 'exited with 1: boom' }],
  )
  assert.deepEqual(page.problems, ['web: exited with 1: boom'])
  assert.deepEqual(page.urls, ['http://shop.localhost:8080/'])
})

test("the platform's numbers are for the admin", async () => {
  const { local, remote } = await start()
  await local.call('identity.whoami', {})
  assert.match(await local.call('system.metrics', {}), /weir_api_requests_total\{route="identity.whoami",status="2xx"\} 1/)
  await assert.rejects(remote.call('system.metrics', {}), (error: ClientError) => error.status === 403)
})

test('nobody is let into a replica when that cannot be written down', async () => {
  const { world } = await start()
  world.replicas.push(READY)
  const ports = world.ports()
  const broken = { ...ports, writes: { transaction: async () => Promise.reject(new WeirError('E_UNAVAILABLE', { message: 'the store does not answer' })) } }
  const socketPath = join(folder, 'unwritten.sock')
  const api = await createApi(broken, { ...testOptions(), socketPath })
  await api.listen()
  const client = createClient({ address: `unix:${socketPath}` })
  const refused = await client.exec({ params: PLACE, query: { service: 'web' } }, { argv: ['ls'], tty: null })
  await assert.rejects(refused.exit, (error: ClientError) => error.code === 'E_UNAVAILABLE')
  assert.equal(world.execs.length, 0)
  client.close()
  await api.close()
})
