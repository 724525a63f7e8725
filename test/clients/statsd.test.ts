import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runCommand } from '../../src/spawn.ts'
import { PostgresTelemetry } from '../../src/store/postgres-telemetry.ts'
import { startTestPostgres, type TestPostgres } from '../../src/store/testing.ts'
import { eventually } from '../e2e/installation.ts'
import { type TelemetryProcess, telemetryProcess } from './telemetry.ts'
import { missing, testEnvironment } from './tools.ts'

type Argv = readonly [string, ...string[]]

const CLIENTS: readonly { readonly name: string; readonly needs: string; readonly install: readonly Argv[]; readonly run: Argv; readonly service: string }[] = [
  {
    name: 'python',
    needs: 'python3',
    install: [
      ['python3', '-m', 'venv', 'venv'],
      ['venv/bin/pip', 'install', '--quiet', '--no-deps', '--no-compile', '--disable-pip-version-check', 'statsd==4.0.1'],
    ],
    run: ['venv/bin/python', 'app.py'],
    service: '',
  },
  {
    name: 'dogstatsd',
    needs: 'npm',
    install: [['npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock', '--omit=optional', '--loglevel=error']],
    run: [process.execPath, 'app.mjs'],
    service: 'web',
  },
]
/** Far from those that other tests use: an environment's number is its address. */
const [OURS, THEIRS, NOISY] = ['e90001', 'e90002', 'e90003'] as const

describe('clients of StatsD, unmodified', { timeout: 120_000, concurrency: 3 }, () => {
  let postgres: TestPostgres
  let weir: TelemetryProcess
  let queries: PostgresTelemetry
  const folder = mkdtempSync(join(tmpdir(), 'weir-statsd-'))
  const range = () => ({ fromMs: Date.now() - 60_000, toMs: Date.now() + 60_000 })
  const metricsOf = async (environment: string) => (await queries.metrics(environment, { ...range(), service: null }, { limit: 200, cursor: null })).items

  before(async () => {
    postgres = await startTestPostgres()
    const { address, database } = await postgres.freshStore()
    queries = new PostgresTelemetry(database, Date.now)
    const { socketDir, port, user } = address
    weir = await telemetryProcess({ store: { socketDir, port, user, database: address.database, passwordFile: '/dev/null' } })
    await weir.telemetry.know([OURS, THEIRS, NOISY].map((id) => ({ id, tenant: 'default', app: id, environment: 'production' })))
    cpSync(join(import.meta.dirname, 'statsd'), folder, { recursive: true })
  })
  after(async () => {
    await weir?.stop()
    await postgres?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  for (const { name, needs, install, run, service } of CLIENTS) {
    test(`${name}: what it counts is a metric of its environment, and of no other`, { skip: missing(needs) }, async () => {
      for (const argv of install) await succeeds(argv, {})
      await succeeds([...run, name], weir.environmentOf(OURS, 'web'))

      const metrics = await eventually('metrics', async () => {
        const all = (await metricsOf(OURS)).filter((it) => it.name.startsWith(`${name}.`))
        return all.length === 7 && all
      })
      assert.deepEqual(
        metrics.map((it) => [it.name, it.unit, ...it.services]),
        [
          ['orders', ''],
          ['queue', ''],
          ['took', 'ms'],
          ['took.p50', 'ms'],
          ['took.p95', 'ms'],
          ['took.p99', 'ms'],
          ['users', ''],
        ].map(([metric, unit]) => [`${name}.${metric}`, unit, service]),
      )
      const value = async (metric: string) => {
        const samples = (await queries.samples(OURS, { ...range(), name: `${name}.${metric}`, service: null }, { limit: 10, cursor: null })).items.toReversed()
        return samples.reduce((sum, it) => sum + it.value, 0)
      }
      assert.deepEqual([await value('orders'), await value('queue'), await value('users'), await value('took')], [3, 7, 2, 5050])
      assert.deepEqual(await metricsOf(THEIRS), [])
    })
  }

  test('what is no StatsD is counted, and holds up nothing', async () => {
    const { STATSD_HOST: host, STATSD_PORT: port } = weir.environmentOf(NOISY, 'web')
    const socket = createSocket('udp4')
    for (const text of ['\u0000\u00ff', 'x'.repeat(60_000), 'a:1|c\nb:?|c\n\nc:1|g']) {
      await new Promise((resolve) => socket.send(Buffer.from(text), Number(port), host, resolve))
    }
    socket.close()
    await eventually('three lines', async () => (await weir.telemetry.health()).lost['statsd-malformed'] === 3)
    await eventually('the others', async () => (await metricsOf(NOISY)).length === 2)
    assert.deepEqual((await weir.telemetry.health()).links, [])
  })

  async function succeeds(argv: Argv, env: Readonly<Record<string, string>>): Promise<void> {
    const { code, stdout, stderr } = await runCommand({ argv, cwd: folder, env: { ...testEnvironment(), ...env }, timeoutMs: 60_000 })
    assert.equal(code, 0, `${argv.join(' ')}\n${stdout}\n${stderr}`)
  }
})
