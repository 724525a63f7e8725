import assert from 'node:assert/strict'
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { RpcClient } from '../../src/rpc/client.ts'
import type { CommandResult } from '../../src/spawn.ts'
import { SeededRandom } from '../simulation/clock.ts'
import { eventually, get, type Installation, installation } from './installation.ts'
import { traffic } from './traffic.ts'

/** Points of passes at which the server is killed, per operation: a few by chance here, all of them by `npm run goals -- deliver --full --only D10`. */
const POINTS_EACH = 4
const MOST_POINTS = 24
const SEED = Number(process.env['WEIR_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const random = new SeededRandom(SEED)

let weir: Installation
let crashAt: string
let hello: string
let url: string
let changes = 0

before(async () => {
  const folder = `/tmp/weir-crash-${process.pid}`
  mkdirSync(folder)
  chmodSync(folder, 0o777) // the server, which has an account of its own, counts down in it
  crashAt = join(folder, 'at')
  weir = await installation({ WEIR_CRASH_FILE: crashAt })
  hello = weir.example('hello')
  const up = await weir.weir(['up'], { cwd: hello })
  assert.equal(up.code, 0, up.stderr)
  url = /http:\/\/127\.0\.0\.1:\d+\//.exec(up.stdout)?.[0] ?? ''
  await change()
  assert.equal((await weir.weir(['deploy'], { cwd: hello })).code, 0)
})

after(async () => {
  rmSync(join(crashAt, '..'), { recursive: true, force: true })
  await weir.remove()
})

/** Another version of the code: its answers say which. */
async function change(): Promise<void> {
  appendFileSync(join(hello, 'server.js'), `// change ${++changes}\n`)
}

interface Status {
  readonly release: number
  readonly rollout: unknown
  readonly services: readonly { readonly wanted: number; readonly ready: number }[]
  readonly replicas: readonly { readonly id: string; readonly phase: string; readonly retired: boolean }[]
}

/** As a person would: who finds nobody there, because the server died a moment before, asks again. */
function ask(args: readonly string[], cwd = hello): Promise<CommandResult> {
  return eventually('the server is there', async () => {
    const result = await weir.weir(args, { cwd })
    return !/no Weir server answers/.test(result.stderr) && result
  })
}

/** Nothing is under way any more, and what runs is what is wanted. */
function atRest(): Promise<Status> {
  return eventually(
    'at rest',
    async () => {
      const status = JSON.parse((await ask(['status', '-a', 'hello', '--json'])).stdout) as Status
      const whole = status.services.every((it) => it.ready >= it.wanted)
      return status.rollout === null && whole && status.replicas.every((it) => it.phase === 'ready' && !it.retired) && status
    },
    30_000,
  )
}

const operations: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  deploy: async () => {
    await change()
    return ['deploy']
  },
  rollback: async () => ['rollback'],
  scale: async () => ['scale', `hello=${1 + (changes++ % 3)}`],
}

for (const [name, operation] of Object.entries(operations)) {
  test(`kill -9 of the server at points of ${name} loses no request and nothing that was acknowledged (seed ${SEED})`, async () => {
    const load = traffic(url)
    for (let i = 0; i < POINTS_EACH; i++) {
      const point = random.below(MOST_POINTS)
      const args = await operation()
      writeFileSync(crashAt, String(point))
      chmodSync(crashAt, 0o666)
      const result = await ask(args)
      assert.equal(result.code, 0, `${name} at point ${point}: ${result.stdout}\n${result.stderr}`)
      rmSync(crashAt, { force: true })
      await atRest()
    }
    const { failures, requests } = await load.stop()
    assert.deepEqual(failures, [])
    assert.ok(requests > 10)
  })
}

test('kill -9 of runner, gateway parent and PostgreSQL during deploys loses no request', async () => {
  const runner = new RpcClient(join(weir.env['WEIR_HOME'] ?? '', 'run/runner.sock'))
  const pidOf = async (name: string): Promise<number> => {
    if (name === 'runner') return ((await runner.call('ping', {})) as { pid: number }).pid
    const daemon = ((await runner.call('daemons', {})) as { name: string; pid: number }[]).find((it) => it.name === name)
    return daemon?.pid ?? assert.fail(`no ${name}`)
  }
  const load = traffic(url)
  for (const name of ['runner', 'gateway', 'store-postgres', 'server']) {
    await change()
    const deploy = ask(['deploy'])
    await new Promise((resolve) => setTimeout(resolve, random.below(1_500)))
    process.kill(await pidOf(name), 'SIGKILL')
    const { code, stdout, stderr } = await deploy
    assert.equal(code, 0, `${name} killed: ${stdout}\n${stderr}`)
    await atRest()
  }
  runner.close()
  assert.deepEqual((await load.stop()).failures, [])
})

test('an environment removed while the server is killed is gone afterwards, and nothing of it is left', async () => {
  const other = weir.example('hello', 'other')
  const manifest = join(other, 'weir.yaml')
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace('app: hello', 'app: other'))
  for (let i = 0; i < 3; i++) {
    const deployed = await ask(['deploy'], other)
    assert.equal(deployed.code, 0, deployed.stderr)
    const address = /http:\/\/127\.0\.0\.1:\d+\//.exec(deployed.stdout)?.[0] ?? ''
    writeFileSync(crashAt, String(random.below(8)))
    chmodSync(crashAt, 0o666)
    const removed = await ask(['remove', '-a', 'other', '--confirm', 'other'])
    assert.equal(removed.code, 0, removed.stderr)
    rmSync(crashAt, { force: true })
    await eventually('closed', async () =>
      get(address).then(
        () => false,
        () => true,
      ),
    )
    await eventually('unknown', async () => (await weir.weir(['status', '-a', 'other'])).code === 5)
  }
  assert.ok(!existsSync(crashAt))
})
