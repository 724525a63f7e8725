import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { get, type Installation, installation } from './installation.ts'
import type { EnvironmentView } from './views.ts'

/** An app that tries what it is asked to try, and says how it went. */
const TRIES = `const fs = require('fs'), net = require('net')
const tries = {
  tcp: ({ host, port }) => connect({ host, port: Number(port) }),
  unix: ({ path }) => connect({ path }),
  read: ({ path }) => { const text = fs.readFileSync(path, 'latin1'); return 'READ ' + text.length },
  list: ({ path }) => 'LISTED ' + fs.readdirSync(path).length,
  write: ({ path }) => { fs.writeFileSync(path, 'x'); return 'WROTE' },
  env: () => JSON.stringify(process.env),
}
function connect(to) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...to, timeout: 1500 })
    socket.on('connect', () => { socket.destroy(); resolve('CONNECTED') })
    socket.on('timeout', () => { socket.destroy(); reject(new Error('ETIMEDOUT')) })
    socket.on('error', reject)
  })
}
require('http').createServer(async (q, s) => {
  const url = new URL(q.url, 'http://x')
  try {
    s.end(String(await tries[url.pathname.slice(1)](Object.fromEntries(url.searchParams))))
  } catch (error) {
    s.end('REFUSED ' + (error.code ?? error.message))
  }
}).listen(process.env.PORT, process.env.HOST)
`
const MANIFEST = (app: string) => `version: 1
app: ${app}
services:
  web:
    build: web
    command: ["node", "server.js"]
    ports: { http: 8080 }
    routes: [{ host: ${app}.example.com }]
    depends_on: { api: { condition: service_healthy }, db: {} }
    secrets: [{ name: api-key, environment: API_KEY }]
    volumes: [{ resource: files, path: /data }]
  api:
    build: api
    command: ["node", "server.js"]
    ports: { http: 8080 }
resources:
  db: { type: postgres, version: 18 }
  files: { type: volume }
`

const root = process.getuid?.() === 0
const skip = !root && 'only root can keep tenants apart'
let weir: Installation
const tokens: Record<string, string> = {}

before(async () => {
  weir = await installation()
  if (!root) return
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
  for (const tenant of ['ann', 'bob']) {
    const made = await weir.api('POST', '/api/v1/accounts', { name: tenant, password: `a long password of ${tenant}` })
    assert.equal(made.status, 201, JSON.stringify(made.body))
    const login = await weir.api<{ secret: string }>('POST', '/api/v1/login', { name: tenant, password: `a long password of ${tenant}` })
    tokens[tenant] = login.body.secret
    const cwd = weir.write(`${tenant}-app`, {
      'web/server.js': `// of ${tenant}\n${TRIES}`,
      'web/package.json': '{}',
      'api/server.js': TRIES,
      'api/package.json': '{}',
      'weir.yaml': MANIFEST(`app-of-${tenant}`),
    })
    const env = asTenant(tenant)
    const first = await weir.weir(['deploy', '--no-wait'], { cwd, env })
    assert.equal(first.code, 0, first.stderr)
    const secret = await weir.weir(['secrets', 'set', 'api-key'], { cwd, env, stdin: `the key of ${tenant}` })
    assert.equal(secret.code, 0, secret.stderr)
    const deploy = await weir.weir(['deploy'], { cwd, env })
    assert.equal(deploy.code, 0, deploy.stdout + deploy.stderr)
  }
})
after(() => weir.remove())

