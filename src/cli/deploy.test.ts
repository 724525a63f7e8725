import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RolloutView } from '../../packages/client/src/types.ts'
import { WeirError } from '../errors.ts'
import { runCommand } from '../spawn.ts'
import { AT, anEnvironment, aRelease, aReplica, aRollout } from './fixtures.ts'
import { type FakeServer, fakeServer, type Handlers, weir } from './testing.ts'

let folder = ''
const MANIFEST = 'version: 1\napp: shop\nservices:\n  web:\n    build: .\n    command: ["node", "server.js"]\n'

before(() => {
  folder = mkdtempSync('/tmp/weir-cli-shop-')
  writeFileSync(join(folder, 'weir.yaml'), MANIFEST)
  writeFileSync(join(folder, 'package.json'), '{"name":"shop","version":"1.0.0"}')
  writeFileSync(join(folder, 'server.js'), 'require("http")\n')
})
after(() => rmSync(folder, { recursive: true }))

const DIGEST = `sha256:${'a'.repeat(64)}`

function requestOf(server: FakeServer): Record<string, unknown> {
  return server.calls.find((it) => it.route === 'releases.create')?.asked.body as Record<string, unknown>
}

/** A server where release 2 moves one step further whenever it is looked at: queued, building, starting, and then as `end` says. */
async function moving(end: Partial<RolloutView>, over: Handlers = {}): Promise<FakeServer> {
  let looks = 0
  const rollout = () => (looks < 4 ? aRollout(2) : aRollout(2, { phase: 'ended', stages: null, ...end }))
  return fakeServer({
    'apps.create': () => ({ name: 'shop', createdAt: AT, environments: [] }),
    'environments.create': () => ({}),
    'sources.app': ({ body }) => ({ app: (body as { otherwise: string }).otherwise }),
    'uploads.create': () => ({ digest: DIGEST, bytes: 1 }),
    'releases.create': () => aRelease(2, { status: 'queued' }),
    'releases.show': () => {
      looks += 1
      if (looks === 1) return aRelease(2, { status: 'queued', services: [] })
      if (looks === 2)
        return aRelease(2, {
          status: 'building',
          services: [
            {
              name: 'web',
              origin: null,
              artifact: null,
              command: null,
              build: { phase: 'running', position: null, cached: false, cause: null, lastLines: ['npm ci'] },
            },
          ],
        })
      return aRelease(2, { rollout: 'r2' })
    },
    'releases.log': async function* () {
      yield { event: 'log', data: { service: 'web', text: 'npm ci\n\u001b]0;evil\u0007done\n' } }
    },
    'environments.show': () =>
      anEnvironment({
        rollout: looks < 4 ? rollout() : null,
        release: end.outcome === 'promoted' && looks >= 4 ? 2 : 1,
        replicas: looks < 4 ? [aReplica('web', 2, { phase: 'starting' })] : [aReplica('web', 2)],
      }),
    'rollouts.show': rollout,
    'events.follow': async function* () {
      for (let at = 1; at < 8; at += 1) {
        yield {
          event: 'rollout.started',
          data: { id: at, at: AT, kind: 'rollout.started', text: 'v2 starts', app: 'shop', environment: 'production', service: null, release: 2, data: {} },
        }
        await sleep(30)
      }
    },
    ...over,
  })
}

test('a folder is sent and followed until it serves; then come its URL and what to type next', async () => {
  const server = await moving({ outcome: 'promoted' })
  try {
    const { exit, out, err } = await weir(server, ['deploy'], { cwd: folder })
    assert.equal(exit, 0, err)
    assert.match(out, /^\d{4}-\d\d-\d\dT[\d:]{8}Z v2 of shop: fetching the source\n/)
    assert.match(out, /Z web: building\n/)
    assert.match(out, /Z web \| npm ci\n/)
    assert.match(out, /✓ v2 of shop serves 100 % {2}[\d.]+(ms|s)\n {2}http:\/\/127\.0\.0\.1:8100\/\n {2}next {2}weir logs -f {3}undo {2}weir rollback\n$/)
    const created = server.calls.find((it) => it.route === 'releases.create')
    assert.deepEqual(created?.asked.params, { app: 'shop', environment: 'production' })
    assert.deepEqual(created?.asked.body, { source: { kind: 'upload', digest: DIGEST, label: folder.split('/').at(-1) }, manifest: null, whenBusy: 'wait' })
    assert.match(String(created?.asked.headers['idempotency-key']), /^[0-9a-f-]{36}$/)
  } finally {
    await server.close()
  }
})

