/**
 * What the telemetry process knows of now: asked by the API, the judge and the autoscaler. `environment` is an environment's id; nothing is ever
 * looked up across environments. A process that is dead or slow makes a call fail with `E_UNAVAILABLE`, which means unknown, never bad.
 */
export interface Telemetry {
  health(): Promise<TelemetryHealth>
  /** Tells which environments there are, for spans that come with names instead of a key. Replaces what was told before. */
  know(environments: readonly NamedEnvironment[]): Promise<void>
  graph(environment: string, request: { readonly windowMs: number }): Promise<GraphView>
  /** What makes requests slow or fail, as far as they pass the service. */
  why(environment: string, request: { readonly service: string; readonly windowMs: number }): Promise<WhyView>
  /** Recent traces, newest first. Not all: those with errors, slow ones, and some of the others. */
  traces(environment: string, request: TraceFilter): Promise<readonly TraceLine[]>
  /** null: not among the recent ones. */
  trace(environment: string, id: string): Promise<TraceView | null>
  /** Error signatures since then, at most a day and a half ago, and those of the day before. */
  errors(environment: string, request: { readonly sinceMs: number }): Promise<ErrorsView>
}

export interface NamedEnvironment {
  readonly id: string
  readonly tenant: string
  readonly app: string
  readonly environment: string
}

export interface GraphView {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly windowMs: number
  readonly services: readonly ServiceNode[]
  readonly edges: readonly ServiceEdge[]
  /** Requests by what they began with: the entry's service and operation. */
  readonly classes: readonly RequestClass[]
}

/** Counts are weighted: a span of a trace that was sampled with 1 % counts 100. */
export interface ServiceNode {
  readonly service: string
  /** `gateway`: Weir's own; `peer`: never heard of but by those that call it, as a database. */
  readonly kind: 'service' | 'gateway' | 'peer'
  readonly calls: number
  readonly errors: number
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  /** Mean time of a call that nobody it called can answer for. */
  readonly exclusiveMs: number | null
  readonly releases: readonly string[]
  /** Spans that others speak of and that never came: this service's part of traces has holes. */
  readonly lostSpans: number
}

export interface ServiceEdge {
  readonly caller: string
  readonly callee: string
  readonly calls: number
  readonly errors: number
  readonly retries: number
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
  /** Calls under way at the same time, in the mean. */
  readonly concurrency: number
  /** Milliseconds since 1970. Edges stay for 7 days after their last call. */
  readonly lastSeen: number
}

export interface RequestClass {
  readonly service: string
  readonly operation: string
  readonly count: number
  readonly errors: number
  readonly p50Ms: number | null
  readonly p95Ms: number | null
}

export interface WhyView {
  readonly at: number
  /** The service asked for. */
  readonly service: string
  /** One sentence for people. */
  readonly sentence: string
  /** Since when the first of `ranked` is slow, in milliseconds since 1970. */
  readonly since: number | null
  /** Visits a second of the first of `ranked`. */
  readonly load: { readonly before: number; readonly now: number } | null
  /** Services that more than a tenth of the spans never came from: of these less is known than it seems. */
  readonly holes: readonly { readonly service: string; readonly lostShare: number }[]
  /** Most likely first; empty: nothing is wrong, or too little is known. */
  readonly ranked: readonly Suspect[]
}

export interface Suspect {
  readonly service: string
  readonly kind: 'capacity' | 'code' | 'network' | 'dependency'
  readonly score: number
  /** In words, with numbers: "exclusive time 12 ms → 240 ms since 12:03". */
  readonly evidence: readonly string[]
}

export interface TraceFilter {
  readonly service?: string | undefined
  readonly errors?: boolean | undefined
  /** At least this long. */
  readonly minMs?: number | undefined
  /** Begun before this, in milliseconds since 1970. */
  readonly before?: number | undefined
  readonly limit: number
}

export interface TraceLine {
  /** 32 hex digits. */
  readonly id: string
  /** Of its first span, milliseconds since 1970. */
  readonly at: number
  readonly durationMs: number
  readonly service: string
  readonly operation: string
  readonly failed: boolean
  readonly spans: number
  readonly services: readonly string[]
}

export interface TraceView extends TraceLine {
  /** Spans whose parent never came. */
  readonly orphans: number
  /** By start; a parent before its children. */
  readonly tree: readonly SpanView[]
}

export interface SpanView {
  /** 16 hex digits. */
  readonly id: string
  readonly parent: string | null
  /** How deep under the root. */
  readonly depth: number
  readonly service: string
  readonly operation: string
  readonly kind: 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  /** After the start of the trace, clocks corrected. */
  readonly startMs: number
  readonly durationMs: number
  /** Time that no child covers. */
  readonly exclusiveMs: number
  /** How much of it is on the critical path: what the whole request waited for. 0: none. */
  readonly criticalMs: number
  readonly failed: boolean
  readonly peer: string | null
  readonly instance: string | null
  readonly release: string | null
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface ErrorsView {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly since: number
  /** Most frequent first. */
  readonly signatures: readonly SignatureCount[]
}

/** Clients of one signature in one release that are told of. */
export const MOST_CLIENTS = 64

/** Errors of one kind in one release of a service. An error that spans, logs and output tell of counts once. */
export interface SignatureCount {
  readonly service: string
  /** `v4`: the release that started the replica; '': not known. */
  readonly release: string
  /** As `TypeError at cart (cart.js) · GET /cart 500`; `other`: those of which there were too many kinds. */
  readonly signature: string
  /** Since the time asked for: exact to ten seconds within the last hour, to five minutes before. */
  readonly count: number
  /** In the 24 hours before it. */
  readonly before: number
  /**
   * Who met it, by keyed hash, as far as that is known: only while clients are judged, and of errors in traces. Ascending; of more than
   * MOST_CLIENTS the first ones, so that two lists compare below the last of a full one.
   */
  readonly clients: readonly string[]
  /** Milliseconds since 1970. */
  readonly firstSeen: number
  readonly lastSeen: number
  /** Of one that has a trace: 32 hex digits. */
  readonly trace: string | null
}

export interface TelemetryHealth {
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly spans: { readonly accepted: number; readonly inMemory: number }
  /** What was lost or turned away since the start, by why: "no key", "window full", … */
  readonly lost: Readonly<Record<string, number>>
  /** Labels with so many values that further ones are counted as `other`. */
  readonly capped: readonly CappedValues[]
  /** Requests since the start that the journal had no room for: a kill at that moment would have lost them. */
  readonly unjournaled: number
  /** null: it is written to the store as it should be; else why not. */
  readonly storage: string | null
  /** Topics that are read, and places that spans are forwarded to; empty where none is configured. */
  readonly links: readonly LinkHealth[]
  readonly memoryBytes: number
}

export interface CappedValues {
  readonly environment: string
  /** '': the names of services themselves. */
  readonly service: string
  readonly label: 'service' | 'instance' | 'release' | 'operation' | 'peer'
  /** How often a value became `other`. */
  readonly count: number
}

export interface LinkHealth {
  /** As `kafka zipkin` or `forward otlp`. */
  readonly name: string
  /** A broker's, or that of the page that shows the traces; without user and password. */
  readonly address: string
  /** null: it works; else why not. */
  readonly problem: string | null
  /** Spans that came or went this way. */
  readonly spans: number
  /** By why: `malformed` messages; spans that were `rejected`, or `not-forwarded`. */
  readonly lost: Readonly<Record<string, number>>
}
