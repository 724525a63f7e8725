import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { accounts } from '../../src/config.ts'
import { isWeirError } from '../../src/errors.ts'
import { RpcClient } from '../../src/rpc/client.ts'
import { runCommand } from '../../src/spawn.ts'
import { eventually, freePort, get, type Installation, installation, WEIR } from './installation.ts'
import { leftovers } from './leftovers.ts'
import { traffic } from './traffic.ts'
import type { EnvironmentView, Hello } from './views.ts'

const root = process.getuid?.() === 0
let weir: Installation
let state = ''
let url = ''
const others: ChildProcess[] = []
const PATHS = { PATH: process.env['PATH'] ?? '' }
before(async () => {
  weir = await installation()
  state = weir.env['WEIR_HOME'] ?? ''
  const up = await weir.weir(['up'], { cwd: weir.example('hello') })
  assert.equal(up.code, 0, up.stderr)
  url = (await status('hello')).urls[0] ?? ''
})
after(async () => {
  for (const child of others) if (child.exitCode === null) child.kill('SIGKILL')
  await weir.remove()
})

const status = (app: string) => weir.json<EnvironmentView>(['status', app])
const hello = async () => JSON.parse((await get(url)).body) as Hello
async function succeeds(args: readonly string[], options: Parameters<Installation['weir']>[1] = {}): Promise<string> {
  const { code, stdout, stderr } = await weir.weir(args, options)
  assert.equal(code, 0, `weir ${args.join(' ')}\n${stdout}\n${stderr}`)
  return stdout
}
/** The store's socket as an address, which only root and PostgreSQL's own account can use. */
const storeUrl = () => {
  const password = readFileSync(join(state, 'store.password'), 'utf8').trim()
  return `postgres://weir:${password}@${encodeURIComponent(join(state, 'run/pg'))}/weir`
}
const storePid = () => Number(readFileSync(join(state, 'pg/store/postmaster.pid'), 'utf8').split('\n')[0])
async function inStore<T extends object>(text: string, values: unknown[] = []): Promise<T[]> {
  const client = new pg.Client({ connectionString: storeUrl() })
  await client.connect()
  try {
    return (await client.query<T>(text, values)).rows
  } finally {
    await client.end()
  }
}

test('a port that another program has is named together with its holder', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const address = taken.address()
  const port = typeof address === 'object' ? address?.port : 0
  try {
    const env = { WEIR_HOME: weir.folder('other'), WEIR_HTTP_LISTEN: `127.0.0.1:${port}`, WEIR_API_LISTEN: `127.0.0.1:${await freePort()}` }
    const { code, stderr } = await weir.weir(['up', '--no-deploy'], { env })
    assert.equal(code, 78, stderr)
    assert.match(stderr, new RegExp(`port ${port} is in use`))
    assert.match(stderr, new RegExp(`process ${process.pid}`))
    const json = await weir.weir(['up', '--no-deploy', '--json'], { env })
    assert.match(json.stdout + json.stderr, /"E_PORT_IN_USE"/)
    assert.deepEqual(await leftovers({ home: env.WEIR_HOME, uidBase: null }), [])
  } finally {
    taken.close()
  }
})

test('a state folder that cannot be written is refused, with what to do', async () => {
  writeFileSync(weir.folder('file'), '')
  const { code, stderr } = await weir.weir(['up', '--no-deploy'], { env: { WEIR_HOME: weir.folder('file/state') } })
  assert.equal(code, 78, stderr)
  assert.match(stderr, /cannot be the state folder/)
  assert.match(stderr, /WEIR_HOME/)
})

test('a second server on the state folder is refused, and the first goes on', async () => {
  const { code, stderr } = await weir.weir(['server'])
  assert.equal(code, 78, stderr)
  assert.match(stderr, /another server works with this state folder/)
  assert.equal((await status('hello')).status, 'running')
})

test('a database of an unknown future is refused', async () => {
  const [row] = await inStore<{ version: number }>('select version from weir.schema_version')
  await inStore('update weir.schema_version set version = 4711')
  try {
    const { code, stderr } = await weir.weir(['server', '--join'], { env: { DATABASE_URL: storeUrl(), WEIR_API_LISTEN: `127.0.0.1:${await freePort()}` } })
    assert.equal(code, 78, stderr)
    assert.match(stderr, /4711/)
  } finally {
    await inStore('update weir.schema_version set version = $1', [row?.version])
  }
})

