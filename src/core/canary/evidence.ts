/**
 * What the gateway saw of a rollout that is judged: counts, never requests. Blocks of a rollout are stored in the order in which they were
 * committed, and a verdict is a fold over them: the same blocks give the same verdict, whenever they are read.
 */
export interface EvidenceBlock {
  readonly rollout: string
  /** Grows by one with every change of weight: a client counts once per test in each. */
  readonly stage: number
  /** The worker's clock, in milliseconds: for display and for rates, never for order. */
  readonly fromMs: number
  readonly toMs: number
  /** Wanted share of the canary, 0 to 1, in the table by which these requests were routed: what the measured share is held against, and nothing else. Absent: not held against anything. */
  readonly weight?: number
  readonly rows: readonly EvidenceRow[]
  /** Absent: a side that never answers is not found, and the weight is held against answers. */
  readonly sent?: readonly SentRow[]
  readonly replicas: readonly ReplicaRow[]
  /** Only where clients are what is split; else empty. */
  readonly clients: readonly ClientRow[]
  /** Only of a shadow release: what became of the copies. The rows are then of the copied pairs: `stable` the original, `canary` the copy. */
  readonly copies?: readonly CopyRow[]
}

export interface CopyRow {
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

/** `canary`: the side whose badness would be found; in an A/A, a group of the stable side chosen as the canary's would be. */
export type Side = 'stable' | 'canary'

/** Requests of one route on one side. Only hops whose track is known. */
export interface EvidenceRow {
  readonly service: string
  readonly route: string
  readonly side: Side
  /** Answers, less those whose client went away first. */
  readonly requests: number
  /** Ended without an answer because the client went away; in no other count but, where it had waited longer than the slowest threshold, `timed` and `slow`. Absent: none. */
  readonly abandoned?: number
  readonly errors: number
  readonly rejected4xx: number
  /** Requests whose latency counts: there are frozen thresholds, and the replica has left its first requests behind. */
  readonly timed: number
  /** Of those, slower than the j-th threshold of the route. As many as there are QUANTILES. */
  readonly slow: readonly number[]
}

/** Requests as they came, whatever becomes of them. */
export interface SentRow {
  readonly service: string
  readonly side: Side
  readonly requests: number
  /** Of those, put on this side by lot here; the others go where the request that they serve was put. */
  readonly drawn: number
}

/** The same for one replica, over all routes: who is silent, and how much slow requests of one replica come together. */
export interface ReplicaRow {
  readonly service: string
  readonly replica: string
  readonly side: Side
  readonly requests: number
  readonly errors: number
  readonly timed: number
  readonly slow: readonly number[]
}

/** What one client has met in this block, over all hops. */
export interface ClientRow {
  /** Keyed hash, never an address. */
  readonly client: string
  readonly side: Side
  readonly requests: number
  readonly abandoned?: number
  readonly errors: number
  readonly rejected4xx: number
  readonly timed: number
  readonly slow: readonly number[]
  /** `service route` of those that failed, without repetition. */
  readonly failed: readonly string[]
}

/** Quantiles of the stable side that latency is compared at; their thresholds are frozen before the requests that are compared with them. */
export const QUANTILES = [0.5, 0.75, 0.9, 0.95, 0.99] as const
/** Place of the one that a pass must have compared: 0.9. */
export const PROOF_QUANTILE = 2

/** `service` → `route` → milliseconds at QUANTILES. A route that is not named has no latency evidence. */
export type Thresholds = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>

/** What is seen beside requests, between two looks; from replicas and from telemetry. */
export interface SideEvidence {
  /** Times that processes of a side ended by themselves (exit, signal, out of memory) since the rollout began. */
  readonly deaths: readonly { readonly service: string; readonly replica: string; readonly side: Side; readonly count: number; readonly cause: string }[]
  /** Services whose every canary replica is gone or unready while requests are routed to it. */
  readonly gone?: readonly string[]
  /** Error signatures by side since the rollout began, in order of first sight on the canary; counted in what is split: requests, or distinct clients. */
  readonly signatures: readonly { readonly signature: string; readonly service: string; readonly canary: number; readonly stable: number }[]
  /** One figure a replica: memory in bytes, processor time in seconds a second. */
  readonly usage: readonly { readonly service: string; readonly replica: string; readonly side: Side; readonly memory: number; readonly cpu: number }[]
  /** Indicators of the team's own (PromQL, SQL, HTTP-JSON): newest values; null: could not be read, with the reason. */
  readonly custom: readonly { readonly name: string; readonly canary: number | null; readonly stable: number | null; readonly problem: string | null }[]
}
