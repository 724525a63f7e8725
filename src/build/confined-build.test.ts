import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunnerConfined } from '../drivers/process/confined.ts'
import { TestRunner, until } from '../drivers/process/testing.ts'
import type { BuildLimits } from './limits.ts'
import { removeTemporary, workshop } from './testing/workshop.ts'

/** Builds by the real runner. As root the builder has the server's account, as it has in an installation. */
let runner: TestRunner
const MIB = 1024 ** 2

before(async () => {
  runner = await TestRunner.start()
})
after(async () => {
  await runner.close()
  await removeTemporary()
})

async function asServer<T>(work: () => Promise<T>): Promise<T> {
  const { accounts } = runner
  if (!accounts) return work()
  process.setegid?.(accounts.server)
  process.seteuid?.(accounts.server)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
  }
}
/** Each is a server that leads after the one before. */
let epoch = 0
function open(limits: Partial<BuildLimits> = {}) {
  return workshop<RunnerConfined>(
    {
      confined: runner.confined,
      epoch: ++epoch,
      limits: { wallMs: 20_000, memoryBytes: 256 * MIB, diskBytes: 256 * MIB, pids: 64, reserveBytes: 0, ...limits },
    },
    runner.paths.home,
  )
}
const script = (text: string, more: Record<string, string> = {}) => ({ 'package.json': '{}', 'b.mjs': text, ...more })
const COMMAND = { command: ['node', 'b.mjs'] }
/** Processes of the build's account. */
function processes(): number[] {
  const uid = runner.accounts?.build
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === uid)
    .map(Number)
}

test('a build runs as its own account, reaches no secret of the installation, and its output becomes a slug', (t) =>
  asServer(async () => {
    if (!runner.accounts) return t.skip('needs root')
    const { slug, request } = await open()
    const probe = `import fs from 'node:fs'
      const tries = {}
      for (const path of process.env.TRY.split(':')) try { tries[path] = fs.statSync(path).isDirectory() ? fs.readdirSync(path).length : fs.readFileSync(path).length } catch (error) { tries[path] = error.code }
      fs.writeFileSync('seen.json', JSON.stringify({ uid: process.getuid(), tries }))`
    const home = runner.paths.home
    const wanted = [
      runner.paths.mirrors,
      runner.paths.uploads,
      join(home, 'builds/failed'),
      join(home, 'builds/layers'),
      join(home, 'slugs/keys'),
      '/etc/shadow',
      '/root',
    ]
    const { into, artifact } = await slug(await request(script(probe.replace('process.env.TRY', JSON.stringify(wanted.join(':')))), COMMAND))
    const seen = JSON.parse(readFileSync(join(into, 'seen.json'), 'utf8')) as { uid: number; tries: Record<string, string> }
    assert.equal(seen.uid, runner.accounts.build)
    assert.deepEqual(seen.tries, Object.fromEntries(wanted.map((path) => [path, 'EACCES'])))
    assert.equal(statSync(join(runner.paths.slugs, `${artifact.digest.slice(7)}.tar`)).uid, runner.accounts.server)
    return undefined
  }))

test("a tenant's build cannot open the package cache of another", (t) =>
  asServer(async () => {
    if (!runner.accounts) return t.skip('needs root')
    const { slug, request } = await open()
    await slug(await request(script("import fs from 'node:fs'; fs.writeFileSync(process.env.npm_config_cache + '-mine', 'x')"), COMMAND))
    const spy = `import fs from 'node:fs'; let seen; try { seen = fs.readdirSync(process.env.npm_config_cache.replace('other', 'acme').replace('/npm', '')) } catch (error) { seen = error.code }; fs.writeFileSync('seen', String(seen))`
    const { into } = await slug(await request(script(spy), { ...COMMAND, tenant: 'other' }))
    assert.equal(readFileSync(join(into, 'seen'), 'utf8'), 'EACCES')
    const again = await slug(await request(script(`${spy} // once more`), COMMAND))
    assert.match(readFileSync(join(again.into, 'seen'), 'utf8'), /npm-mine/)
    return undefined
  }))

test('a build that eats memory is ended by its limit, with its last lines', (t) =>
  asServer(async () => {
    if (!runner.accounts) return t.skip('needs cgroups')
    const { built, request } = await open({ memoryBytes: 64 * MIB })
    const seen = await built(await request(script('console.log("eating"); const all = []; for (;;) all.push(Buffer.alloc(4e6, 1))'), COMMAND))
    assert.ok(seen.phase === 'failed')
    assert.equal(seen.code, 'E_BUILD_OOM', JSON.stringify(seen))
    assert.deepEqual(seen.lastLines, ['eating'])
    return undefined
  }))

