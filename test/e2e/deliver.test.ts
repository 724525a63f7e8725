import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { eventually, get, type Installation, installation } from './installation.ts'
import { repository } from './repository.ts'
import { traffic } from './traffic.ts'
import type { EnvironmentView, Hello, ReleaseView, ReplicaView } from './views.ts'

let weir: Installation
before(async () => {
  weir = await installation()
  const up = await weir.weir(['up', '--no-deploy'])
  assert.equal(up.code, 0, up.stderr)
})
after(() => weir.remove())

const status = (app: string) => weir.json<EnvironmentView>(['status', app])
const releases = (app: string) => weir.json<ReleaseView[]>(['releases', '-a', app])
const replicas = (app: string) => weir.json<ReplicaView[]>(['ps', app])
const hello = async (url: string) => JSON.parse((await get(url)).body) as Hello
async function urlOf(app: string): Promise<string> {
  const url = (await status(app)).urls[0]
  assert.ok(url, `${app} has a URL`)
  return url
}
async function succeeds(args: readonly string[], options: Parameters<Installation['weir']>[1] = {}): Promise<string> {
  const { code, stdout, stderr } = await weir.weir(args, options)
  assert.equal(code, 0, `weir ${args.join(' ')}\n${stdout}\n${stderr}`)
  return stdout
}

test('a folder becomes an app that answers at the printed URL', async () => {
  const cwd = weir.example('hello')
  const printed = await succeeds(['deploy'], { cwd })
  const url = /http:\/\/\S+/.exec(printed)?.[0] ?? ''
  const answer = await get(url)
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['x-weir-release'], 'v1')
  assert.equal((JSON.parse(answer.body) as Hello).release, 'v1')
  assert.equal(url, await urlOf('hello'))
})

test('a deploy by hand of the same source is a release of its own, and no process is touched', async () => {
  const before = await hello(await urlOf('hello'))
  await succeeds(['deploy'], { cwd: weir.folder('hello') })
  assert.deepEqual(
    (await releases('hello')).map((it) => it.number),
    [2, 1],
  )
  assert.deepEqual(await hello(await urlOf('hello')), before)
})

test('the plan says what would change, with an exit code for programs, and changes nothing', async () => {
  const cwd = weir.folder('hello')
  const same = await weir.weir(['plan', '--detailed-exit-code'], { cwd })
  assert.equal(same.code, 0, same.stderr)
  assert.match(same.stdout, /nothing would change/)
  weir.write('hello', { 'note.txt': 'something new' })
  const changed = await weir.weir(['plan', '--detailed-exit-code'], { cwd })
  assert.equal(changed.code, 2, changed.stderr)
  assert.match(changed.stdout, /hello/)
  assert.match(changed.stdout, /source|artifact|code/i)
  assert.equal((await weir.weir(['plan'], { cwd })).code, 0)
  assert.equal((await releases('hello')).length, 2)
})

test('variables wait for a release, and a release of configuration alone builds nothing', async () => {
  const cwd = weir.folder('hello')
  await succeeds(['env', 'set', 'GREETING=moin'], { cwd })
  assert.equal((await hello(await urlOf('hello'))).message, 'hello')
  const running = traffic(await urlOf('hello'))
  const printed = await succeeds(['env', 'apply'], { cwd })
  assert.doesNotMatch(printed, /building/)
  assert.deepEqual((await running.stop()).failures, [])
  assert.equal((await hello(await urlOf('hello'))).message, 'moin')
  assert.match(await succeeds(['releases', 'diff', 'v2', 'v3'], { cwd }), /GREETING/)
})

