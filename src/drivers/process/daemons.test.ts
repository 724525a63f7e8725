import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { TestRunner, until } from './testing.ts'

let runner: TestRunner
before(async () => {
  runner = await TestRunner.start()
})
after(() => runner.close())

test('a daemon goes on without the runner, is taken over, and is restarted when it dies', async () => {
  const spec = {
    name: 'sleeper',
    argv: [process.execPath, '-e', 'setInterval(() => {}, 1000)'],
    env: {},
    account: 'root',
    stop: { signal: 'SIGTERM', graceMs: 1000 },
    leftovers: 'kill',
  } as const
  const pid = async () => (await runner.daemons.list()).find((it) => it.name === 'sleeper')?.pid ?? null
  await runner.daemons.ensure(spec, 1)
  await until(async () => (await pid()) !== null, 'it runs')
  const first = await pid()
  await runner.kill9()
  await runner.up()
  await runner.daemons.ensure(spec, 1)
  assert.equal(await pid(), first)
  process.kill(first ?? 0, 'SIGKILL')
  await until(async () => ![null, first].includes(await pid()), 'another one runs', 2_000)
  const second = await pid()
  await runner.daemons.ensure({ ...spec, env: { MORE: '1' } }, 1)
  await until(async () => ![null, second].includes(await pid()), 'one with the new environment runs')
  await runner.daemons.stop('sleeper', 1)
  assert.deepEqual(await runner.daemons.list(), [])
})

test('the gateway may listen on port 80 and the server may not; neither has another right', {
  skip: process.getuid?.() !== 0 && 'as a user there are no accounts',
}, async () => {
  const pids = new Map<string, number>()
  for (const account of ['gateway', 'server'] as const) {
    const name = `as-${account}`
    const argv = [process.execPath, '-e', 'setInterval(() => {}, 1000)']
    await runner.daemons.ensure({ name, argv, env: {}, account, stop: { signal: 'SIGTERM', graceMs: 1000 }, leftovers: 'kill' }, 1)
    await until(async () => {
      const pid = (await runner.daemons.list()).find((it) => it.name === name)?.pid ?? 0
      pids.set(account, pid)
      return pid > 0 && !statusOf(pid).startsWith('Name:\tsetpriv')
    }, `${name} runs`)
  }
  const rights = (account: string) => /CapEff:\s*(\w+)/.exec(statusOf(pids.get(account) ?? 0))?.[1]
  const NET_BIND_SERVICE = (1 << 10).toString(16)
  assert.equal(rights('gateway'), NET_BIND_SERVICE.padStart(16, '0'))
  assert.equal(rights('server'), '0'.repeat(16))
  for (const account of pids.keys()) await runner.daemons.stop(`as-${account}`, 1)
})

function statusOf(pid: number): string {
  return readFileSync(`/proc/${pid}/status`, 'latin1')
}

for (const point of ['daemon-recorded', 'daemon-spawned'] as const) {
  test(`killed at ${point}: exactly one daemon runs afterwards`, async () => {
    await runner.kill9()
    await runner.up(point)
    const spec = {
      name: `d-${point}`,
      argv: [process.execPath, '-e', 'setInterval(() => {}, 1000)'],
      env: {},
      account: 'server',
      stop: { signal: 'SIGTERM', graceMs: 1000 },
      leftovers: 'kill',
    } as const
    await runner.daemons.ensure(spec, 1).catch(() => {})
    await runner.ended()
    await runner.up()
    await runner.daemons.ensure(spec, 1)
    await until(async () => (await runner.daemons.list()).some((it) => it.name === spec.name && it.pid !== null), 'it runs')
    assert.equal((await runner.daemons.list()).filter((it) => it.name === spec.name).length, 1)
    await runner.daemons.stop(spec.name, 1)
  })
}
