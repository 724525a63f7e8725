/**
 * What the gateway counted of an environment's requests while they were judged. The same shape as an EvidenceBlock of core/canary, which is
 * a library that knows nothing of Weir; `environment` says whose it is.
 */
export interface CountedEvidence {
  readonly environment: string
  /** Of the split, of the trial, or of what is shadowed. */
  readonly rollout: string
  readonly stage: number
  readonly fromMs: number
  readonly toMs: number
  /** Wanted share of the canary; absent: of copies. */
  readonly weight?: number
  readonly rows: readonly (SideCounts & { readonly service: string; readonly route: string; readonly rejected4xx: number; readonly abandoned?: number })[]
  /** Requests as they came; absent: of copies. */
  readonly sent?: readonly { readonly service: string; readonly side: 'stable' | 'canary'; readonly requests: number; readonly drawn: number }[]
  readonly replicas: readonly (SideCounts & { readonly service: string; readonly replica: string })[]
  readonly clients: readonly (SideCounts & {
    readonly client: string
    readonly rejected4xx: number
    readonly abandoned?: number
    readonly failed: readonly string[]
  })[]
  /** Only where requests are copied: what became of the copies. */
  readonly copies?: readonly CopyCounts[]
}

interface SideCounts {
  readonly side: 'stable' | 'canary'
  readonly requests: number
  readonly errors: number
  readonly timed: number
  readonly slow: readonly number[]
}

/** Requests of one route that were copied to a shadow release. */
export interface CopyCounts {
  readonly service: string
  readonly route: string
  /** Copies whose answer was compared with the original's. */
  readonly compared: number
  /** Of those, answered with another status. */
  readonly status: number
  /** Bodies that were compared as well, where that is wanted and both were short enough; of those, another body. */
  readonly bodies: number
  readonly body: number
  /** Not sent: too many under way, or the request or its answer too long. */
  readonly dropped: number
}

/** `service` → `route` → milliseconds at the QUANTILES of core/canary, frozen: a request is compared with what was known before it came. */
export type LatencyThresholds = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>

/** How many thresholds a route has: as many as there are QUANTILES. */
export const THRESHOLDS = 5
