import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { confinedContract } from '../drivers/confined-contract.ts'
import { isWeirError } from '../errors.ts'
import { buildEnvironment, SlugBuilder } from './slug-builder.ts'
import { PlainConfined } from './testing/confined.ts'
import { folder, removeTemporary, workshop } from './testing/workshop.ts'

after(removeTemporary)
const OWN_NODE = `node-${process.versions.node}`
const HELLO = {
  'package.json': '{"name":"hello","version":"1.0.0","scripts":{"start":"node server.js"}}',
  'package-lock.json': '{"name":"hello","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"hello","version":"1.0.0"}}}',
  'server.js': 'console.log(1)\n',
}

confinedContract('stand-in of these tests', async () => {
  const builds = await folder()
  const limits = { cpu: 1, memoryBytes: 2 ** 28, pids: 64, wallMs: 60_000, diskBytes: 2 ** 26 }
  const confined = new PlainConfined(builds)
  return {
    confined,
    builds,
    lasting: (id) => ({ id, argv: ['/bin/sleep', '60'], cwd: builds, env: {}, limits, own: [], logFile: join(builds, `${id}.log`) }),
    close: async () => {},
  }
})

test('a Node app with a lock file and nothing to install becomes a slug without running anything', async () => {
  const { slug, request, confined } = await workshop()
  const { artifact, files } = await slug(await request(HELLO))
  assert.deepEqual(artifact.command, ['node', 'server.js'])
  assert.equal(artifact.runtime, OWN_NODE)
  assert.deepEqual(files, Object.keys(HELLO).sort())
  assert.equal(confined.started.length, 0)
})

test('the same source gives the same slug, bit for bit, in another place and at another time', async () => {
  const one = await workshop()
  const two = await workshop()
  const a = await one.slug(await one.request(HELLO))
  const b = await two.slug(await two.request(HELLO))
  assert.equal(a.artifact.digest, b.artifact.digest)
  assert.equal(a.artifact.key, b.artifact.key)
})

test('the key changes with source, command, output and tenant, and with nothing else', async () => {
  const { request } = await workshop()
  const base = (await request(HELLO)).key
  assert.equal((await request(HELLO, { service: 'other', app: 'other' })).key, base)
  const keys = [base]
  for (const more of [{ command: ['npm', 'test'] }, { output: 'dist' }, { tenant: 'other' }]) keys.push((await request(HELLO, more)).key)
  keys.push((await request({ ...HELLO, 'server.js': 'console.log(2)\n' })).key)
  assert.equal(new Set(keys).size, 5)
})

test('a build gets no secrets: its environment is what Weir gives it, and values with credentials stay out', async () => {
  process.env['WEIR_TEST_SECRET'] = 'hunter2'
  process.env['PIP_INDEX_URL'] = 'https://user:hunter2@example.com/simple'
  try {
    const { slug, request, home } = await workshop({ environment: buildEnvironment(process.env) })
    const { into } = await slug(
      await request(
        {
          'build.mjs': 'import {writeFileSync, mkdirSync} from "fs"; mkdirSync("dist"); writeFileSync("dist/env.json", JSON.stringify(process.env))',
          'package.json': '{}',
        },
        { command: ['node', 'build.mjs'], output: 'dist' },
      ),
    )
    const env = JSON.parse(await readFile(join(into, 'env.json'), 'utf8')) as Record<string, string>
    assert.ok(!JSON.stringify(env).includes('hunter2'))
    assert.equal(env['HOME'], join(home, 'builds/work/home'))
    assert.equal(env['TZ'], 'UTC')
  } finally {
    delete process.env['WEIR_TEST_SECRET']
    delete process.env['PIP_INDEX_URL']
  }
})