test('a build that fills the disk is ended by its limit, and what it wrote is gone with it', () =>
  asServer(async () => {
    const { built, request } = await open({ diskBytes: 32 * MIB })
    const seen = await built(
      await request(
        script(
          'import fs from "node:fs"; for (let n = 0; ; n++) { fs.writeFileSync("big" + n, Buffer.alloc(4e6)); await new Promise((r) => setTimeout(r, 20)) }',
        ),
        COMMAND,
      ),
    )
    assert.ok(seen.phase === 'failed')
    assert.equal(seen.code, 'E_BUILD_TOO_LARGE', JSON.stringify(seen))
    assert.equal((await built(await request({ 'index.html': 'fine' }))).phase, 'succeeded')
    assert.deepEqual(
      readdirSync(runner.paths.builds).filter((name) => /^(work|old-|stage-)/.test(name)),
      [],
    )
  }))

test('a build that closes its folders to everyone fails alone, and does not keep the next from starting', () =>
  asServer(async () => {
    const { built, request } = await open()
    const closed = script(
      'import fs from "node:fs"; for (const base of [".", process.env.npm_config_cache + "/.."]) { fs.mkdirSync(base + "/shut/in", { recursive: true }); fs.writeFileSync(base + "/shut/in/f", ""); fs.chmodSync(base + "/shut/in", 0); fs.chmodSync(base + "/shut", 0) }',
    )
    const seen = await built(await request(closed, COMMAND))
    if (runner.accounts) assert.ok(seen.phase === 'failed' && seen.code === 'E_BUILD_FAILED', JSON.stringify(seen))
    assert.equal((await built(await request({ 'index.html': 'next' }))).phase, 'succeeded')
  }))

test('a build that never ends is ended with all that it forked away', () =>
  asServer(async () => {
    const { built, request } = await open({ wallMs: 1500 })
    const seen = await built(
      await request(
        script(
          'import { spawn } from "node:child_process"; spawn("setsid", ["sleep", "1000"], { detached: true, stdio: "ignore" }).unref(); console.log("waiting"); setInterval(() => {}, 1000)',
        ),
        COMMAND,
      ),
    )
    assert.ok(seen.phase === 'failed')
    assert.equal(seen.code, 'E_BUILD_TIMEOUT', JSON.stringify(seen))
    if (runner.accounts) await until(() => processes().length === 0, 'no process of the build is left')
  }))

test('a build that forks without end is held by its limit of processes', (t) =>
  asServer(async () => {
    if (!runner.accounts) return t.skip('needs cgroups')
    const { built, request } = await open({ pids: 32, wallMs: 5000 })
    const seen = await built(
      await request(
        script(
          'import { spawnSync, spawn } from "node:child_process"; for (let n = 0; n < 200; n++) spawn("sleep", ["100"]).on("error", (e) => { console.log(e.code); process.exit(3) })',
        ),
        COMMAND,
      ),
    )
    assert.ok(seen.phase === 'failed')
    assert.match(seen.cause, /exited with 3: EAGAIN/)
    return undefined
  }))

test('a build survives a kill of the runner in the middle', () =>
  asServer(async () => {
    const { builder, request, start, ended } = await open()
    const it = await request(script('setTimeout(() => {}, 1500)'), COMMAND)
    await start(it)
    await until(async () => (await builder.observe(it.key))?.phase === 'running', 'running')
    await sleep(300)
    process.seteuid?.(0)
    await runner.kill9()
    await runner.up()
    process.seteuid?.(runner.accounts?.server ?? 0)
    assert.equal((await ended(it.key)).phase, 'succeeded')
  }))

test('a changed file in an app with kept dependencies is a new slug in well under a second', () =>
  asServer(async () => {
    const { request, builder, start } = await open()
    const times: number[] = []
    for (let n = 0; n < 9; n++) {
      const it = await request({ 'package.json': '{"scripts":{"start":"node server.js"}}', 'server.js': String(n) })
      const began = performance.now()
      await start(it)
      await until(async () => (await builder.observe(it.key))?.phase === 'succeeded', 'built')
      times.push(performance.now() - began)
    }
    assert.ok((times.sort((a, b) => a - b)[4] ?? 0) < 500, `${times.map(Math.round)} ms`)
  }))
