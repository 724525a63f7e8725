import { statSync } from 'node:fs'
import { ownEnvironment, type StatePaths, type TelemetryConfig } from '../config.ts'
import type { DaemonSpec, IntakeAddress, StoreConnection } from '../drivers/daemons.ts'
import { ownBuild } from '../own-build.ts'
import { programFile } from '../programs.ts'
import type { TelemetrySettings } from '../telemetry/settings.ts'

/** Objects live short there; what is kept lies in arrays outside of this heap. */
const HEAP = ['--max-semi-space-size=8', '--max-old-space-size=384']

export interface TelemetryDaemonOptions {
  readonly paths: StatePaths
  readonly intake: IntakeAddress
  /** null: it is not Weir's own, and the runner has left its address for the telemetry process. */
  readonly store: StoreConnection | null
  readonly config: Pick<TelemetryConfig, 'kafka' | 'forward' | 'logExport'>
}

/** The telemetry process: an account of its own, kept by the runner. Several servers must describe it alike, or each would replace the other's. */
export function telemetryDaemon({ paths, intake, store, config: { kafka, forward, logExport } }: TelemetryDaemonOptions): DaemonSpec {
  const settings: TelemetrySettings = {
    ports: intake,
    intakeSecretFile: paths.intakeSecret,
    controlSocket: paths.telemetrySocket,
    spansSocket: paths.spansSocket,
    apart: statSync(paths.home).uid !== process.getuid?.(),
    store: store === null ? { urlFile: paths.telemetryStore } : { socketDir: store.socketDir, port: store.port, database: store.database, ...store.telemetry },
    journal: paths.telemetry,
    logs: paths.logs,
    kafka,
    forward,
    logExport,
    credentialsFile: paths.telemetryCredentials,
  }
  const { WEIR_API_LISTEN: _api, DATABASE_URL: _database, ...env } = ownEnvironment()
  return {
    name: 'telemetry',
    argv: [process.execPath, ...HEAP, '--disable-warning=ExperimentalWarning', programFile('telemetry')],
    env: {
      ...env,
      WEIR_BUILD: ownBuild().build,
      WEIR_HOME: paths.home,
      WEIR_TELEMETRY_SETTINGS: JSON.stringify(settings),
    },
    account: 'telemetry',
    stop: { signal: 'SIGTERM', graceMs: 5_000 },
    leftovers: 'kill',
  }
}
