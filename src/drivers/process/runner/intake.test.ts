import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { statePaths, telemetryConfig } from '../../../config.ts'
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
  const first = open({})?.address
  assert.deepEqual([first?.otlp, first?.zipkin], [4318, 21_411])
  assert.ok(first && first.otlpGrpc >= 20_000 && first.otlpGrpc < 30_000, `${first?.otlpGrpc}`)
  assert.deepEqual(readRecord(join(paths.runner, 'intake.json')), first)
  assert.deepEqual(open({})?.address, first)
  const moved = open({ WEIR_OTLP_GRPC_PORT: '24317' })
  assert.deepEqual(moved?.address, { ...first, otlpGrpc: 24_317 })
  assert.ok(moved?.reachable().includes(24_317))
  assert.equal(open({ WEIR_TELEMETRY: 'off' }), null)
})
