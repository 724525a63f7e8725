import type { CountedEvidence, LatencyThresholds } from './evidence.ts'

/**
 * What one environment wants of the gateway. Pure data: made by core/plan, sent by controllers/apply, executed by every gateway worker.
 * `version` = (epoch, n): a worker never goes back, and a route change is done when every worker has acknowledged it.
 */
export interface RoutingTable {
  readonly environment: string
  readonly version: TableVersion
  /** For pages and headers shown to people: "shop/production". */
  readonly label: string
  readonly listeners: readonly Listener[]
  readonly services: Readonly<Record<string, ServiceTargets>>
  /** null: everything is stable. */
  readonly split: TrafficSplit | null
  /** A split on paper: everything is served by stable, and counted as if it were not. Not beside a split that is judged. */
  readonly trial: Trial | null
  /** Requests that are copied to the replicas of a release that nobody is served by. */
  readonly shadow: Shadow | null
}

export interface TableVersion {
  readonly epoch: number
  readonly n: number
}

export function compareVersions(a: TableVersion, b: TableVersion): number {
  return a.epoch - b.epoch || a.n - b.n
}

/** Where requests come in. */
export type Listener =
  /** On the shared public listener, by Host and longest path prefix. */
  | {
      readonly kind: 'route'
      readonly host: string | null
      readonly path: string
      readonly service: string
      readonly port: string
      readonly protocol: 'http' | 'grpc'
    }
  /** A public port of its own, for an app without routes. */
  | { readonly kind: 'port'; readonly listen: number; readonly service: string; readonly port: string; readonly protocol: 'http' | 'grpc' }
  /** An inner hop: the address that the replicas of `caller`, started by release `origin`, were given for `service`. */
  | {
      readonly kind: 'edge'
      readonly id: string
      readonly address: string
      readonly listen: number
      readonly caller: string
      readonly origin: number
      readonly service: string
      readonly port: string
      readonly protocol: 'http' | 'grpc'
      /**
       * | caller                                   | track of the hop                                    |
       * |------------------------------------------|-----------------------------------------------------|
       * | changed by the rollout, started by it    | `canary`: always its own track, no header needed    |
       * | anything else while a rollout runs       | `baggage`: what `baggage: weir-track=…` says, else stable |
       * | the one route-less service was changed   | `split`: as baggage, and without baggage by request |
       * | started by a release that is shadowed    | `shadow`: safe methods to its own track, the others nowhere |
       */
      readonly track: 'stable' | 'canary' | 'baggage' | 'split' | 'shadow'
    }

export interface ServiceTargets {
  readonly stable: TargetGroup
  /** Only while a rollout (or nothing) changes this service; unchanged services serve both tracks from `stable`. */
  readonly canary: TargetGroup | null
  /** How long an answer's first byte may take. */
  readonly timeoutMs: number
  /** How long WebSockets and streams of a removed target live on before they are closed (1012). */
  readonly drainMs: number
  /** Largest request body, in bytes. */
  readonly bodyLimit: number
}

export interface TargetGroup {
  /** The release that started these replicas. */
  readonly origin: number
  readonly targets: readonly { readonly id: string; readonly address: string; readonly ports: Readonly<Record<string, number>> }[]
  /** Shown when there is no target: "v43: exited with 1: Error: …". */
  readonly cause: string | null
}

export interface TrafficSplit {
  /** Salt of the client split: raising the weight keeps members. */
  readonly rollout: string
  /** Wanted share of the canary in percent, 0…100. */
  readonly weight: number
  readonly by:
    | { readonly kind: 'request' }
    | { readonly kind: 'client' }
    | { readonly kind: 'header'; readonly name: string }
    | { readonly kind: 'cookie'; readonly name: string }
  /** null: nothing is counted for a verdict. */
  readonly judge: Judging | null
}

/** What requests are counted for, beside the counters. */
export interface Judging {
  /** Grows by one with every change of weight. A request counts for the stage of the table that it was routed by. */
  readonly stage: number
  /** What is randomised. `client` also where a header or a cookie is what the split goes by: its value is the client, and who has none is not counted. */
  readonly unit: 'request' | 'client'
  readonly thresholds: LatencyThresholds
}

/** Requests or clients are chosen as a split would, `weight` percent of them as the canary side, and told from the others only in the evidence, as stage 0. */
export interface Trial {
  /** Rollout id of its evidence, and salt of the choice: `aa-7`. */
  readonly id: string
  readonly weight: number
  readonly unit: 'request' | 'client'
  readonly thresholds: LatencyThresholds
}

/**
 * Copies are sent when the original has been answered; their answers are compared and thrown away. Evidence of it, as stage 0, has the
 * copied pairs only: `stable` is the original, `canary` the copy.
 */
export interface Shadow {
  readonly rollout: string
  /** Percent of the requests at the entry that are copied, 0…100. */
  readonly share: number
  /** Methods that are copied, in capitals: `GET`, `HEAD` and `OPTIONS`, and what was allowed by name. */
  readonly methods: readonly string[]
  /** Compare bodies too. */
  readonly diff: boolean
  readonly thresholds: LatencyThresholds
}

/** What the gateway reports about one environment. */
export interface ObservedTraffic {
  /** The gateway keeps a table of it: published, not withdrawn; whether or not a worker has it yet. */
  readonly hasTable: boolean
  /** The newest version that *every* worker has acknowledged; null before the first. */
  readonly acknowledged: TableVersion | null
  /** Replica id → requests and connections in flight over all workers. Absent: none. */
  readonly inflight: Readonly<Record<string, number>>
  /** Listeners that could not be opened, with the cause ("port 80 is in use"). */
  readonly refused: readonly { readonly listener: string; readonly cause: string }[]
}

/** What was answered at the entry lately: how much of it were pages. */
export interface EntryAnswers {
  readonly total: number
  readonly html: number
}

/**
 * Counts of one worker for one block of time. Kept by the gateway until the server has committed them:
 * (incarnation, sequence) is unique, so none counts twice.
 */
export interface CounterBlock {
  readonly incarnation: string
  readonly sequence: number
  /** Milliseconds since the epoch, for display; order is by sequence. */
  readonly from: number
  readonly to: number
  readonly rows: readonly CounterRow[]
  /** Of what is judged, a block for each stage; empty where nothing is. Stored with the rows, so it counts once too. */
  readonly evidence: readonly CountedEvidence[]
}
export interface CounterRow {
  readonly environment: string
  /** Table version the requests were routed by. */
  readonly version: TableVersion
  /** `entry`, or the edge's id. */
  readonly hop: string
  /** Track assigned at the entry; `unknown` where baggage was lost. */
  readonly track: 'stable' | 'canary' | 'unknown'
  readonly service: string
  /** Release that served: the origin of the target group; 0 when none could. */
  readonly origin: number
  /** Normalised path, see core/model/route-pattern. */
  readonly route: string
  readonly requests: number
  /** 5xx, failed connection, timeout, reset by the service; not a client's abort. */
  readonly errors: number
  readonly rejected4xx: number
  readonly aborted: number
  /** Answers of the service that are pages: `text/html`. */
  readonly html: number
  /** Latency sketch: counts in buckets of the DDSketch with 1 % relative accuracy over milliseconds, sparse: [bucket, count, …]. */
  readonly latency: readonly number[]
}
