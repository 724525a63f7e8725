import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { ownEnvironment, type StatePaths } from '../config.ts'
import type { DaemonSpec, IntakeAddress, StoreConnection } from '../drivers/daemons.ts'
import { ownBuild } from '../own-build.ts'
import { programFile } from '../programs.ts'
import type { TelemetrySettings } from '../telemetry/settings.ts'

/** Objects live short there; what is kept lies in arrays outside of this heap. */
const HEAP = ['--max-semi-space-size=8', '--max-old-space-size=384']

export interface TelemetryDaemonOptions {
  readonly paths: StatePaths
  readonly intake: IntakeAddress
  /** null: `DATABASE_URL` says where the store is. */
  readonly store: StoreConnection | null
  readonly kafka: string | null
  readonly forward: TelemetrySettings['forward']
}

/** The telemetry process: an account of its own, kept by the runner. Several servers must describe it alike, or each would replace the other's. */
export function telemetryDaemon({ paths, intake, store, kafka, forward }: TelemetryDaemonOptions): DaemonSpec {
  const owner = (path: string) => statSync(path).uid
  const apart = owner(paths.home) !== process.getuid?.()
  const settings: TelemetrySettings = {
    ports: intake,
    intakeSecretFile: paths.intakeSecret,
    controlSocket: paths.telemetrySocket,
    spansSocket: paths.spansSocket,
    groups: apart ? { server: process.getgid?.() ?? 0, gateway: owner(dirname(paths.gatewaySocket)) } : null,
    store: store && { socketDir: store.socketDir, port: store.port, database: store.database, ...store.telemetry },
    journal: paths.telemetry,
    logs: paths.logs,
    kafka,
    forward,
  }
  const { WEIR_API_LISTEN: _api, DATABASE_URL: url, ...env } = ownEnvironment()
  return {
    name: 'telemetry',
    argv: [process.execPath, ...HEAP, '--disable-warning=ExperimentalWarning', programFile('telemetry')],
    env: {
      ...env,
      WEIR_BUILD: ownBuild().build,
      WEIR_HOME: paths.home,
      WEIR_TELEMETRY_SETTINGS: JSON.stringify(settings),
      ...(store === null && url !== undefined ? { DATABASE_URL: url } : {}),
    },
    account: 'telemetry',
    stop: { signal: 'SIGTERM', graceMs: 5_000 },
    leftovers: 'kill',
  }
}