test('a secret reaches the process as file and variable, and stands nowhere else', async () => {
  const value = `pass-${'x1y2z3'.repeat(5)}`
  const name = 'vault'
  const cwd = weir.write(name, {
    'package.json': '{"name":"vault","private":true}',
    'server.js': `const fs = require('fs')
require('http').createServer((q, s) => s.end(JSON.stringify({
  file: fs.readFileSync(process.env.SECRETS_DIR + '/api-key', 'utf8') === process.env.API_KEY, length: (process.env.API_KEY || '').length,
}))).listen(process.env.PORT, process.env.HOST)`,
    'weir.yaml': `version: 1
app: vault
services:
  vault:
    build: .
    command: ["node", "server.js"]
    ports: { http: 8080 }
    secrets: [{ name: api-key, environment: API_KEY }]
`,
  })
  const without = await weir.weir(['deploy'], { cwd })
  assert.equal(without.code, 64, without.stdout + without.stderr)
  assert.match(without.stderr, /secret api-key is not set/)
  assert.match(without.stderr, /weir secrets set/)

  await succeeds(['secrets', 'set', 'api-key'], { cwd, stdin: value })
  await succeeds(['deploy'], { cwd })
  assert.deepEqual(JSON.parse((await get(await urlOf(name))).body), { file: true, length: value.length })

  const place = `/api/v1/apps/${name}/environments/production`
  const said: [string, string][] = []
  for (const path of ['', '/releases', '/releases/2', '/secrets', '/variables', '/operations', '/logs', '/tasks']) {
    said.push([path, JSON.stringify((await weir.api('GET', `${place}${path}`)).body)])
  }
  said.push(['events', JSON.stringify((await weir.api('GET', `/api/v1/events?app=${name}&environment=production`)).body)])
  said.push(['audit', JSON.stringify((await weir.api('GET', '/api/v1/audit')).body)])
  for (const args of [['plan'], ['secrets'], ['status'], ['info'], ['logs'], ['releases', 'show', 'v2'], ['env']]) {
    const { stdout, stderr } = await weir.weir(args, { cwd })
    said.push([args.join(' '), stdout + stderr])
  }
  for (const pid of readdirSync('/proc').filter((it) => /^\d+$/.test(it) && Number(it) !== process.pid)) {
    try {
      said.push([`/proc/${pid}/cmdline`, readFileSync(`/proc/${pid}/cmdline`, 'utf8')])
    } catch {
      // it ended while we looked
    }
  }
  for (const file of readdirSync(join(weir.home, 'state/logs'), { recursive: true, withFileTypes: true })) {
    if (file.isFile()) said.push([join(file.parentPath, file.name), readFileSync(join(file.parentPath, file.name), 'utf8')])
  }
  assert.deepEqual(
    said.filter(([, text]) => text.includes(value)).map(([where]) => where),
    [],
  )
})

test('a repository is released by branch, tag, commit and path', async () => {
  const repo = await repository(weir.folder('repo'))
  weir.example('hello', 'repo/app')
  const first = await repo.commit('the first')
  await repo.git('tag', 'one')
  const source = readFileSync(join(repo.folder, 'app/server.js'), 'utf8')
  const second = await repo.commit('the second', { 'app/server.js': source.replace("GREETING = 'hello'", "GREETING = 'second'") })
  const args = ['deploy', repo.url, '-a', 'fromgit', '--path', 'app']

  await succeeds([...args, '--branch', 'main'])
  assert.equal((await hello(await urlOf('fromgit'))).message, 'second')
  await succeeds([...args, '--tag', 'one'])
  assert.equal((await hello(await urlOf('fromgit'))).message, 'hello')
  await succeeds([...args, '--commit', second])
  assert.equal((await hello(await urlOf('fromgit'))).message, 'second')
  const made = (await releases('fromgit')).map(({ source }) => [source.commit, source.subject])
  assert.deepEqual(made, [
    [second, 'the second'],
    [first, 'the first'],
    [second, 'the second'],
  ])
})

let pushed = ''
test('a branch is followed from a deploy on, whose commit is not released again', async () => {
  const repo = await repository(weir.folder('followed'))
  weir.example('hello', 'followed')
  await repo.commit('begin')
  await succeeds(['deploy', repo.url, '-a', 'followed', '--branch', 'main', '--follow'])
  await succeeds(['deploy', repo.url, '-a', 'followed', '--branch', 'main'])
  assert.equal((await releases('followed')).length, 2)

  pushed = await repo.commit('pushed', { 'note.txt': 'new' })
})

const SHOP = (services: string) => `version: 1\napp: shop\nservices:\n${services}`
const service = (name: string, more = '') => `  ${name}:
    build: ${name}
    command: ["node", "server.js"]
    healthcheck: { tcp: http, interval: 100ms }
    ports: { http: 8080 }
    ${more}
`
const say = (text: string) =>
  `require('http').createServer((q, s) => s.end(${JSON.stringify(text)} + ' ' + process.pid)).listen(process.env.PORT, process.env.HOST)`

