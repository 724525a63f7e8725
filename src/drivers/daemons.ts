import type { Epoch } from '../core/model/epoch.ts'

/** Weir's own long-running processes, kept alive by the runner: gateway, PostgreSQLs, server, telemetry. `epoch: null`: a person at this machine wants it, and no server. */
export interface Daemons {
  /**
   * Accepts it durably and starts it; the same spec again changes nothing, another one replaces the process.
   * A new runner finds it in its records and keeps it.
   */
  ensure(spec: DaemonSpec, epoch: Epoch | null): Promise<void>
  /** Asks it to end, kills it after its grace, and forgets it. Returns when it has ended. */
  stop(name: string, epoch: Epoch | null): Promise<void>
  list(): Promise<readonly ObservedDaemon[]>
}

export interface DaemonSpec {
  /** Letters, digits and `-`. */
  readonly name: string
  readonly argv: readonly string[]
  /** Complete: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  /** Which of the installation's accounts it runs as; without root all run as the user. */
  readonly account: 'root' | 'server' | 'gateway' | 'postgres' | 'telemetry'
  readonly stop: { readonly signal: NodeJS.Signals; readonly graceMs: number }
  /** `keep`: when the main process dies, what it started goes on beside its successor (the gateway's workers). */
  readonly leftovers: 'kill' | 'keep'
}

export interface ObservedDaemon {
  readonly name: string
  readonly phase: 'running' | 'waiting'
  readonly pid: number | null
  readonly restarts: number
  /** How it ended last; null when it never did. */
  readonly cause: string | null
}

/** How to reach Weir's store: a role that owns its database, over a socket that only the server's account (and root) can reach. */
export interface StoreConnection {
  readonly socketDir: string
  readonly port: number
  readonly user: string
  /** File with the password alone, readable by the server's account. */
  readonly passwordFile: string
  readonly database: string
  /** The role for telemetry, which reaches its own schema only. */
  readonly telemetry: { readonly user: string; readonly passwordFile: string }
}

/** Loopback ports of the telemetry intake. */
export interface IntakeAddress {
  readonly otlp: number
  readonly otlpGrpc: number
  readonly zipkin: number
}