function asTenant(tenant: string): Record<string, string> {
  return { WEIR_SERVER: `http://${weir.env['WEIR_API_LISTEN']}`, WEIR_TOKEN: tokens[tenant] ?? '' }
}
async function tries(tenant: string, what: string, args: Record<string, string> = {}): Promise<string> {
  const { host, port } = weir.http
  const query = new URLSearchParams(args)
  const { status, body } = await get(`http://${host}:${port}/${what}?${query}`, { headers: { host: `app-of-${tenant}.example.com` } })
  assert.equal(status, 200, body)
  return body
}
async function environmentOf(tenant: string): Promise<Record<string, string>> {
  return JSON.parse(await tries(tenant, 'env')) as Record<string, string>
}
async function view(tenant: string): Promise<EnvironmentView> {
  return (await weir.api<EnvironmentView>('GET', `/api/v1/apps/app-of-${tenant}/environments/production`, undefined, tokens[tenant])).body
}
/** Bob is refused where Ann is let in, so that a refusal means something. */
async function onlyAnn(what: string, args: Record<string, string>, annGets: RegExp): Promise<void> {
  assert.match(await tries('ann', what, args), annGets, `ann: ${what} ${JSON.stringify(args)}`)
  assert.match(await tries('bob', what, args), /^REFUSED /, `bob: ${what} ${JSON.stringify(args)}`)
}
async function nobody(what: string, args: Record<string, string>): Promise<void> {
  for (const tenant of ['ann', 'bob']) assert.match(await tries(tenant, what, args), /^REFUSED /, `${tenant}: ${what} ${JSON.stringify(args)}`)
}

test("a replica's port is reached by the gateway alone", { skip }, async () => {
  const { replicas } = await view('ann')
  assert.equal(replicas.length, 2)
  for (const { ports } of replicas) assert.match(await tries('bob', 'tcp', { host: '127.0.0.1', port: String(ports['http']) }), /^REFUSED /)
})

test('the edges of an app are reached by its own services alone', { skip }, async () => {
  const { API_URL = '' } = await environmentOf('ann')
  const { hostname, port } = new URL(API_URL)
  await onlyAnn('tcp', { host: hostname, port }, /^CONNECTED/)
})

test("a database lets in its own app's role alone", { skip }, async () => {
  const [ann, bob] = [await environmentOf('ann'), await environmentOf('bob')]
  const own = new URL(bob['DATABASE_URL'] ?? '')
  const other = new URL(ann['DATABASE_URL'] ?? '')
  assert.notEqual(own.username, other.username)
  assert.notEqual(own.pathname, other.pathname)
  const pg = (await import('pg')).default
  const attempt = async (url: URL): Promise<string> => {
    const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 3000 })
    try {
      await client.connect()
      await client.query('select 1')
      return 'CONNECTED'
    } catch (error) {
      return `REFUSED ${(error as Error).message}`
    } finally {
      await client.end().catch(() => {})
    }
  }
  // From this test, which no firewall rule is about: the server itself must refuse.
  assert.equal(await attempt(own), 'CONNECTED')
  const crossed = new URL(own)
  crossed.pathname = other.pathname
  assert.match(await attempt(crossed), /^REFUSED .*permission denied for database/)
  const wrong = new URL(other)
  wrong.password = own.password
  assert.match(await attempt(wrong), /^REFUSED .*password authentication failed/)
})

test("another app's files cannot be read: code, volume, secrets, logs, and what Weir itself keeps", { skip }, async () => {
  const state = weir.env['WEIR_HOME'] ?? ''
  const { SECRETS_DIR = '', FILES_PATH = '', HOME = '', TMPDIR = '' } = await environmentOf('ann')
  await onlyAnn('read', { path: join(SECRETS_DIR, 'api-key') }, /^READ 14/)
  await onlyAnn('write', { path: join(FILES_PATH, 'note') }, /^WROTE/)
  await onlyAnn('read', { path: join(FILES_PATH, 'note') }, /^READ 1/)
  await onlyAnn('list', { path: FILES_PATH }, /^LISTED/)
  await onlyAnn('list', { path: HOME }, /^LISTED/)
  await onlyAnn('list', { path: TMPDIR }, /^LISTED/)
  for (const path of [
    '',
    'server',
    'pg',
    'pg/store',
    'pg/apps',
    'slugs',
    'builds',
    'uploads',
    'mirrors',
    'logs',
    'replicas',
    'volumes',
    'runner',
    'gateway',
    'run',
    'run/server',
    'run/pg',
  ])
    await nobody('list', { path: join(state, path) })
  for (const path of ['server/key', 'store.password', 'runner/epoch.json', 'logs/weir/server.jsonl', 'gateway/tables.json'])
    await nobody('read', { path: join(state, path) })
  for (const folder of readdirSync(join(state, 'logs'))) await nobody('list', { path: join(state, 'logs', folder) })
  for (const path of ['', 'slugs', 'logs', 'run', 'replicas']) await nobody('write', { path: join(state, path, 'planted') })
})

