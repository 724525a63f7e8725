import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { RpcClient } from '../../rpc/client.ts'
import { startTestPostgres, type TestPostgres } from '../../store/testing.ts'
import { TelemetryClient } from '../client.ts'
import { intakeKey } from '../keys.ts'
import type { TelemetrySettings } from '../settings.ts'
import { until } from '../storage/testing.ts'
import { EPOCH_MS, requestOf, spanId, traceId } from '../window/testing.ts'

const SECRET = Buffer.alloc(32, 7)
const MAIN = new URL('../main.ts', import.meta.url).pathname
let postgres: TestPostgres
const folder = mkdtempSync(join(tmpdir(), 'weir-killed-'))
chmodSync(folder, 0o711)
let child: ChildProcess
before(async () => {
  postgres = await startTestPostgres()
})
after(async () => {
  child.kill('SIGKILL')
  await postgres.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

test('what a killed process had taken in is counted once, and its calls are drawn at once', async () => {
  const { address, database } = await postgres.freshStore()
  writeFileSync(join(folder, 'secret'), SECRET.toString('hex'))
  const settings: TelemetrySettings = {
    ports: { otlp: await freePort(), otlpGrpc: await freePort(), zipkin: await freePort() },
    intakeSecretFile: join(folder, 'secret'),
    controlSocket: join(folder, 'control.sock'),
    spansSocket: join(folder, 'spans.sock'),
    apart: false,
    store: { socketDir: address.socketDir, port: address.port, user: address.user, database: address.database, passwordFile: join(folder, 'secret') },
    journal: join(folder, 'journal'),
    logs: join(folder, 'logs'),
    kafka: null,
    forward: { zipkin: null, otlp: null },
    logExport: null,
    credentialsFile: join(folder, 'credentials'),
  }
  const rpc = new RpcClient(settings.controlSocket)
  const telemetry = new TelemetryClient(rpc)
  const start = async () => {
    child = spawn(process.execPath, [MAIN], { env: { ...process.env, WEIR_TELEMETRY_SETTINGS: JSON.stringify(settings) }, stdio: 'ignore' })
    await until(async () => (await telemetry.health().catch(() => null)) !== null, 10_000)
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  let sent = 0
  const send = async (callee: string) => {
    const n = ++sent
    const [trace, startMs] = [traceId(n), Date.now() - EPOCH_MS]
    const body = requestOf([
      { trace, id: spanId(2 * n), kind: 'client', service: 'web', startMs },
      { trace, id: spanId(2 * n + 1), parent: spanId(2 * n), kind: 'server', service: callee, startMs },
    ])
    const headers = { 'content-type': 'application/x-protobuf', 'x-weir-key': intakeKey(SECRET, 'e1') }
    const { status } = await fetch(`http://127.0.0.1:${settings.ports.otlp}/v1/traces`, { method: 'POST', headers, body: Buffer.from(body) })
    assert.equal(status, 200)
  }
  const counted = async () => {
    const [row] = await database.rows<{ calls: number; answers: number; traces: number }>(
      `select coalesce(sum(count) filter (where kind = 1), 0) as answers, coalesce(sum(count) filter (where kind = 2), 0) as calls,
       (select count(*) - count(distinct trace) from telemetry.traces) as traces from telemetry.rollups_fresh`,
    )
    return row ?? { calls: 0, answers: 0, traces: 0 }
  }
  const callees = async () => (await telemetry.graph('e1', { windowMs: 60_000 })).edges.map(({ callee, calls }) => `${callee} ${calls}`).sort()
  try {
    await start()
    // one after another they are counted, closed and open when the process is killed
    for (; (await counted()).calls === 0; await pause(20)) await send('shop')
    for (let n = 0; n < 20; n++) await send('shop')
    await send('last')
    const known = await callees()
    const atKill = await counted()
    assert.ok(atKill.calls > 0 && atKill.calls < sent, `${atKill.calls} of ${sent} are counted`)
    await kill()
    await start()
    await until(async () => (await callees()).join() === known.join(), 1_000)
    await pause(300)
    assert.deepEqual(await callees(), known, 'a trace that is open again and was drawn before is drawn once')
    await kill()
    await start()
    await until(async () => (await counted()).calls >= sent, 8_000)
    await pause(1_200)
    assert.deepEqual(await counted(), { calls: sent, answers: sent, traces: 0 })
    assert.deepEqual(await callees(), known)
  } finally {
    rpc.close()
  }
})
