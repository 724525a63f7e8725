import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type pg from 'pg'
import type { ForwardSettings } from './entrance.ts'

/**
 * What the server tells the telemetry process, as JSON in `WEIR_TELEMETRY_SETTINGS`. Secrets are not in it, but files that this process's
 * account may read.
 */
export interface TelemetrySettings {
  readonly ports: { readonly otlp: number; readonly otlpGrpc: number; readonly zipkin: number }
  readonly intakeSecretFile: string
  readonly controlSocket: string
  readonly spansSocket: string
  /** The processes have accounts of their own, and the sockets' folders give each socket its group. */
  readonly apart: boolean
  /** Weir's own, or a file with the address of another one. */
  readonly store: EmbeddedStore | { readonly urlFile: string }
  /** The folder of what is kept for the process after this one. */
  readonly journal: string
  /** Where replicas' output is. */
  readonly logs: string
  readonly kafka: string | null
  readonly forward: ForwardSettings
  readonly logExport: string | null
  /** See `CredentialsFile`; it need not be there. */
  readonly credentialsFile: string
}

interface EmbeddedStore {
  readonly socketDir: string
  readonly port: number
  readonly user: string
  readonly passwordFile: string
  readonly database: string
}

export function readSettings(env: NodeJS.ProcessEnv): TelemetrySettings {
  const text = env['WEIR_TELEMETRY_SETTINGS']
  if (text === undefined) throw new Error('WEIR_TELEMETRY_SETTINGS is missing: the telemetry process is started by the server')
  return JSON.parse(text) as TelemetrySettings
}

export function intakeSecret({ intakeSecretFile }: TelemetrySettings): Uint8Array {
  return Buffer.from(readFileSync(intakeSecretFile, 'utf8').trim(), 'hex')
}

/** Read again for each connection: the password may have changed meanwhile. */
export function connectTo({ store }: TelemetrySettings): () => Promise<pg.ClientConfig> {
  if ('urlFile' in store) return async () => ({ connectionString: (await readFile(store.urlFile, 'utf8')).trim() })
  const { socketDir: host, port, user, database, passwordFile } = store
  return async () => ({ host, port, user, database, password: (await readFile(passwordFile, 'utf8')).trim() })
}