test('only what differs is released: services and routes come, change and go, and the others keep their processes', async () => {
  const { host, port } = weir.http
  const ask = async (path: string) => (await get(`http://${host}:${port}${path}`, { headers: { host: 'shop.example.com' } })).body
  const cwd = weir.write('shop', {
    'web/server.js': say('web'),
    'web/package.json': '{}',
    'api/server.js': say('api'),
    'api/package.json': '{}',
    'weir.yaml': SHOP(service('web', 'routes: [{ host: shop.example.com }]') + service('api', 'routes: [{ host: shop.example.com, path: /api }]')),
  })
  await succeeds(['deploy'], { cwd })
  const [web, api] = [await ask('/'), await ask('/api')]
  assert.match(web, /^web \d+$/)
  assert.match(api, /^api \d+$/)

  weir.write('shop', { 'api/server.js': say('api two') })
  await succeeds(['deploy'], { cwd })
  assert.equal(await ask('/'), web)
  assert.match(await ask('/api'), /^api two \d+$/)

  weir.write('shop', {
    'more/server.js': say('more'),
    'more/package.json': '{}',
    'weir.yaml': SHOP(
      service('web', 'routes: [{ host: shop.example.com }]') +
        service('api', 'routes: [{ host: shop.example.com, path: /v2 }]') +
        service('more', 'routes: [{ host: shop.example.com, path: /more }]'),
    ),
  })
  const plan = await weir.weir(['plan'], { cwd })
  assert.match(plan.stdout, /more/)
  assert.match(plan.stdout, /shop\.example\.com\/v2/)
  await succeeds(['deploy'], { cwd })
  assert.equal(await ask('/'), web)
  assert.match(await ask('/v2'), /^api two \d+$/)
  assert.match(await ask('/more'), /^more \d+$/)
  assert.equal(await ask('/api'), web, 'the old path belongs to the next shorter one again')

  weir.write('shop', { 'weir.yaml': SHOP(service('web', 'routes: [{ host: shop.example.com }]')) })
  await succeeds(['deploy'], { cwd })
  assert.equal(await ask('/more'), web)
  assert.deepEqual(
    (await status('shop')).services.map((it) => it.name),
    ['web'],
  )
})

test('logs are shown from a time on and followed, with the service that printed them', async () => {
  const cwd = weir.folder('hello')
  assert.match(await succeeds(['logs', '--since', '1h'], { cwd }), /hello\s+\| hello listens on/)
  assert.doesNotMatch(await succeeds(['logs', '--since', '1s', '--until', '2020-01-01T00:00'], { cwd }), /listens/)
  assert.match(await succeeds(['logs', '--release', 'v3'], { cwd }), /listens/)
  const following = weir.weir(['logs', '-f', '-n', '1'], { cwd, timeoutMs: 6_000 }).catch((error: Error) => error)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  await succeeds(['restart', 'hello'])
  const ended = await following
  assert.match(ended instanceof Error ? ended.message + JSON.stringify(ended) : ended.stdout, /SIGTERM: finishing|listens on/)
})

test('commands end as their process ends, and their output is theirs', async () => {
  const cwd = weir.folder('hello')
  const run = await weir.weir(['run', 'hello', '--', 'node', '-e', 'console.log("from run " + process.env.WEIR_RELEASE); process.exit(7)'], { cwd })
  assert.equal(run.code, 7, run.stderr)
  assert.match(run.stdout, /from run v3/)
  const exec = await weir.weir(['exec', 'hello', '--', 'node', '-e', 'console.log("from exec"); process.exit(5)'], { cwd })
  assert.equal(exec.code, 5, exec.stderr)
  assert.match(exec.stdout, /from exec/)
  const piped = await weir.weir(['exec', 'hello', '--', 'cat'], { cwd, stdin: 'through and back' })
  assert.equal(piped.stdout, 'through and back')
})

test('a job runs when it is asked to, with the variables of its service', async () => {
  const cwd = weir.write('jobs', {
    'package.json': '{}',
    'server.js': say('jobs'),
    'job.js': 'console.log("the job of " + process.env.WEIR_SERVICE)',
    'weir.yaml': `version: 1
app: jobs
services:
  main: { build: ., command: ["node", "server.js"], ports: { http: 8080 } }
jobs:
  nightly: { schedule: "0 3 * * *", service: main, command: ["node", "job.js"] }
`,
  })
  await succeeds(['deploy'], { cwd })
  interface JobView {
    readonly name: string
    readonly nextAt: string | null
    readonly last: { readonly phase: string } | null
  }
  const jobs = () => weir.json<JobView[]>(['jobs', '-a', 'jobs'])
  assert.match((await jobs())[0]?.nextAt ?? '', /T03:00/)
  await succeeds(['jobs', 'run', 'nightly'], { cwd })
  await eventually('the job has ended', async () => (await jobs())[0]?.last?.phase === 'succeeded')
  assert.match(await succeeds(['logs'], { cwd }), /the job of main/)
})