test('control characters of a build log never reach the terminal', async () => {
  const server = await moving({ outcome: 'promoted' })
  try {
    const { out } = await weir(server, ['deploy'], { cwd: folder })
    assert.ok(out.includes('web | \\x1b]0;evil\\x07done'))
    assert.ok(!out.includes('\u001b'))
  } finally {
    await server.close()
  }
})

test('on a terminal one block is painted over, and the last picture stays', async () => {
  const server = await moving({ outcome: 'promoted' })
  try {
    const { out } = await weir(server, ['deploy'], { cwd: folder, interactive: true })
    assert.match(out, /◐ web {2}building/)
    assert.match(out, /◑ web {2}starting/)
    assert.match(out, /\u001b\[\dA\r/)
    assert.match(out, /✓ web {2}ready/)
  } finally {
    await server.close()
  }
})

test('--json prints one event a line and then one result', async () => {
  const server = await moving({ outcome: 'promoted' })
  try {
    const { out } = await weir(server, ['deploy', '--json'], { cwd: folder })
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.ok(lines.slice(0, -1).length > 0 && lines.slice(0, -1).every((line) => line['event'] === 'rollout.started'))
    const { outcome, app, release, urls } = lines.at(-1) ?? {}
    assert.deepEqual({ outcome, app, release, urls }, { outcome: 'promoted', app: 'shop', release: 2, urls: ['http://127.0.0.1:8100/'] })
  } finally {
    await server.close()
  }
})

test('a release that fails to start ends with the five parts, the last lines and exit 1', async () => {
  const because = { code: 'E_START_FAILED', text: 'web exited with 1: Error: no DATABASE_URL', lines: ['server.js:3', 'Error: no DATABASE_URL'] }
  const server = await moving({ outcome: 'failed', because })
  try {
    const { exit, err } = await weir(server, ['deploy'], { cwd: folder })
    assert.equal(exit, 1)
    assert.equal(
      err,
      '✗ release v2 of shop failed\n  cause     web exited with 1: Error: no DATABASE_URL\n              server.js:3\n              Error: no DATABASE_URL\n  state     v1 serves 100 %\n  next      weir logs --release v2, then weir deploy\n',
    )
  } finally {
    await server.close()
  }
})

test('how it ended decides the exit code', async () => {
  const table: [end: Partial<RolloutView>, exit: number][] = [
    [{ outcome: 'promoted' }, 0],
    [{ outcome: null, phase: 'splitting', step: 0, weight: 5, waits: { for: 'approval', text: 'each step waits for a person' } }, 0],
    [{ outcome: 'failed', because: { code: 'E_REJECTED', text: 'x', lines: [] } }, 3],
    [{ outcome: 'aborted' }, 3],
    [{ outcome: 'superseded' }, 6],
    [{ outcome: 'failed', because: { code: 'E_BUILD_TIMEOUT', text: 'x', lines: [] } }, 1],
    [{ outcome: null, phase: 'held', because: { code: 'E_MIGRATION_UNKNOWN', text: 'x', lines: [] } }, 1],
  ]
  for (const [end, expected] of table) {
    const server = await moving(end)
    try {
      assert.equal((await weir(server, ['deploy', '-q'], { cwd: folder })).exit, expected, JSON.stringify(end))
    } finally {
      await server.close()
    }
  }
})

test('Ctrl-C leaves the release alone and says how to come back or cancel', async () => {
  const server = await moving({ outcome: null })
  try {
    const { exit, err } = await weir(server, ['deploy'], { cwd: folder, onOut: (text, interrupt) => text.includes('building') && interrupt() })
    assert.equal(exit, 130)
    assert.match(err, /v2 of shop goes on without this command\. To look: weir status\. To cancel: weir canary abort\n$/)
    assert.ok(!server.calls.some((it) => it.route === 'rollout.abort'))
  } finally {
    await server.close()
  }
})

test('a wait that is over ends with 7, and the release goes on', async () => {
  const server = await moving({ outcome: null, phase: 'starting' })
  try {
    const { exit, err } = await weir(server, ['deploy', '--timeout', '300ms'], { cwd: folder })
    assert.equal(exit, 7)
    assert.match(err, /state {5}it goes on without this command/)
  } finally {
    await server.close()
  }
})

test('--no-wait returns as soon as the server has it', async () => {
  const server = await moving({})
  try {
    const { exit, out } = await weir(server, ['deploy', '--no-wait', '--supersede'], { cwd: folder })
    assert.deepEqual([exit, out], [0, 'v2 of shop is on its way; weir status shows it\n'])
    assert.equal(requestOf(server)['whenBusy'], 'supersede')
    assert.ok(!server.calls.some((it) => it.route === 'releases.show'))
  } finally {
    await server.close()
  }
})

test('a server that is away for a moment does not end the wait', async () => {
  let away = 2
  const server = await moving(
    { outcome: 'promoted' },
    {
      'environments.show': () => {
        away -= 1
        if (away >= 0) throw new WeirError('E_UNAVAILABLE', { message: 'the store restarts' })
        return anEnvironment({ release: 2 })
      },
    },
  )
  try {
    const { exit, err } = await weir(server, ['deploy', '-q'], { cwd: folder })
    assert.equal(exit, 0, err)
    assert.ok(away < 0)
  } finally {
    await server.close()
  }
})

test('a repository is named by its address, with commit, tag or branch and folder', async () => {
  const table: [argv: string[], app: string, source: object][] = [
    [
      ['https://git.example.com/team/shop.git', '--commit', 'abc1234'],
      'shop',
      { kind: 'git', url: 'https://git.example.com/team/shop.git', ref: null, commit: 'abc1234', path: '.' },
    ],
    [
      ['git@git.example.com:team/shop.git', '--tag', 'v1.2'],
      'shop',
      { kind: 'git', url: 'git@git.example.com:team/shop.git', ref: 'v1.2', commit: null, path: '.' },
    ],
    [
      ['ssh://git@git.example.com/mono', '--branch', 'main', '--path', 'apps/api', '-a', 'mono'],
      'mono',
      { kind: 'git', url: 'ssh://git@git.example.com/mono', ref: 'main', commit: null, path: 'apps/api' },
    ],
  ]
  for (const [argv, app, source] of table) {
    const server = await moving({})
    try {
      const { exit, err } = await weir(server, ['deploy', ...argv, '--no-wait'], { cwd: folder })
      assert.equal(exit, 0, err)
      const created = server.calls.find((it) => it.route === 'releases.create')
      assert.equal(created?.asked.params['app'], app)
      assert.deepEqual(requestOf(server)['source'], source)
      assert.ok(!server.calls.some((it) => it.route === 'uploads.create'))
    } finally {
      await server.close()
    }
  }
})

test('an app from a repository is called what the manifest in it says, unless -a or WEIR_APP say otherwise', async () => {
  const table: [argv: string[], env: Record<string, string>, app: string, asked: boolean][] = [
    [[], {}, 'webshop', true],
    [['-a', 'mine'], {}, 'mine', false],
    [[], { WEIR_APP: 'ours' }, 'ours', false],
  ]
  for (const [argv, env, app, asked] of table) {
    const server = await moving({}, { 'sources.app': () => ({ app: 'webshop' }) })
    try {
      const { exit, err } = await weir(server, ['deploy', 'https://git.example.com/team/shop.git', '--no-wait', ...argv], { cwd: folder, env })
      assert.equal(exit, 0, err)
      assert.equal(server.calls.find((it) => it.route === 'releases.create')?.asked.params['app'], app)
      const source = { kind: 'git', url: 'https://git.example.com/team/shop.git', ref: null, commit: null, path: '.' }
      const bodies = server.calls.filter((it) => it.route === 'sources.app').map((it) => it.asked.body)
      assert.deepEqual(bodies, asked ? [{ source, otherwise: 'shop' }] : [])
    } finally {
      await server.close()
    }
  }
})

test('a commit of a folder goes by git from its repository, the folder as the path', async () => {
  const repository = mkdtempSync('/tmp/weir-cli-git-')
  const server = await moving({})
  try {
    await runCommand({ argv: ['git', 'init', '-q', repository], env: { HOME: repository }, timeoutMs: 5000 })
    await runCommand({ argv: ['mkdir', '-p', join(repository, 'apps/shop')], env: {}, timeoutMs: 5000 })
    const { exit, err } = await weir(server, ['deploy', '--commit', 'abc1234', '--no-wait'], { cwd: join(repository, 'apps/shop') })
    assert.equal(exit, 0, err)
    assert.deepEqual(requestOf(server)['source'], { kind: 'git', url: `file://${repository}`, ref: null, commit: 'abc1234', path: 'apps/shop' })
  } finally {
    await server.close()
    rmSync(repository, { recursive: true })
  }
})

test('--follow follows the branch besides releasing it, and needs one', async () => {
  const server = await moving({}, { 'follow.create': () => ({ id: 1 }) })
  try {
    assert.equal((await weir(server, ['deploy', 'https://git.example.com/shop', '--follow', '--no-wait'])).exit, 64)
    assert.equal((await weir(server, ['deploy', 'https://git.example.com/shop', '--branch', 'main', '--follow', '--no-wait'])).exit, 0)
    assert.deepEqual(server.calls.find((it) => it.route === 'follow.create')?.asked.body, { url: 'https://git.example.com/shop', ref: 'main', path: '.' })
  } finally {
    await server.close()
  }
})

test("a manifest's problems are said at once, before anything is sent", async () => {
  const broken = mkdtempSync('/tmp/weir-cli-broken-')
  writeFileSync(join(broken, 'weir.yaml'), 'version: 1\nservices:\n  web:\n    prots: { http: 80 }\n')
  const server = await fakeServer({})
  try {
    const { exit, err } = await weir(server, ['deploy'], { cwd: broken })
    assert.equal(exit, 64)
    assert.match(err, /weir\.yaml:4:5 .*prots/)
    assert.deepEqual(server.calls, [])
  } finally {
    await server.close()
    rmSync(broken, { recursive: true })
  }
})

test('a manifest file goes with its folder; an app or environment said by flag is remembered for the folder', async () => {
  const server = await moving({})
  try {
    const { exit, err } = await weir(server, ['deploy', join(folder, 'weir.yaml'), '-a', 'shop-two', '-e', 'staging', '--no-wait'])
    assert.equal(exit, 0, err)
    const created = server.calls.find((it) => it.route === 'releases.create')
    assert.deepEqual(created?.asked.params, { app: 'shop-two', environment: 'staging' })
    assert.deepEqual(requestOf(server)['manifest'], { file: 'weir.yaml', text: MANIFEST })
    assert.deepEqual(JSON.parse(readFileSync(join(folder, '.weir/link.json'), 'utf8')), { app: 'shop-two', environment: 'staging' })
    await weir(server, ['deploy', '--no-wait'], { cwd: folder })
    assert.deepEqual(server.calls.findLast((it) => it.route === 'releases.create')?.asked.params, { app: 'shop-two', environment: 'staging' })
  } finally {
    await server.close()
    rmSync(join(folder, '.weir'), { recursive: true })
  }
})

test('what is no source is refused with the reason, and nothing is asked of the server', async () => {
  const table: [argv: string[], said: RegExp][] = [
    [['nowhere'], /no file or folder "nowhere"/],
    [['@/etc/passwd'], /no file or folder "@\/etc\/passwd"/],
    [['-'], /cannot come from standard input/],
    [['/dev/null'], /no file and no folder/],
    [['.', '--commit', 'a', '--tag', 'b'], /only one of --commit, --tag and --branch/],
    [['/', '--commit', 'abc1234'], /not in a git repository/],
    [['.', '--image', 'x'], /not yet supported: images/],
  ]
  const server = await fakeServer({})
  try {
    for (const [argv, said] of table) {
      const { exit, err } = await weir(server, ['deploy', ...argv], { cwd: folder })
      assert.equal(exit, 64, argv.join(' '))
      assert.match(err, said)
    }
    assert.deepEqual(server.calls, [])
  } finally {
    await server.close()
  }
})
