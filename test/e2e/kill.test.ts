import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { RpcClient } from '../../src/rpc/client.ts'
import { SeededRandom } from '../simulation/clock.ts'
import { type CrashSite, crashSite, OPERATIONS } from './crash-operations.ts'
import { traffic } from './traffic.ts'

/** Points of passes at which the server is killed, per operation: a few by chance here, all of them by `npm run goals -- deliver --full --only D10`. */
const POINTS_EACH = { deploy: 4, rollback: 4, scale: 4, remove: 3 } as const
const MOST_POINTS = { deploy: 24, rollback: 24, scale: 24, remove: 8 } as const
const SEED = Number(process.env['WEIR_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const random = new SeededRandom(SEED)

let site: CrashSite

before(async () => {
  site = await crashSite()
})

after(() => site.remove())

for (const operation of OPERATIONS) {
  test(`kill -9 of the server at points of ${operation} loses no request and nothing that was acknowledged (seed ${SEED})`, async () => {
    const load = traffic(site.url)
    for (let i = 0; i < POINTS_EACH[operation]; i++) await site.killAt(operation, random.below(MOST_POINTS[operation]))
    const { failures, requests } = await load.stop()
    assert.deepEqual(failures, [])
    assert.ok(requests > 10)
  })
}

test('kill -9 of runner, gateway parent and PostgreSQL during deploys loses no request', async () => {
  const runner = new RpcClient(join(site.weir.env['WEIR_HOME'] ?? '', 'run/runner.sock'))
  const pidOf = async (name: string): Promise<number> => {
    if (name === 'runner') return ((await runner.call('ping', {})) as { pid: number }).pid
    const daemon = ((await runner.call('daemons', {})) as { name: string; pid: number }[]).find((it) => it.name === name)
    return daemon?.pid ?? assert.fail(`no ${name}`)
  }
  const load = traffic(site.url)
  for (const name of ['runner', 'gateway', 'store-postgres', 'server']) {
    site.change()
    const deploy = site.ask(['deploy'])
    await new Promise((resolve) => setTimeout(resolve, random.below(1_500)))
    process.kill(await pidOf(name), 'SIGKILL')
    const { code, stdout, stderr } = await deploy
    assert.equal(code, 0, `${name} killed: ${stdout}\n${stderr}`)
    await site.atRest()
  }
  runner.close()
  assert.deepEqual((await load.stop()).failures, [])
})