test("another app's code cannot be read, nor can an app change its own", { skip }, async () => {
  const { replicas } = await view('ann')
  const slugs = [...replicas]
    .sort((a, b) => (a.service > b.service ? -1 : 1))
    .map(({ id }) => JSON.parse(readFileSync(join(weir.env['WEIR_HOME'] ?? '', 'runner/replicas', `${id}.json`), 'utf8')).spec.slug as string)
  const [web = ''] = slugs
  await onlyAnn('read', { path: join(weir.env['WEIR_HOME'] ?? '', 'slugs', web.replace(/^sha256:/, ''), 'server.js') }, /^READ/)
  for (const slug of new Set(slugs)) {
    const folder = join(weir.env['WEIR_HOME'] ?? '', 'slugs', slug.replace(/^sha256:/, ''))
    await nobody('write', { path: join(folder, 'server.js') })
    await nobody('write', { path: join(folder, 'planted.js') })
  }
})

test('the environment and memory of other processes cannot be read', { skip }, async () => {
  const { replicas } = await view('ann')
  const pids = replicas.map(
    ({ id }) => JSON.parse(readFileSync(join(weir.env['WEIR_HOME'] ?? '', 'runner/replicas', `${id}.json`), 'utf8')).process.pid as number,
  )
  for (const pid of [...pids, process.pid, 1]) {
    for (const file of ['environ', 'maps', 'cwd/server.js', 'root/etc/passwd']) {
      assert.match(await tries('bob', 'read', { path: `/proc/${pid}/${file}` }), /^REFUSED /, `${pid}/${file}`)
    }
  }
})

test("Weir's own sockets do not let an app in", { skip }, async () => {
  const state = weir.env['WEIR_HOME'] ?? ''
  for (const path of ['run/server/api.sock', 'run/runner.sock', 'run/gateway/control.sock', 'run/pg/.s.PGSQL.5432'])
    await nobody('unix', { path: join(state, path) })
  const api = String(weir.env['WEIR_API_LISTEN']?.split(':')[1])
  await nobody('tcp', { host: '127.0.0.1', port: api })
})

test("a token finds its own tenant's apps, and for all others there is no such app", { skip }, async () => {
  const place = '/api/v1/apps/app-of-ann/environments/production'
  const ask = async (method: string, path: string, body?: unknown) => (await weir.api(method, path, body, tokens['bob'])).status
  assert.equal((await weir.api('GET', place, undefined, tokens['ann'])).status, 200)
  for (const path of ['', '/releases', '/releases/1', '/logs', '/secrets', '/variables', '/rollouts', '/operations', '/jobs', '/counters'])
    assert.equal(await ask('GET', place + path), 404, path)
  assert.equal(await ask('GET', '/api/v1/apps/app-of-ann'), 404)
  assert.equal(await ask('DELETE', '/api/v1/apps/app-of-ann?confirm=app-of-ann'), 404)
  for (const path of ['/stop', '/start', '/restart', '/rollback', '/rollout/abort'])
    assert.equal(await ask('POST', place + path, path.startsWith('/rollout') ? undefined : {}), 404, path)
  assert.equal(await ask('PUT', `${place}/services/web/scale`, { replicas: 0 }), 404)
  assert.equal(await ask('PUT', `${place}/secrets/api-key`, { value: 'mine now' }), 404)
  const { items } = (await weir.api<{ items: { name: string }[] }>('GET', '/api/v1/apps', undefined, tokens['bob'])).body
  assert.deepEqual(
    items.map((it) => it.name),
    ['app-of-bob'],
  )
  const cli = await weir.weir(['status', 'app-of-ann'], { env: asTenant('bob') })
  assert.equal(cli.code, 5, cli.stderr)
  assert.doesNotMatch(cli.stderr, /app-of-ann\b.*did you mean/)
  assert.equal((await view('ann')).status, 'running')
})