test('a build that exits with an error shows its cause and last lines, changes nothing else, and can be started again', async () => {
  const { built, request, builder, logOf, confined } = await workshop()
  const bad = await request({ 'package.json': '{"scripts":{"build":"node -e \\"console.log(1); throw new Error(\'no such colour\')\\""}}' })
  const seen = await built(bad)
  assert.ok(seen.phase === 'failed')
  assert.equal(seen.code, 'E_BUILD_FAILED')
  assert.match(seen.cause, /exited with 1: .*no such colour/)
  assert.ok(seen.lastLines.some((line) => line.includes('no such colour')))
  assert.match(await logOf(bad.key), /^-> npm run build\n[\s\S]*no such colour/)
  assert.equal((await built(await request(HELLO))).phase, 'succeeded')
  assert.equal(confined.started.length, 1)
  await builder.start(bad, 1)
  assert.notEqual((await builder.observe(bad.key))?.phase, 'failed')
})

test('a build that never ends is ended by its limit', async () => {
  const { built, request } = await workshop({ limits: { wallMs: 1000 } })
  const seen = await built(await request({ 'index.html': '' }, { command: ['sleep', '60'] }))
  assert.ok(seen.phase === 'failed')
  assert.equal(seen.code, 'E_BUILD_TIMEOUT')
})

test('an output over the limit is refused', async () => {
  const { built, request } = await workshop({ limits: { diskBytes: 1024 * 1024 } })
  const seen = await built(await request({ x: '' }, { command: ['dd', 'if=/dev/zero', 'of=big', 'bs=1M', 'count=2', 'status=none'] }))
  assert.ok(seen.phase === 'failed')
  assert.equal(seen.code, 'E_BUILD_TOO_LARGE')
})

test('when the disk has no more than its reserve, builds are refused with the reason', async () => {
  const { built, request } = await workshop({ limits: { reserveBytes: Number.MAX_SAFE_INTEGER } })
  const seen = await built(await request(HELLO))
  assert.ok(seen.phase === 'failed')
  assert.equal(seen.code, 'E_DISK_FULL')
})

test('an output with links that leave it, or in the place of the files Weir reads, is refused', async () => {
  const { built, request } = await workshop()
  const after = (script: string) => request({ 'b.mjs': script, 'package.json': '{}' }, { command: ['node', 'b.mjs'] })
  for (const script of [
    'import fs from "fs"; fs.symlinkSync("/etc", "out")',
    'import fs from "fs"; fs.rmSync("package.json"); fs.symlinkSync("/etc/passwd", "package.json")',
  ]) {
    const seen = await built(await after(script))
    assert.ok(seen.phase === 'failed', script)
    assert.equal(seen.code, 'E_BUILD_FAILED')
  }
  const linked = await built(
    await request({ 'b.mjs': 'import fs from "fs"; fs.symlinkSync("/etc", "dist")', 'package.json': '{}' }, { command: ['node', 'b.mjs'], output: 'dist' }),
  )
  assert.ok(linked.phase === 'failed' && linked.cause.includes('no folder dist'))
})

test('folders that Weir cannot build are refused with what it looked for', async () => {
  const { built, request } = await workshop()
  const table: [Record<string, string>, RegExp][] = [
    [{ 'readme.md': '' }, /readme\.md; looked for package\.json/],
    [{ Dockerfile: '' }, /no containers/],
    [{ 'package.json': '{}', 'yarn.lock': '' }, /yarn/],
    [{ 'package.json': '{"packageManager":"pnpm@9.0.0"}' }, /pnpm/],
  ]
  for (const [files, cause] of table) {
    const seen = await built(await request(files))
    assert.ok(seen.phase === 'failed')
    assert.equal(seen.code, 'E_BUILD_UNKNOWN_KIND')
    assert.match(seen.cause, cause)
  }
  const broken = await built(await request({ 'package.json': '{' }))
  assert.ok(broken.phase === 'failed' && broken.code === 'E_BUILD_FAILED' && broken.cause.includes('package.json'))
})

