import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually, get, type Installation, installation } from './installation.ts'
import { traffic } from './traffic.ts'
import type { EnvironmentView, Hello, ReplicaView } from './views.ts'

let weir: Installation
before(async () => {
  weir = await installation()
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
})
after(() => weir.remove())

const status = (app: string) => weir.json<EnvironmentView>(['status', app])
const replicas = (app: string) => weir.json<ReplicaView[]>(['ps', app])
const hello = async (url: string) => JSON.parse((await get(url)).body) as Hello
async function succeeds(args: readonly string[], options: Parameters<Installation['weir']>[1] = {}): Promise<string> {
  const { code, stdout, stderr } = await weir.weir(args, options)
  assert.equal(code, 0, `weir ${args.join(' ')}\n${stdout}\n${stderr}`)
  return stdout
}
const urlOf = async (app: string) => (await status(app)).urls[0] ?? ''
/** How many of `requests` were answered by each release. */
async function shares(url: string, requests: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (let left = requests; left > 0; left -= 20) {
    const answers = await Promise.all(Array.from({ length: Math.min(20, left) }, () => get(url)))
    for (const { headers } of answers) {
      const name = `${headers['x-weir-release']} ${headers['x-weir-track']}`
      counts[name] = (counts[name] ?? 0) + 1
    }
  }
  return counts
}

const MANIFEST = (release: string) => `version: 1
app: hello
services:
  hello:
    build: .
    command: ["node", "server.js"]
    ports: { http: 8080 }
    healthcheck: { http: /healthz, interval: 100ms }
    stop: { grace: 2s }
    release: ${release}
`

test('a rollback within keep gives the requests back to the old processes, variables included, and no request is lost', async () => {
  const cwd = weir.example('hello')
  weir.write('hello', { 'weir.yaml': MANIFEST('{ keep: 1m }') })
  await succeeds(['env', 'set', 'GREETING=one', '-a', 'hello'], { cwd }).catch(() => null)
  await succeeds(['deploy'], { cwd })
  await succeeds(['env', 'set', 'GREETING=one'], { cwd })
  await succeeds(['env', 'apply'], { cwd })
  const url = await urlOf('hello')
  const old = await hello(url)
  await succeeds(['env', 'set', 'GREETING=two'], { cwd })
  await succeeds(['env', 'apply'], { cwd })
  assert.equal((await hello(url)).message, 'two')
  assert.equal((await status('hello')).warm, 2)
  const running = traffic(url, 5)
  const printed = await succeeds(['rollback'], { cwd })
  assert.deepEqual((await running.stop()).failures, [])
  assert.deepEqual(await hello(url), old, 'the very same process, with its variables')
  assert.match(printed, /weir rollback v3/)
  await succeeds(['rollback', 'v3'], { cwd })
  assert.equal((await hello(url)).message, 'two')
})

test('after keep the old release is started again without a build', async () => {
  const cwd = weir.folder('hello')
  weir.write('hello', { 'weir.yaml': MANIFEST('{ keep: 1s }') })
  await succeeds(['deploy'], { cwd })
  await succeeds(['env', 'set', 'GREETING=three'], { cwd })
  await succeeds(['env', 'apply'], { cwd })
  const url = await urlOf('hello')
  const before = await status('hello')
  assert.equal(before.release, 5)
  // The longer of the two keeps counts: v4 was made with 1s, like v5.
  await eventually('nothing is warm any more', async () => (await status('hello')).warm === null && (await replicas('hello')).length === 1)
  const running = traffic(url, 5)
  const printed = await succeeds(['rollback'], { cwd })
  assert.deepEqual((await running.stop()).failures, [])
  assert.doesNotMatch(printed, /building/)
  const { message, release } = await hello(url)
  assert.deepEqual([message, (await status('hello')).release], ['two', 4])
  assert.ok(release)
  const none = await weir.weir(['rollback', 'v99'], { cwd })
  assert.equal(none.code, 5, none.stderr)
})