test('two deploys at once: the second waits, or ends the first when asked to', async () => {
  const slow = (text: string, ms: number) => `setTimeout(() => { ${say(text)} }, ${ms})`
  const cwd = weir.write('busy', {
    'package.json': '{}',
    'server.js': say('one'),
    'weir.yaml': `version: 1
app: busy
services:
  main: { build: ., command: ["node", "server.js"], ports: { http: 8080 }, healthcheck: { tcp: http, interval: 100ms } }
`,
  })
  await succeeds(['deploy'], { cwd })
  weir.write('busy', { 'server.js': slow('two', 3_000) })
  await succeeds(['deploy', '--no-wait'], { cwd })
  await eventually('the second release is starting', async () => (await status('busy')).rollout?.target === 2)
  weir.write('busy', { 'server.js': say('three') })
  await succeeds(['deploy'], { cwd })
  const rollouts = async () =>
    (await weir.api<{ items: { target: number; outcome: string }[] }>('GET', '/api/v1/apps/busy/environments/production/rollouts')).body.items
  assert.deepEqual(
    (await rollouts()).map((it) => [it.target, it.outcome]),
    [
      [3, 'promoted'],
      [2, 'promoted'],
      [1, 'promoted'],
    ],
  )

  weir.write('busy', { 'server.js': slow('four', 20_000) })
  const first = weir.weir(['deploy'], { cwd })
  await eventually('the fourth release is starting', async () => (await status('busy')).rollout?.target === 4)
  weir.write('busy', { 'server.js': say('five') })
  await succeeds(['deploy', '--supersede'], { cwd })
  assert.equal((await first).code, 6, 'whoever waited for the fourth is told')
  assert.deepEqual(
    (await rollouts()).slice(0, 2).map((it) => [it.target, it.outcome]),
    [
      [5, 'promoted'],
      [4, 'superseded'],
    ],
  )
  assert.match((await get(await urlOf('busy'))).body, /^five /)
})

test('scaling by hand and by API is kept over releases, and given back', async () => {
  const cwd = weir.folder('hello')
  const ready = async (count: number) =>
    eventually(`${count} replicas`, async () => {
      const { release } = await status('hello')
      const now = (await replicas('hello')).filter((it) => !it.retired && it.origin === release)
      return now.length === count && now.every((it) => it.phase === 'ready') && now
    })
  await succeeds(['scale', 'hello=2'], { cwd })
  await ready(2)
  const scaled = await weir.api('PUT', '/api/v1/apps/hello/environments/production/services/hello/scale', { replicas: 3 })
  assert.equal(scaled.status, 202)
  await ready(3)
  assert.equal((await status('hello')).services[0]?.scaledBy, 'hand')
  await succeeds(['env', 'set', 'GREETING=three'], { cwd })
  await succeeds(['env', 'apply'], { cwd })
  assert.equal(
    (await ready(3)).every((it) => it.origin === 4),
    true,
  )
  await succeeds(['scale', 'auto'], { cwd })
  await ready(1)
  const tooMany = await weir.weir(['scale', 'hello=11'], { cwd })
  assert.equal(tooMany.code, 6, tooMany.stderr)
  assert.match(tooMany.stderr, /at most 10 replicas/)
  const unknown = await weir.weir(['scale', 'nothing=2'], { cwd })
  assert.equal(unknown.code, 5, unknown.stderr)
})

test('stopped, it answers with the reason; started, it is back at the same URL', async () => {
  const url = await urlOf('hello')
  await succeeds(['stop', 'hello'])
  await eventually('no replica is left', async () => (await replicas('hello')).length === 0)
  assert.equal((await get(url)).status, 503)
  await succeeds(['start', 'hello'])
  await eventually('it answers again', async () => (await get(url)).status === 200)
  const before = await hello(url)
  const running = traffic(url)
  await succeeds(['restart', 'hello'])
  await eventually('it is another process', async () => (await hello(url)).replica !== before.replica)
  assert.deepEqual((await running.stop()).failures, [])
})

// A branch is looked at every half a minute: the tests before this one have used the time.
test('a pushed commit has made exactly one release, and a deploy by hand makes one more', async () => {
  const url = `file://${weir.folder('followed')}`
  const made = await eventually('the pushed commit is released', async () => (await releases('followed')).find((it) => it.source.commit === pushed), 40_000)
  assert.equal(made.followed, true)
  assert.equal(made.number, 3)
  await eventually('it serves', async () => (await status('followed')).release === 3)
  await succeeds(['deploy', url, '-a', 'followed', '--branch', 'main'])
  assert.deepEqual(
    (await releases('followed')).map((it) => [it.number, it.followed]),
    [
      [4, false],
      [3, true],
      [2, false],
      [1, false],
    ],
  )
})
