import assert from 'node:assert/strict'
import { chownSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isWeirError } from '../../errors.ts'
import type { ConfinedJob, ObservedJob } from '../confined.ts'
import { confinedContract } from '../confined-contract.ts'
import { TestRunner, until } from './testing.ts'

let runner: TestRunner
before(async () => {
  runner = await TestRunner.start()
})
after(() => runner.close())

function job(id: string, code: string, change: Partial<ConfinedJob['limits']> = {}, on = runner): ConfinedJob {
  const folder = join(on.paths.builds, id)
  mkdirSync(folder)
  writeFileSync(join(folder, 'build.js'), code)
  if (on.accounts) chownSync(folder, on.accounts.server, on.accounts.server)
  const limits = { cpu: 1, memoryBytes: 2 ** 28, pids: 64, wallMs: 20_000, diskBytes: 2 ** 26, ...change }
  return {
    id,
    argv: [join(on.paths.runtimes, 'node/bin/node'), 'build.js'],
    cwd: folder,
    env: { GIVEN: 'yes' },
    limits,
    own: [folder],
    logFile: join(on.paths.builds, `${id}.log`),
  }
}
async function ended(id: string): Promise<Extract<ObservedJob, { phase: 'ended' }>> {
  await until(async () => (await runner.confined.observe(id))?.phase === 'ended', `${id} has ended`)
  return (await runner.confined.observe(id)) as Extract<ObservedJob, { phase: 'ended' }>
}

confinedContract('runner', async () => {
  const own = await TestRunner.start()
  return {
    confined: own.confined,
    builds: own.paths.builds,
    lasting: (id) => job(id, 'setInterval(() => {}, 1000)', {}, own),
    close: () => own.close(),
  }
})

test('a job runs in its folder as another account, and gives the folder back with what it made', async () => {
  const it = job(
    'j1',
    `require('node:fs').writeFileSync('made', ''); console.log('account ' + process.getuid()); console.error(Object.keys(process.env).sort().join())`,
  )
  const heard: string[] = []
  runner.confined.watch((id) => heard.push(id))
  await runner.confined.start(it, 1)
  await runner.confined.start(it, 1)
  const { exit, limit } = await ended('j1')
  assert.deepEqual([exit, limit], [{ kind: 'code', code: 0 }, null])
  const log = readFileSync(it.logFile, 'utf8')
  assert.match(log, new RegExp(`account ${runner.accounts?.build ?? process.getuid?.()}\n`))
  assert.match(log, /GIVEN,HOME,LANG,PATH,TMPDIR,WEIR_PROCESS/)
  assert.equal(log.split('account').length, 2)
  for (const path of ['', 'made']) assert.equal(statSync(join(it.cwd, path)).uid, runner.accounts?.server ?? process.getuid?.())
  await until(() => heard.includes('j1'), 'its end was told')
})

test('a link in its folder leads nobody to give away another file', async () => {
  const it = job('j2', '')
  const other = join(runner.paths.home, 'other')
  writeFileSync(other, '')
  symlinkSync(other, join(it.cwd, 'link'))
  await runner.confined.start(it, 1)
  await ended('j2')
  assert.equal(statSync(other).uid, process.getuid?.())
})

test('a job that fails says how, with its last lines', async () => {
  await runner.confined.start(job('j3', `console.log('one'); console.error('two'); process.exitCode = 4`), 1)
  const { exit, lastLines } = await ended('j3')
  assert.deepEqual(exit, { kind: 'code', code: 4 })
  assert.deepEqual(lastLines, ['one', 'two'])
})

test('a job that never ends is ended by its time', async () => {
  await runner.confined.start(job('j4', `setInterval(() => {}, 1000)`, { wallMs: 300 }), 1)
  const { exit, limit } = await ended('j4')
  assert.deepEqual([exit, limit], [{ kind: 'timeout' }, 'wall'])
})

test('a job that fills the disk is ended by that limit', async () => {
  await runner.confined.start(
    job('j5', `const fs = require('node:fs'); let n = 0; setInterval(() => fs.writeFileSync('f' + n++, Buffer.alloc(2 ** 20)), 10)`, { diskBytes: 2 ** 23 }),
    1,
  )
  assert.equal((await ended('j5')).limit, 'disk')
})

test('a job that eats memory is ended by that limit', { skip: process.getuid?.() !== 0 }, async () => {
  await runner.confined.start(job('j6', `const held = []; setInterval(() => held.push(Buffer.alloc(2 ** 23, 1)), 5)`, { memoryBytes: 2 ** 26 }), 1)
  const { exit, limit } = await ended('j6')
  assert.deepEqual([exit, limit], [{ kind: 'oom' }, 'memory'])
})

test('a job goes on without the runner; how it then ended is unknown, and it is not run again', async () => {
  const it = job('j7', `console.log('ran'); setTimeout(() => console.log('done'), 1500)`)
  await runner.confined.start(it, 1)
  await until(async () => (await runner.confined.observe('j7'))?.lastLines.includes('ran') === true, 'it runs')
  await runner.kill9()
  await runner.up()
  await runner.confined.start(it, 1)
  const { exit, lastLines } = await ended('j7')
  assert.deepEqual(exit, { kind: 'unknown' })
  assert.deepEqual(lastLines, ['ran', 'done'])
})

test('a stopped job is gone with all that it started', async () => {
  await runner.confined.start(job('j8', `require('node:child_process').spawn('sleep', ['1000']); setInterval(() => {}, 1000)`), 1)
  await until(async () => (await runner.confined.observe('j8'))?.phase === 'running', 'it runs')
  await runner.confined.stop('j8', 1)
  assert.equal(await runner.confined.observe('j8'), null)
  await runner.confined.stop('j8', 1)
})

test('folders outside of the builds are refused', async () => {
  const it = job('j9', '')
  for (const change of [{ own: [runner.paths.home] }, { own: [join(runner.paths.builds, '../slugs')] }, { own: ['/etc'] }, { logFile: '/etc/passwd' }]) {
    await assert.rejects(runner.confined.start({ ...it, ...change }, 1), (error) => isWeirError(error, 'E_USAGE'))
  }
})
