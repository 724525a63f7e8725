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
       */
      readonly track: 'stable' | 'canary' | 'baggage' | 'split'
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
