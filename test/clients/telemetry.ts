import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { telemetryVariables } from '../../src/drivers/process/runner/telemetry-variables.ts'
import { replicaSpec } from '../../src/drivers/process/testing.ts'
import { RpcClient } from '../../src/rpc/client.ts'
import { TelemetryClient } from '../../src/telemetry/client.ts'
import { intakeKey } from '../../src/telemetry/keys.ts'
import type { TelemetrySettings } from '../../src/telemetry/settings.ts'
import type { Telemetry } from '../../src/telemetry/telemetry.ts'
import { eventually, freePort } from '../e2e/installation.ts'
import { testEnvironment } from './tools.ts'

const MAIN = join(import.meta.dirname, '../../src/telemetry/main.ts')
const SECRET = Buffer.alloc(32, 5)

export interface TelemetryProcess {
  readonly telemetry: Telemetry
  readonly ports: TelemetrySettings['ports']
  /** What a replica of the service in that environment is started with, beside variables of its own. */
  environmentOf(environment: string, service: string, own?: Readonly<Record<string, string>>): Record<string, string>
  stop(): Promise<void>
}

/** Weir's telemetry process as the runner starts it, with a store that is away unless told: what is recent is in memory. */
export async function telemetryProcess(more: Partial<Pick<TelemetrySettings, 'kafka' | 'forward' | 'store'>> = {}): Promise<TelemetryProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'weir-intake-'))
  const ports = { otlp: await freePort(), otlpGrpc: await freePort(), zipkin: await freePort() }
  writeFileSync(join(folder, 'secret'), SECRET.toString('hex'))
  const settings: TelemetrySettings = {
    ports,
    intakeSecretFile: join(folder, 'secret'),
    controlSocket: join(folder, 'control.sock'),
    spansSocket: join(folder, 'spans.sock'),
    apart: false,
    store: { socketDir: folder, port: 1, user: 'nobody', passwordFile: join(folder, 'secret'), database: 'none' },
    journal: join(folder, 'journal'),
    logs: join(folder, 'logs'),
    kafka: null,
    forward: { zipkin: null, otlp: null },
    logExport: null,
    credentialsFile: join(folder, 'credentials'),
    ...more,
  }
  const child = spawn(process.execPath, [MAIN], {
    env: { ...testEnvironment(), WEIR_HOME: folder, WEIR_TELEMETRY_SETTINGS: JSON.stringify(settings) },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const rpc = new RpcClient(settings.controlSocket)
  const telemetry = new TelemetryClient(rpc)
  await eventually('telemetry answers', () => telemetry.health(), 30_000)
  await eventually('telemetry listens', () => listens(ports.otlp))
  return {
    telemetry,
    ports,
    environmentOf(environment, service, own = {}) {
      const spec = replicaSpec(`${environment}-${service}-v1-1`, 'sha256:1', {
        service,
        account: { app: Number(environment.slice(1)) },
        telemetry: { app: 'shop', environment: 'production', instrument: false },
      })
      return telemetryVariables(spec, { address: ports, key: intakeKey(SECRET, environment), kafka: null, instrumentation: null }, own)
    },
    async stop() {
      rpc.close()
      child.kill('SIGTERM')
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(false))
  })
}
