import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { statePaths } from '../../config.ts'
import { weir } from '../testing.ts'
import { daemons, runnerPid, shutDownRunner, sleep } from './processes.ts'

let home = ''
before(() => {
  home = mkdtempSync('/tmp/weir-unit-')
  chmodSync(home, 0o711)
})
after(() => rmSync(home, { recursive: true }))

/** Runs a service as systemd does: its command and its environment, nothing else of ours. */
function asSystemd(unit: string, env: Readonly<Record<string, string>>): ChildProcess {
  const lines = unit.split('\n')
  const [program = '', ...args] =
    lines
      .find((line) => line.startsWith('ExecStart='))
      ?.slice('ExecStart='.length)
      .split(' ') ?? []
  const variables = lines.filter((line) => line.startsWith('Environment=')).map((line) => line.slice('Environment='.length).replace(/^"|"$/g, ''))
  const environment = Object.fromEntries(variables.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
  return spawn(program, args, { env: { ...environment, ...env }, stdio: 'inherit', cwd: '/' })
}

async function answering(pid: number | undefined): Promise<void> {
  const end = performance.now() + 8000
  while ((await runnerPid(statePaths({ WEIR_HOME: home }))) !== pid) {
    assert.ok(performance.now() < end, 'the runner does not answer')
    await sleep(30)
  }
}

test('what the unit runs is a runner; killed and started again, as systemd would, it goes on; down ends it for good', async () => {
  const env = { WEIR_HOME: home, WEIR_UID_BASE: '1908000000', WEIR_HTTP_LISTEN: '127.0.0.1:0', PATH: process.env['PATH'] ?? '' }
  const { out: unit } = await weir(null, ['install', '--print'], { env })
  const paths = statePaths({ WEIR_HOME: home })
  const first = asSystemd(unit, {})
  await answering(first.pid)
  first.kill('SIGKILL')
  await new Promise((resolve) => first.once('exit', resolve))
  const second = asSystemd(unit, {})
  const ended = new Promise((resolve) => second.once('exit', resolve))
  await answering(second.pid)
  assert.deepEqual(await daemons(paths), [])
  await shutDownRunner(paths)
  assert.equal(await ended, 0)
  assert.equal(await runnerPid(paths), null)
})