test('while the store is away the API says so and the apps serve; it is back within seconds', async () => {
  const running = traffic(url, 10)
  process.kill(storePid(), 'SIGKILL')
  const killed = performance.now()
  const refused = await eventually(
    'the API says that it cannot',
    async () => {
      const answer = await weir.api('GET', '/api/v1/apps')
      return answer.status === 503 && answer
    },
    3_000,
  ).catch(() => null)
  if (refused) {
    assert.ok(Number(refused.headers['retry-after']) > 0)
    assert.equal(refused.body['code'], 'E_UNAVAILABLE')
  }
  await eventually('the API answers again', async () => (await weir.api('GET', '/api/v1/apps')).status === 200, 20_000)
  const tookMs = performance.now() - killed
  assert.deepEqual((await running.stop()).failures, [])
  await succeeds(['deploy'], { cwd: weir.folder('hello') })
  assert.ok(tookMs < 20_000, `${Math.round(tookMs)} ms`)
})

/** A second server beside the first: the same account, which alone reaches runner and gateway, and the group that reaches store and logs. */
async function joinedServer(): Promise<{ readonly process: ChildProcess; readonly log: string[] }> {
  const port = await freePort()
  const { server = 0, readers = 0 } = accounts({ ...weir.env }) ?? {}
  const log: string[] = []
  const env = { ...weir.env, DATABASE_URL: storeUrl(), WEIR_API_LISTEN: `127.0.0.1:${port}` }
  const as = ['--reuid', `${server}`, '--regid', `${server}`, '--groups', `${readers}`]
  const second = spawn('setpriv', [...as, WEIR, 'server', '--join'], { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
  others.push(second)
  for (const stream of [second.stdout, second.stderr]) stream.on('data', (chunk: Buffer) => log.push(chunk.toString()))
  const ready = async () => (await get(`http://127.0.0.1:${port}/readyz`)).status === 200
  await eventually('the second server is ready', ready, 20_000).catch((error: Error) => assert.fail(`${error.message}\n${log.join('')}`))
  return { process: second, log }
}
const leaders = async () => (await inStore<{ holder: string; epoch: number }>('select holder, epoch::int as epoch from weir.lease'))[0]

test('of two servers one leads; frozen until the other has taken over and thawed, it can change nothing any more', { skip: !root }, async () => {
  const { process: second, log } = await joinedServer()
  assert.doesNotMatch(log.join(''), /"leads"/)
  const before = await leaders()
  const firstPid = Number(before?.holder.split('/').at(-1))
  assert.notEqual(firstPid, second.pid)

  const runner = new RpcClient(join(state, 'run/runner.sock'))
  const running = traffic(url, 10)
  // Frozen in the middle of a release that takes its time.
  weir.write('hello', { 'slow.js': "setTimeout(() => import('./server.js'), 2000)" })
  const manifest = readFileSync(join(weir.folder('hello'), 'weir.yaml'), 'utf8')
  weir.write('hello', { 'weir.yaml': manifest.replace('"server.js"', '"slow.js"') })
  await succeeds(['deploy', '--no-wait'], { cwd: weir.folder('hello') })
  const target = await eventually('it is starting', async () => (await status('hello')).rollout?.target)
  process.kill(firstPid, 'SIGSTOP')
  try {
    await eventually('the second server leads', async () => (await leaders())?.holder !== before?.holder, 20_000)
    await eventually('it says so', async () => log.join('').includes('"leads"'))
    await eventually(
      'it has finished the release',
      async () => {
        const [row] = await inStore<{ current: string }>("select state->>'current' as current from weir.environments limit 1")
        return Number(row?.current) === target
      },
      20_000,
    )
  } finally {
    process.kill(firstPid, 'SIGCONT')
  }
  const epoch = before?.epoch ?? 0
  await assert.rejects(
    () => runner.call('stopReplica', { id: 'e1-hello-v1-1', epoch: epoch }),
    (error) => isWeirError(error, 'E_STALE_EPOCH'),
  )
  const gateway = new RpcClient(join(state, 'run/gateway/control.sock'))
  await assert.rejects(
    () => gateway.call('withdraw', { environment: 'e1', version: { epoch: epoch, n: 1e6 } }),
    (error) => isWeirError(error, 'E_STALE_EPOCH'),
  )
  for (const client of [runner, gateway]) client.close()
  await eventually('the first one knows', async () => readFileSync(join(state, 'logs/weir/server.jsonl'), 'utf8').includes('another server leads'))
  const after = await leaders()
  assert.equal(after?.epoch, epoch + 1, 'nobody has led in between')
  assert.deepEqual((await running.stop()).failures, [])
  const { items } = (await weir.api<{ items: { target: number; outcome: string }[] }>('GET', '/api/v1/apps/hello/environments/production/rollouts')).body
  assert.deepEqual(
    items.filter((it) => it.target === target).map((it) => it.outcome),
    ['promoted'],
  )
  assert.equal((await hello()).release, `v${target}`)

  second.kill('SIGTERM')
  await eventually('the first one leads again', async () => (await leaders())?.holder === before?.holder, 20_000)
  await succeeds(['deploy'], { cwd: weir.folder('hello') })
})

test('a server that joins ends no build; frozen in the middle of its build and thawed, the first disturbs neither that of its successor nor its outcome', {
  skip: !root,
}, async () => {
  const manifest = (build: string) =>
    `version: 1\napp: built\nservices:\n  web: { build: ${build}, command: ["node", "out.js"], ports: { http: 8080 }, routes: [{ host: built.example.com }] }\n`
  const script = `import fs from 'node:fs'
console.log('begins')
setTimeout(() => { fs.writeFileSync('out.js', fs.readFileSync('server.js')); console.log('ends') }, 6000)`
  const server = `require('http').createServer((q, s) => s.end('built')).listen(process.env.PORT, process.env.HOST)`
  const cwd = weir.write('built', {
    'package.json': '{}',
    'build.mjs': script,
    'server.js': server,
    'weir.yaml': manifest('{ context: ., command: ["node", "build.mjs"] }'),
  })
  await succeeds(['deploy', '--no-wait'], { cwd })
  const jobs = () => readdirSync(join(state, 'runner/jobs'))
  const before = await leaders()
  const epoch = before?.epoch ?? 0
  const ofEpoch = (wanted: number) => async () =>
    jobs().some((name) => name.startsWith(`build-${wanted}-`) && /"pid"/.test(readFileSync(join(state, 'runner/jobs', name), 'utf8')))
  await eventually('it is built', ofEpoch(epoch))
  const { process: second, log } = await joinedServer()
  assert.ok(await ofEpoch(epoch)(), 'the build goes on')

  const firstPid = Number(before?.holder.split('/').at(-1))
  process.kill(firstPid, 'SIGSTOP')
  try {
    await eventually('the second server builds', ofEpoch(epoch + 1), 20_000)
    assert.ok(
      jobs().every((name) => !name.startsWith(`build-${epoch}-`)),
      jobs().join(),
    )
  } finally {
    process.kill(firstPid, 'SIGCONT')
  }
  const { host, port } = weir.http
  const answers = async () => (await get(`http://${host}:${port}/`, { headers: { host: 'built.example.com' } })).body === 'built'
  await eventually('what the second one built answers', answers, 30_000)
  const { items } = (await weir.api<{ items: { status: string }[] }>('GET', '/api/v1/apps/built/environments/production/releases')).body
  assert.deepEqual(
    items.map((it) => it.status),
    ['ready'],
  )
  assert.doesNotMatch(log.join(''), /"failed"/)
  second.kill('SIGTERM')
  await eventually('the first one leads again', async () => (await leaders())?.holder === before?.holder, 20_000)
  await succeeds(['remove', 'built', '--yes'])
})

test('down leaves nothing but files, and up brings every app back in order at its address', async () => {
  const server = (delayMs: number) =>
    `const at = Date.now(); setTimeout(() => require('http').createServer((q, s) => s.end(String(at))).listen(process.env.PORT, process.env.HOST), ${delayMs})`
  const cwd = weir.write('ordered', {
    'api/package.json': '{}',
    'api/server.js': server(700),
    'web/package.json': '{}',
    'web/server.js': server(0),
    'weir.yaml': `version: 1
app: ordered
services:
  web: { build: web, command: ["node", "server.js"], ports: { http: 8080 }, routes: [{ host: web.example.com }], depends_on: { api: { condition: service_healthy } } }
  api: { build: api, command: ["node", "server.js"], ports: { http: 8080 }, routes: [{ host: api.example.com }] }
`,
  })
  await succeeds(['deploy'], { cwd })
  const urls = [url, ...(await status('ordered')).urls]
  const release = (await status('hello')).release
  await succeeds(['down'])
  assert.deepEqual(await leftovers({ home: state, uidBase: root ? Number(weir.env['WEIR_UID_BASE']) : null }), [])
  await assert.rejects(() => get(url))
  await assert.rejects(() => get(`http://${weir.http.host}:${weir.http.port}/`))

  await succeeds(['up', '--no-deploy'])
  const { host, port } = weir.http
  const started = async (name: string) => {
    const { status: code, body } = await get(`http://${host}:${port}/`, { headers: { host: `${name}.example.com` } })
    return code === 200 && Number(body)
  }
  const web = await eventually('web answers', () => started('web'), 20_000)
  const api = await eventually('api answers', () => started('api'))
  assert.ok(web - api >= 700, `api began at ${api} and needed 700 ms; web began at ${web}`)
  await eventually('hello answers', async () => (await get(url)).status === 200, 20_000)
  assert.deepEqual([(await status('hello')).urls[0], ...(await status('ordered')).urls], urls)
  assert.equal((await status('hello')).release, release)
})

test('a full disk stops deploys with its name, and what runs goes on; with room again deploys do too', { skip: !root }, async (context) => {
  const disk = weir.folder('disk')
  await runCommand({ argv: ['mkdir', '-p', disk], env: PATHS, timeoutMs: 5_000 })
  const mounted = await runCommand({ argv: ['mount', '-t', 'tmpfs', '-o', 'size=1600m,mode=0711', 'tmpfs', disk], env: PATHS, timeoutMs: 5_000 })
  if (mounted.code !== 0) return context.skip(`no tmpfs here: ${mounted.stderr}`)
  const full = await installation({ WEIR_HOME: join(disk, 'state'), WEIR_UID_BASE: String(Number(weir.env['WEIR_UID_BASE']) + 50_000), WEIR_EDGE_BLOCK: '64' })
  try {
    const cwd = full.example('hello')
    const up = await full.weir(['up'], { cwd })
    assert.equal(up.code, 0, up.stderr)
    const there = (await full.json<EnvironmentView>(['status', 'hello'])).urls[0] ?? ''
    const running = traffic(there, 10)
    const filler = join(disk, 'filler')
    await runCommand({ argv: ['fallocate', '-l', String(1600 * 2 ** 20), filler], env: PATHS, timeoutMs: 20_000 })
    const { size } = statSync(filler, { throwIfNoEntry: false }) ?? { size: 0 }
    if (size < 100 * 2 ** 20) await runCommand({ argv: ['dd', 'if=/dev/zero', `of=${filler}`, 'bs=1M'], env: PATHS, timeoutMs: 60_000 })
    full.write('hello', { 'note.txt': 'new' })
    const deploy = await full.weir(['deploy', '--timeout', '15s', '--json'], { cwd })
    assert.equal(deploy.code, 1, deploy.stdout + deploy.stderr)
    assert.match(deploy.stdout + deploy.stderr, /E_DISK_FULL/)
    assert.deepEqual((await running.stop()).failures, [])
    truncateSync(filler, 0)
    await eventually('deploys go on', async () => (await full.weir(['deploy', '--timeout', '20s'], { cwd })).code === 0, 60_000)
    assert.equal((await get(there)).status, 200)
  } finally {
    try {
      await full.remove()
    } finally {
      await runCommand({ argv: ['umount', '-l', disk], env: PATHS, timeoutMs: 5_000 })
    }
  }
})
