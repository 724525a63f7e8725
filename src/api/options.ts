import type { RateLimit } from './rate.ts'

export interface ApiOptions {
  readonly version: string
  /** Unix socket for whoever started the server; null: none. */
  readonly socketPath: string | null
  /** null: no TCP. Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number } | null
  /** The tenant that the local admin speaks about, unless a header says another. */
  readonly defaultTenant: string
  /** Where the gateway's shared listener is reached from outside, for addresses shown to people. */
  readonly gateway: { readonly host: string; readonly port: number }
  readonly limits: ApiLimits
}

export interface ApiLimits {
  readonly jsonBytes: number
  readonly uploadBytes: number
  readonly headerBytes: number
  /** A request without a body stream must be in by then. */
  readonly requestMs: number
  readonly connections: number
  /** Open event streams of one asker. */
  readonly streams: number
  readonly rate: RateLimit
  /** Attempts to log in or to register, and refused tokens, of one address. */
  readonly attempts: RateLimit
  /** A comment goes over silent streams this often. */
  readonly heartbeatMs: number
}

export const DEFAULT_LIMITS: ApiLimits = {
  jsonBytes: 1024 * 1024,
  uploadBytes: 512 * 1024 * 1024,
  headerBytes: 16 * 1024,
  requestMs: 30_000,
  connections: 1000,
  streams: 32,
  rate: { perSecond: 100, burst: 500 },
  attempts: { perSecond: 0.2, burst: 10 },
  heartbeatMs: 15_000,
}
