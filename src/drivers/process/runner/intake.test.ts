import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Accounts, type StatePaths, statePaths, telemetryConfig } from '../../../config.ts'
import { readRecord, writeRecord } from './durable.ts'
import { Intake } from './intake.ts'
import type { Machine } from './machine.ts'
import { Ports } from './ports.ts'

test('ports of the intake stay; one that an older build did not have is chosen among those that are free', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'weir-intake-'))
  const stranger = createServer()
  t.after(() => {
    stranger.close()
    rmSync(home, { recursive: true, force: true })
  })
  await new Promise<void>((resolve) => stranger.once('error', () => resolve()).listen(4317, '127.0.0.1', resolve)) // or somebody else has it
  const paths = statePaths({ WEIR_HOME: home })
  mkdirSync(paths.runner, { recursive: true })
  writeRecord(join(paths.runner, 'intake.json'), { otlp: 4318, zipkin: 21_411 }, { durable: true })

  const open = (env: Record<string, string>) => Intake.open({ paths, accounts: null } as Machine, new Ports(paths.runner, home), telemetryConfig(env))
  const first = (await open({}))?.address
  assert.deepEqual([first?.otlp, first?.zipkin], [4318, 21_411])
  assert.ok(first && first.otlpGrpc >= 20_000 && first.otlpGrpc < 30_000, `${first?.otlpGrpc}`)
  assert.deepEqual(readRecord(join(paths.runner, 'intake.json')), first)
  assert.deepEqual((await open({}))?.address, first)
  const moved = await open({ WEIR_OTLP_GRPC_PORT: '24317' })
  assert.deepEqual(moved?.address, { ...first, otlpGrpc: 24_317 })
  assert.ok(moved?.reachable().includes(24_317))
  assert.equal(await open({ WEIR_TELEMETRY: 'off' }), null)
})

function freshHome(t: TestContext): StatePaths {
  const home = mkdtempSync(join(tmpdir(), 'weir-intake-'))
  t.after(() => rmSync(home, { recursive: true, force: true }))
  const paths = statePaths({ WEIR_HOME: home })
  mkdirSync(paths.runner, { recursive: true })
  return paths
}

test('installations that are started at the same instant choose different ports, though nobody listens at them yet', async (t) => {
  const opened = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const paths = freshHome(t)
      return Intake.open({ paths, accounts: null } as Machine, new Ports(paths.runner, 'all of the same name'), telemetryConfig({}))
    }),
  )
  const ports = opened.flatMap((it) => Object.values(it?.address ?? {}))
  assert.equal(ports.length, 18)
  assert.equal(new Set(ports).size, 18, `${ports}`)
})

test('so do two processes', async (t) => {
  const script = `
    import { PortClaims } from ${JSON.stringify(join(import.meta.dirname, 'port-claims.ts'))}
    console.log(await new PortClaims().reserve([24871, 24872]))
    setTimeout(() => {}, 10_000)`
  const chosen = await Promise.all(
    [1, 2].map(async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
      t.after(() => child.kill())
      return String(await once(child.stdout, 'data').then(([chunk]) => chunk)).trim()
    }),
  )
  assert.deepEqual(chosen.toSorted(), ['24871', '24872'])
})

test('what only the telemetry process may read is in files, its own as soon as they are handed over', async (t) => {
  const paths = freshHome(t)
  const root = process.getuid?.() === 0
  const accounts = root ? ({ telemetry: 1_900_000_777 } as Accounts) : null
  const intake = await Intake.open({ paths, accounts } as Machine, new Ports(paths.runner, paths.home), telemetryConfig({ WEIR_OTLP_PORT: '24318' }))
  writeFileSync(paths.telemetryCredentials, '{}')
  chmodSync(paths.telemetryCredentials, 0o600)
  intake?.entrust('postgres://weir:swordfish@db/weir')
  assert.equal(readFileSync(paths.telemetryStore, 'utf8'), 'postgres://weir:swordfish@db/weir')
  for (const [file, mode] of [
    [paths.telemetryStore, 0o400],
    [paths.telemetryCredentials, 0o600],
  ] as const) {
    assert.equal(statSync(file).mode & 0o777, mode)
    assert.equal(statSync(file).uid, accounts?.telemetry ?? process.getuid?.())
  }
  intake?.entrust(null)
  assert.equal(statSync(paths.telemetryStore, { throwIfNoEntry: false }), undefined)
})