test('a canary takes the share it is given, step by step, waits for approval, and the answers tell the tracks apart', async () => {
  const cwd = weir.folder('hello')
  weir.write('hello', { 'weir.yaml': MANIFEST('{ strategy: canary, analysis: off, steps: [10%, 50%], split: { by: request }, keep: 10s }') })
  const printed = await succeeds(['deploy'], { cwd })
  assert.match(printed, /serves 10 % and waits for you/)
  const url = await urlOf('hello')
  const target = (await status('hello')).rollout?.target ?? 0
  const base = (await status('hello')).release ?? 0
  const running = traffic(url, 10)

  const canary = async (percent: number, requests = 400) => {
    const counts = await shares(url, requests)
    const served = Object.entries(counts).reduce((sum, [name, count]) => (name.endsWith(' canary') ? sum + count : sum), 0)
    const expected = (requests * percent) / 100
    // Five standard deviations of a fair split.
    const slack = 5 * Math.sqrt((requests * percent * (100 - percent)) / 10_000)
    assert.ok(Math.abs(served - expected) <= slack, `${percent} % of ${requests}: ${JSON.stringify(counts)}`)
    assert.ok(
      Object.keys(counts).every((name) => name === `v${target} canary` || name.endsWith(' stable')),
      JSON.stringify(counts),
    )
  }
  await canary(10)
  await succeeds(['canary', 'weight', '30'], { cwd })
  await eventually('the weight is 30', async () => (await status('hello')).rollout?.weight === 30)
  await canary(30)
  await succeeds(['canary', 'pause'], { cwd })
  assert.equal((await status('hello')).rollout?.paused, true)
  await canary(30, 200)
  for (const _ of ['lets it go on', 'approves the next step']) await succeeds(['canary', 'resume'], { cwd })
  await eventually('the next step', async () => (await status('hello')).rollout?.weight === 50)
  await canary(50)
  assert.match(await succeeds(['canary', 'status'], { cwd }), /50 %/)
  const tracks = new Set((await Promise.all(Array.from({ length: 40 }, () => hello(url)))).map((it) => it.track))
  assert.deepEqual([...tracks].sort(), ['canary', 'stable'])

  await succeeds(['canary', 'abort'], { cwd })
  await eventually('the canary is gone', async () => (await status('hello')).rollout === null)
  assert.equal((await status('hello')).release, base)
  assert.deepEqual(
    Object.keys(await shares(url, 60)).filter((it) => it.endsWith('canary')),
    [],
  )
  const undone = await weir.weir(['canary', 'weight', '10'], { cwd })
  assert.equal(undone.code, 5, undone.stderr)
  assert.deepEqual((await running.stop()).failures, [])
})

test('a canary that is promoted serves everything, and one that a person takes back while it waits is reported as rejected', async () => {
  const cwd = weir.folder('hello')
  await succeeds(['deploy'], { cwd })
  const { rollout } = await status('hello')
  const url = await urlOf('hello')
  const running = traffic(url, 10)
  await succeeds(['canary', 'promote'], { cwd })
  await eventually('it has taken over', async () => (await status('hello')).release === rollout?.target)
  assert.deepEqual(
    Object.keys(await shares(url, 40)).every((it) => it.endsWith('stable')),
    true,
  )
  assert.deepEqual((await running.stop()).failures, [])

  weir.write('hello', { 'server.js': 'setTimeout(() => {}, 60_000)\n' })
  const deploying = weir.weir(['deploy'], { cwd })
  await eventually('it is starting', async () => (await status('hello')).rollout)
  await succeeds(['canary', 'abort'], { cwd })
  const { code, stderr } = await deploying
  assert.equal(code, 3, stderr)
  assert.match(stderr, /taken back/)
  assert.match(stderr, new RegExp(`v${rollout?.target} serves 100 %`))
  weir.example('hello')
})

test('a canary that says nothing is split by request where the app answers data, and by client where it answers pages', async () => {
  const cwd = weir.example('hello', 'pages')
  weir.write('pages', { 'weir.yaml': MANIFEST('{ strategy: canary, analysis: off, steps: [50%], keep: 1s }').replace('app: hello', 'app: pages') })
  await succeeds(['deploy'], { cwd })
  const url = await urlOf('pages')
  const place = '/api/v1/apps/pages/environments/production'
  let asked = 0
  const ask = async (times: number, accept: string) => {
    for (asked += times; times > 0; times--) await get(url, { headers: { accept } })
    await eventually('all are counted', async () => {
      const { body } = await weir.api<{ services: { requests: number }[] }>('GET', `${place}/counters`)
      return body.services.reduce((sum, it) => sum + it.requests, 0) === asked
    })
  }
  const canary = async (note: string) => {
    weir.write('pages', { 'note.txt': note })
    await succeeds(['deploy'], { cwd })
    const { body } = await weir.api<{ items: { kind: string; text: string }[] }>('GET', '/api/v1/events?app=pages&environment=production')
    return body.items.find((it) => it.kind === 'rollout.started')?.text ?? ''
  }
  await ask(20, 'application/json')
  assert.match(await canary('one'), /\(canary, split by request\)/)
  await succeeds(['canary', 'abort'], { cwd })
  await eventually('the canary is gone', async () => (await status('pages')).rollout === null)
  await ask(30, 'text/html')
  assert.match(await canary('two'), /\(canary, split by client\)/)
  const browser = await get(url, { headers: { accept: 'text/html' } })
  const cookie = String(browser.headers['set-cookie']).split(';', 1)[0] ?? ''
  assert.match(cookie, /^weir-client=/)
  const served = new Set<unknown>()
  for (let times = 0; times < 20; times++) served.add((await get(url, { headers: { accept: 'text/html', cookie } })).headers['x-weir-track'])
  assert.deepEqual([...served], [browser.headers['x-weir-track']], 'the same browser stays on its side')
  await succeeds(['canary', 'promote'], { cwd })
})

