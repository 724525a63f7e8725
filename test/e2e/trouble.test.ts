import assert from 'node:assert/strict'
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { CommandResult } from '../../src/spawn.ts'
import { eventually, get, type Installation, installation } from './installation.ts'
import { repository } from './repository.ts'
import { type Traffic, traffic } from './traffic.ts'
import type { EnvironmentView, ReleaseView, ReplicaView } from './views.ts'

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
async function succeeds(args: readonly string[], options: Parameters<Installation['weir']>[1] = {}): Promise<string> {
  const { code, stdout, stderr } = await weir.weir(args, options)
  assert.equal(code, 0, `weir ${args.join(' ')}\n${stdout}\n${stderr}`)
  return stdout
}
const urlOf = async (app: string) => (await status(app)).urls[0] ?? ''
function refused({ code, stdout, stderr }: CommandResult, exit: number, ...said: RegExp[]): void {
  assert.equal(code, exit, stdout + stderr)
  for (const text of said) assert.match(stderr, text)
}

/** What serves when the test begins is what serves when it ends, from the same processes, and nobody who asked meanwhile has noticed. */
async function undisturbed(app: string, act: () => Promise<void>): Promise<void> {
  const url = await urlOf(app)
  const before = await status(app)
  const running: Traffic = traffic(url, 10)
  try {
    await act()
  } finally {
    await running.stop()
  }
  assert.deepEqual(running.failures, [], `of ${running.requests} requests`)
  const after = await status(app)
  assert.equal(after.release, before.release)
  const names = (view: EnvironmentView) => view.replicas.filter((it) => it.phase === 'ready').map((it) => `${it.id} ${it.restarts}`)
  assert.deepEqual(names(after), names(before))
}

let cwd = ''
test('the example that breaks is healthy at first', async () => {
  cwd = weir.example('broken')
  await succeeds(['deploy'], { cwd })
  assert.match((await get(await urlOf('broken'))).body, /^BREAK=\n/)
})

const MODES: readonly { readonly mode: string; readonly code: string; readonly cause: RegExp }[] = [
  { mode: 'exit', code: 'E_START_FAILED', cause: /exited with 1: Error: connect ECONNREFUSED 127\.0\.0\.1:5432 \(db\)/ },
  { mode: 'health', code: 'E_START_FAILED', cause: /503.*not well: the cache is cold|not well: the cache is cold/ },
  { mode: 'migrate', code: 'E_MIGRATION_FAILED', cause: /migrate exited with 1: Error: relation "songs" already exists/ },
  { mode: 'wrong-port', code: 'E_START_FAILED', cause: /listens on .*\d+.*PORT|PORT/ },
  { mode: 'no-port', code: 'E_START_FAILED', cause: /listen/ },
  { mode: 'daemonize', code: 'E_START_FAILED', cause: /forked away/ },
]
for (const { mode, code, cause } of MODES) {
  test(`BREAK=${mode}: the old replica keeps all requests, and the cause is what the process showed`, async () => {
    await succeeds(['env', 'set', `BREAK=${mode}`], { cwd })
    await undisturbed('broken', async () => {
      refused(await weir.weir(['env', 'apply'], { cwd }), 1, cause, /v1 serves 100 %/)
    })
    assert.equal((await status('broken')).replicas.length, 1, 'nothing of the new release is left')
    const newest = (await releases('broken'))[0]?.number ?? 0
    const last = await weir.json<{ because?: { code: string } }>(['releases', 'show', `v${newest}`], { cwd })
    assert.ok(last)
    const { items } = (await weir.api<{ items: { because: { code: string } | null }[] }>('GET', '/api/v1/apps/broken/environments/production/rollouts')).body
    assert.equal(items[0]?.because?.code, code)
  })
}

test('a replica that dies or falls ill after it has taken over is shown with its cause and comes back', async () => {
  await succeeds(['env', 'set', 'BREAK=exits-later', 'AFTER_MS=1500'], { cwd })
  await succeeds(['env', 'apply'], { cwd })
  const restarted = await eventually('it was started again', async () => {
    const { release } = await status('broken')
    return (await replicas('broken')).find((it) => it.origin === release && it.restarts > 0)
  })
  assert.ok(restarted)
  assert.match(await succeeds(['logs', '--since', '1m'], { cwd }), /Error: out of luck/)
  await eventually('its cause is shown', async () => {
    const { release } = await status('broken')
    return (await replicas('broken')).some((it) => it.origin === release && /exited with 7: Error: out of luck/.test(it.cause ?? ''))
  })
  await eventually('its death is an event', async () =>
    /replica.died|exited with 7: Error: out of luck/.test(await succeeds(['events', '-a', 'broken'], { cwd })),
  )
  assert.match(await succeeds(['status', 'broken']), /has died .*last: exited with 7: Error: out of luck/)
  assert.match(await succeeds(['ps', 'broken']), /ready, warm/)
  await succeeds(['rollback'], { cwd })
  assert.match((await get(await urlOf('broken'))).body, /^BREAK=\n/)
})