test('a static site is served with types, tags and no way out', async (t) => {
  const { slug, request } = await workshop()
  const { artifact, into } = await slug(await request({ 'index.html': '<h1>hi</h1>', 'a/style.css': 'b{}', '.env': 'secret', 'a/index.html': 'A' }))
  assert.deepEqual(artifact.command, ['node', '.weir/static-server.mts', '.'])
  const port = await freePort()
  const child = spawn(process.execPath, artifact.command?.slice(1) ?? [], { cwd: into, env: { PORT: String(port), HOST: '127.0.0.1' }, stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  const get = (path: string, headers = {}) => fetch(`http://127.0.0.1:${port}${path}`, { headers, redirect: 'manual' })
  for (let n = 0; n < 100; n++)
    if (
      await get('/').then(
        () => true,
        () => sleep(20).then(() => false),
      )
    )
      break
  const page = await get('/')
  assert.equal(await page.text(), '<h1>hi</h1>')
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  assert.equal((await get('/', { 'if-none-match': page.headers.get('etag') ?? '' })).status, 304)
  assert.equal((await get('/a/style.css')).headers.get('content-type'), 'text/css; charset=utf-8')
  assert.equal((await get('/a')).headers.get('location'), '/a/')
  assert.equal(await (await get('/a/')).text(), 'A')
  assert.equal(await (await get('/some/client/route')).text(), '<h1>hi</h1>')
  for (const path of ['/.env', '/.weir/static-server.mts', '/none.js', '/a/..%2f..%2f..%2fetc/passwd', '/%2e%2e/%2e%2e/etc/passwd.x', '//etc/passwd.x'])
    assert.ok([400, 404].includes((await get(path)).status), path)
  assert.equal((await fetch(`http://127.0.0.1:${port}/`, { method: 'POST' })).status, 405)
  child.kill('SIGTERM')
  assert.equal(await new Promise((resolve) => child.once('exit', resolve)), 0)
})

test('a site that a build script makes is served from where it was made', async () => {
  const { slug, request } = await workshop()
  const { artifact } = await slug(await request({ 'package.json': '{"scripts":{"build":"mkdir dist && echo hi > dist/index.html"}}' }))
  assert.deepEqual(artifact.command, ['node', '.weir/static-server.mts', 'dist'])
})

test('builds run one at a time, in order; a queued one can be cancelled, and a running one', async () => {
  const { builder, request, ended, confined } = await workshop()
  const slow = await request({ a: '1' }, { command: ['sleep', '30'] })
  const second = await request({ a: '2' }, { command: ['true'] })
  const third = await request({ a: '3' }, { command: ['true'] })
  const changes: string[] = []
  builder.watch((key) => changes.push(key))
  for (const it of [slow, second, third, second]) await builder.start(it, 1)
  assert.deepEqual(await builder.observe(third.key), { phase: 'queued', position: (await builder.observe(slow.key))?.phase === 'running' ? 2 : 3 })
  await builder.cancel(second.key)
  assert.equal(await builder.observe(second.key), null)
  while (confined.started.length === 0) await sleep(10)
  assert.equal((await builder.observe(third.key))?.phase, 'queued')
  await builder.cancel(slow.key)
  assert.equal((await ended(third.key)).phase, 'succeeded')
  assert.equal(await builder.observe(slow.key), null)
  assert.ok(changes.includes(third.key))
})

test('the log streams while the build runs, from any byte, and ends with it', async () => {
  const { builder, request, logOf } = await workshop()
  const it = await request({ 'b.mjs': 'console.log("one"); setTimeout(() => console.log("two"), 300)', 'package.json': '{}' }, { command: ['node', 'b.mjs'] })
  await builder.start(it, 1)
  const seen: { text: string; at: number }[] = []
  for await (const part of builder.log(it.key, 0)) seen.push({ text: Buffer.from(part).toString(), at: performance.now() })
  const one = seen.find(({ text }) => text.includes('one'))
  const two = seen.find(({ text }) => text.includes('two'))
  assert.ok(one && two && two.at - one.at > 100, JSON.stringify(seen))
  const whole = await logOf(it.key)
  assert.equal(whole, seen.map(({ text }) => text).join(''))
  assert.equal(await logOf(it.key, 10), whole.slice(10))
})

test('a new server finds what was built and what failed, and ends what its predecessor left running', async () => {
  const first = await workshop()
  const good = await first.request(HELLO)
  const bad = await first.request({ a: '' }, { command: ['false'] })
  const made = await first.built(good)
  await first.built(bad)
  const second = await workshop({ epoch: 2 }, first.home)
  const found = await second.builder.observe(good.key)
  assert.ok(found?.phase === 'succeeded' && made.phase === 'succeeded')
  assert.deepEqual(found.artifact, made.artifact)
  assert.equal(found.cached, true)
  assert.equal(made.cached, false)
  assert.equal((await second.builder.observe(bad.key))?.phase, 'failed')
})

test('a server that merely starts ends no build; when it leads it does, and builds it itself; its predecessor disturbs nothing and remembers no failure', async () => {
  const first = await workshop()
  const slow = await first.request({ 'b.mjs': 'setTimeout(() => console.log("built"), 600)', 'package.json': '{}' }, { command: ['node', 'b.mjs'] })
  await first.start(slow)
  while (first.confined.started.length === 0) await sleep(5)
  const { confined } = first
  const idle = await SlugBuilder.open({ paths: first.paths, source: first.sources, environment: {}, confined })
  await sleep(100)
  const [job] = confined.started
  assert.equal((await confined.observe(job?.id ?? ''))?.phase, 'running')

  idle.fence(2)
  await idle.start(slow, 2)
  for (;;) {
    const seen = await idle.observe(slow.key)
    if (seen?.phase === 'succeeded') break
    assert.notEqual(seen?.phase, 'failed', JSON.stringify(seen))
    await sleep(5)
  }
  while ((await first.builder.observe(slow.key))?.phase === 'running') await sleep(5)
  assert.equal((await first.builder.observe(slow.key))?.phase, 'succeeded')
  assert.deepEqual(
    confined.started.map(({ id }) => id.split('-')[1]),
    ['1', '2'],
  )
  await assert.rejects(idle.start(slow, 1), (error) => isWeirError(error, 'E_STALE_EPOCH'))
})

test('a job that is lost with its runner is run again', async () => {
  const { confined, request, built } = await workshop()
  const observe = confined.observe.bind(confined)
  let lost = 0
  confined.observe = async (id) => {
    const seen = await observe(id)
    return seen?.phase === 'ended' && lost++ === 0 ? { ...seen, exit: { kind: 'unknown' } } : seen
  }
  assert.equal((await built(await request({ a: '' }, { command: ['true'] }))).phase, 'succeeded')
  assert.equal(new Set(confined.started.map(({ id }) => id)).size, 2)
})

test('slugs that no release names are collected, and built again when they are wanted', async () => {
  const { builder, request, slug, paths, built } = await workshop()
  const kept = await slug(await request(HELLO))
  const dropped = await request({ 'index.html': '' })
  const { artifact } = await slug(dropped)
  const later = new Date(Date.now() + 60_000)
  const only = { slugs: new Set([kept.artifact.digest]), buildKeys: new Set<string>() }
  assert.deepEqual(await builder.collect(only), [])
  assert.deepEqual(await builder.collect({ ...only, buildKeys: new Set([dropped.key]) }, later), [])
  assert.deepEqual(await builder.collect(only, later), [artifact.digest])
  assert.equal(await stat(join(paths.slugs, `${artifact.digest.slice(7)}.tar`)).catch(() => null), null)
  assert.ok(await stat(join(paths.slugs, `${kept.artifact.digest.slice(7)}.tar`)))
  assert.equal(await builder.observe(dropped.key), null)
  assert.equal((await built(dropped)).phase, 'succeeded')
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