const CALLER = `const http = require('http')
const me = process.env.WEIR_RELEASE
http.createServer(async (q, s) => {
  const { release } = await fetch(process.env.API_URL + '/', { headers: process.argv[2] === 'bare' ? {} : pick(q.headers) }).then((r) => r.json())
  s.end(JSON.stringify({ web: me, api: release, bare: process.argv[2] === 'bare' }))
}).listen(process.env.PORT, process.env.HOST)
const pick = ({ baggage }) => (baggage ? { baggage } : {})
`
const CALLEE = `const me = process.env.WEIR_RELEASE
require('http').createServer((q, s) => s.end(JSON.stringify({ release: me }))).listen(process.env.PORT, process.env.HOST)
`
const PAIR = (extra: string) => `version: 1
app: pair
services:
  web:
    build: web
    command: ["node", "server.js", "bare"]
    ports: { http: 8080 }
    routes: [{ host: pair.example.com }]
    depends_on: { api: { condition: service_healthy } }
    healthcheck: { tcp: http, interval: 100ms }
    ${extra}
  api:
    build: api
    command: ["node", "server.js"]
    ports: { http: 8080 }
    healthcheck: { tcp: http, interval: 100ms }
    ${extra}
`

test('a changed caller reaches the callee of its own release without any header', async () => {
  const { host, port } = weir.http
  const ask = async () => JSON.parse((await get(`http://${host}:${port}/`, { headers: { host: 'pair.example.com' } })).body) as { web: string; api: string }
  const canary = 'release: { strategy: canary, analysis: off, steps: [50%], split: { by: request } }'
  const cwd = weir.write('pair', {
    'web/server.js': CALLER,
    'web/package.json': '{}',
    'api/server.js': CALLEE,
    'api/package.json': '{}',
    'weir.yaml': PAIR(canary),
  })
  await succeeds(['deploy'], { cwd })
  assert.deepEqual([(await ask()).web, (await ask()).api], ['v1', 'v1'])
  weir.write('pair', { 'web/note.txt': 'two', 'api/note.txt': 'two' })
  await succeeds(['deploy'], { cwd })
  const seen: Record<string, number> = {}
  for (let i = 0; i < 80; i++) {
    const { web, api } = await ask()
    seen[`${web} ${api}`] = (seen[`${web} ${api}`] ?? 0) + 1
  }
  assert.deepEqual(Object.keys(seen).sort(), ['v1 v1', 'v2 v2'], JSON.stringify(seen))
  await succeeds(['canary', 'promote'], { cwd })
  await eventually('it has taken over', async () => (await status('pair')).release === 2)
  assert.deepEqual([(await ask()).web, (await ask()).api], ['v2', 'v2'])
})

test('a service with a volume is replaced: never two at once, and its data stays', async () => {
  const server = `const fs = require('fs'), data = process.env.FILES_PATH, file = data + '/starts', alive = data + '/alive'
const alone = !fs.existsSync(alive)
fs.writeFileSync(alive, String(process.pid))
fs.appendFileSync(file, (alone ? 'alone' : 'TWO') + '\\n')
process.on('SIGTERM', () => setTimeout(() => { fs.unlinkSync(alive); process.exit(0) }, 500))
require('http').createServer((q, s) => s.end(fs.readFileSync(file, 'utf8'))).listen(process.env.PORT, process.env.HOST)
`
  const manifest = `version: 1
app: store
services:
  main:
    build: .
    command: ["node", "server.js"]
    ports: { http: 8080 }
    healthcheck: { tcp: http, interval: 100ms }
    volumes: [{ resource: files, path: /data }]
resources:
  files: { type: volume }
`
  const cwd = weir.write('store', { 'server.js': server, 'package.json': '{}', 'weir.yaml': manifest })
  await succeeds(['deploy'], { cwd })
  const url = await urlOf('store')
  assert.equal((await get(url)).body, 'alone\n')
  weir.write('store', { 'note.txt': 'two' })
  const plan = await weir.weir(['plan'], { cwd })
  assert.match(plan.stdout, /recreate|replace|stops first|gap/i)
  await succeeds(['deploy'], { cwd })
  assert.equal((await get(url)).body, 'alone\nalone\n')
  await succeeds(['rollback'], { cwd })
  assert.equal((await get(url)).body, 'alone\nalone\nalone\n')

  const refused = await weir.weir(['remove', 'store'], { cwd })
  assert.equal(refused.code, 64)
  await succeeds(['remove', 'store', '--confirm', 'store'], { cwd })
  await eventually('it is gone', async () => (await weir.weir(['status', 'store'])).code === 5)
  await succeeds(['deploy'], { cwd })
  assert.equal((await get(await urlOf('store'))).body, 'alone\nalone\nalone\nalone\n', 'a new app of the same name finds the data')

  await succeeds(['remove', 'store', '--confirm', 'store', '--with-data'], { cwd })
  await eventually('it is gone again', async () => (await weir.weir(['status', 'store'])).code === 5)
  await succeeds(['deploy'], { cwd })
  assert.equal((await get(await urlOf('store'))).body, 'alone\n')
})