test('a replica that falls ill after it has taken over says why, and the release before takes its requests back', async () => {
  await succeeds(['env', 'set', 'BREAK=sick-later', 'AFTER_MS=1500'], { cwd })
  await succeeds(['env', 'apply'], { cwd })
  const url = await urlOf('broken')
  assert.equal((await get(url)).status, 200)
  const newest = async () => {
    const { release } = await status('broken')
    return (await replicas('broken')).find((it) => it.origin === release)
  }
  await eventually('its cause is shown', async () => /not well: the cache is cold/.test((await newest())?.cause ?? ''))
  assert.equal((await newest())?.phase, 'unready')
  assert.match(await succeeds(['status', 'broken']), /not well: the cache is cold/)
  await succeeds(['rollback'], { cwd })
  assert.match((await get(url)).body, /^BREAK=\n/)
})

test('a replica that ignores SIGTERM is killed after its grace, and the next release is not held up', async () => {
  await succeeds(['env', 'set', 'BREAK=ignore-sigterm'], { cwd })
  await succeeds(['env', 'apply'], { cwd })
  assert.match((await get(await urlOf('broken'))).body, /^BREAK=ignore-sigterm/)
  await succeeds(['stop', 'broken'])
  await eventually('it is gone', async () => (await replicas('broken')).length === 0)
  assert.match(await succeeds(['logs', '--since', '1m'], { cwd }), /still running after SIGTERM, killed after 1 s/)
  await succeeds(['start', 'broken'])
  await eventually('it answers', async () => (await get(await urlOf('broken'))).status === 200)
})

test('a build that fails shows its last lines and touches nothing that runs', async () => {
  const folder = weir.write('built', {
    'package.json': '{}',
    'server.js': "require('http').createServer((q, s) => s.end('one')).listen(process.env.PORT, process.env.HOST)",
    'weir.yaml': `version: 1
app: built
services:
  main: { build: ., command: ["node", "server.js"], ports: { http: 8080 } }
`,
  })
  await succeeds(['deploy'], { cwd: folder })
  weir.write('built', {
    'build.js': 'console.error("TS2304: Cannot find name \'songs\'"); process.exit(1)',
    'weir.yaml': `version: 1
app: built
services:
  main: { build: { context: ., command: ["node", "build.js"] }, command: ["node", "server.js"], ports: { http: 8080 } }
`,
  })
  await undisturbed('built', async () => refused(await weir.weir(['deploy'], { cwd: folder }), 1, /TS2304: Cannot find name 'songs'/, /v1 serves 100 %/))
})

test('sources that are not there, or that are no sources, are refused with their cause', async () => {
  const deploy = (...args: string[]) => weir.weir(['deploy', ...args, '-a', 'built'])
  const repo = await repository(weir.folder('origin'))
  await undisturbed('built', async () => {
    refused(await deploy(repo.url), 1, /no commit|empty/i)
    await repo.commit('one', { 'index.html': 'one' })
    refused(await deploy(`file://${weir.folder('nowhere')}`), 1, /not|exist/i)
    refused(await deploy(repo.url, '--branch', 'nonsense'), 1, /nonsense/)
    refused(await deploy(repo.url, '--commit', 'deadbeefdeadbeefdeadbeefdeadbeefdeadbeef'), 1, /deadbeef/)
    const branch = await deploy(repo.url, '--branch=--upload-pack=touch /tmp/weir-e2e-pwned')
    assert.ok([1, 64].includes(branch.code ?? 0))
    assert.match(branch.stderr, /looks like an option/)
    const option = await deploy('--upload-pack=touch /tmp/weir-e2e-pwned')
    assert.equal(option.code, 64, option.stderr)
    const ext = await weir.weir(['deploy', 'ext::sh -c "touch /tmp/weir-e2e-pwned"', '-a', 'built'])
    assert.equal(ext.code, 64, ext.stderr)
  })
  assert.throws(() => readFileSync('/tmp/weir-e2e-pwned'))
})

test('a link that leaves the folder is refused, from a folder and from a repository', async () => {
  const folder = weir.write('links', { 'index.html': 'one' })
  symlinkSync('/etc/passwd', join(folder, 'passwd.html'))
  const sent = await weir.weir(['deploy', '-a', 'links'], { cwd: folder })
  assert.ok([1, 64].includes(sent.code ?? 0), sent.stdout + sent.stderr)
  assert.match(sent.stderr, /passwd\.html/)
  const repo = await repository(weir.folder('linkrepo'))
  writeFileSync(join(repo.folder, 'index.html'), 'one')
  symlinkSync('../../../../../etc/passwd', join(repo.folder, 'passwd.html'))
  await repo.commit('a link')
  const fetched = await weir.weir(['deploy', repo.url, '-a', 'linkrepo'])
  assert.ok([1, 64].includes(fetched.code ?? 0), fetched.stdout + fetched.stderr)
  assert.match(fetched.stderr, /passwd\.html/)
  rmSync(folder, { recursive: true })
})

test('all problems of a manifest are listed at once, each with its place, and nothing has changed', async () => {
  const folder = weir.write('typos', {
    'index.html': '',
    'weir.yaml': `version: 1
app: typos
services:
  web:
    biuld: .
    command: ["node"]
    healthcheck: { http: /healthz, interval: 5 }
    depends_on: [nobody]
  Api:
    build: .
    resources: { memory: 10 }
`,
  })
  const { code, stderr } = await weir.weir(['deploy'], { cwd: folder })
  assert.equal(code, 64, stderr)
  const places = [...stderr.matchAll(/weir\.yaml:(\d+):(\d+)/g)].map(([, line]) => Number(line))
  for (const line of [5, 7, 8, 9, 11]) assert.ok(places.includes(line), `line ${line}: ${stderr}`)
  assert.match(stderr, /build/)
  assert.equal((await weir.weir(['status', 'typos'])).code, 5, 'no app was made')
  const plan = await weir.weir(['plan'], { cwd: folder })
  assert.equal(plan.code, 64)
})

test('two apps on one host and path: the second is refused, and the first keeps its requests', async () => {
  const manifest = (app: string) => `version: 1
app: ${app}
services:
  main: { build: ., command: ["node", "server.js"], ports: { http: 8080 }, routes: [{ host: taken.example.com }] }
`
  const server = (text: string) => `require('http').createServer((q, s) => s.end('${text}')).listen(process.env.PORT, process.env.HOST)`
  await succeeds(['deploy'], { cwd: weir.write('first', { 'package.json': '{}', 'server.js': server('first'), 'weir.yaml': manifest('first') }) })
  const second = await weir.weir(['deploy'], {
    cwd: weir.write('second', { 'package.json': '{}', 'server.js': server('second'), 'weir.yaml': manifest('second') }),
  })
  assert.equal(second.code, 6, second.stdout + second.stderr)
  assert.match(second.stderr, /taken\.example\.com/)
  const { host, port } = weir.http
  assert.equal((await get(`http://${host}:${port}/`, { headers: { host: 'taken.example.com' } })).body, 'first')
})

test('names that no app, environment, service, job, secret or variable can have are refused everywhere', async () => {
  const folder = weir.example('hello', 'names')
  const bad = ['-h', 'a;rm -rf', '🎵', 'x'.repeat(64), '../up', 'Upper', '']
  for (const name of bad) {
    for (const args of [
      ['deploy', `--app=${name}`],
      ['deploy', '-a', 'names', `--env=${name}`],
      ['status', `--app=${name}`],
      ['secrets', 'set', `--app=names`, '--', name],
      ['scale', '-a', 'names', '--', `${name}=2`],
      ['env', 'set', '-a', 'names', '--', `${name}=1`],
    ]) {
      if (args[0] === 'env' && name === 'Upper') continue // variables may
      if (args[0] === 'status' && name === '') continue // as if it were not given
      if (name === '' && args[0] === 'deploy') continue
      const { code, stdout, stderr } = await weir.weir(args, { cwd: folder, stdin: 'x' })
      assert.ok([5, 64].includes(code ?? 0), `weir ${args.join(' ')}: ${code} ${stdout}${stderr}`)
    }
    const place = `/api/v1/apps/${encodeURIComponent(name)}/environments/production`
    if (name !== '' && name !== '../up') assert.ok([400, 404, 422].includes((await weir.api('PUT', place)).status), name)
  }
  const reserved = await weir.weir(['deploy', '--app=kube-system'], { cwd: folder })
  assert.equal(reserved.code, 64, reserved.stderr)
  const apps = (await weir.api<{ items: { name: string }[] }>('GET', '/api/v1/apps')).body.items.map((it) => it.name)
  assert.deepEqual(
    apps.filter((it) => bad.includes(it) || it === 'kube-system'),
    [],
  )
})
