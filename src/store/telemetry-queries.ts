import type { Page, PageRequest } from './queries.ts'

/**
 * What is kept of an environment's telemetry. Everything is asked for with the environment's id (`e12`): what belongs to another one is not found.
 * The newest seconds are still in the telemetry process. Times are milliseconds since 1970.
 */
export interface TelemetryQueries {
  /** Kept traces, newest first. */
  traces(environment: string, filter: TraceFilter, page: PageRequest): Promise<Page<TraceSummary>>
  /** null: no trace of this environment was kept under this id. */
  trace(environment: string, trace: string): Promise<StoredTrace | null>
  /** Counts and latencies over time, the busiest series first. All spans count, also those of traces that were not kept. */
  rollups(environment: string, query: RollupQuery): Promise<Rollups>
  /** Who called whom in that time. */
  edges(environment: string, range: TimeRange): Promise<readonly EdgeSummary[]>
  /** Newest first. */
  logs(environment: string, filter: LogFilter, page: PageRequest): Promise<Page<StoredLog>>
  /** Metrics that were sent in that time, by name. */
  metrics(environment: string, filter: MetricFilter, page: PageRequest): Promise<Page<MetricName>>
  /** Points of one metric, newest first. */
  samples(environment: string, filter: SampleFilter, page: PageRequest): Promise<Page<StoredSample>>
  /** The newest point of each series that was sent since then; of each metric at most 50 series, at most `limit` in all. */
  latestSamples(environment: string, range: TimeRange, limit: number): Promise<readonly LatestSample[]>
}

export interface TimeRange {
  readonly fromMs: number
  readonly toMs: number
}

/** null: does not matter. With a service or an operation, duration and failure are those of its spans, else those of the whole trace. */
export interface TraceFilter extends TimeRange {
  readonly service: string | null
  readonly operation: string | null
  readonly minDurationMs: number | null
  readonly maxDurationMs: number | null
  readonly failed: boolean | null
}

export interface TraceSummary {
  /** 32 hex digits. */
  readonly trace: string
  readonly atMs: number
  /** Of the root. */
  readonly service: string
  readonly operation: string
  readonly release: string
  readonly durationMs: number
  readonly failed: boolean
  readonly spans: number
  /** Why it was kept. */
  readonly kept: 'error' | 'slow' | 'rare' | 'sampled'
  readonly services: readonly string[]
}

export interface StoredTrace {
  readonly trace: string
  readonly atMs: number
  /** An OTLP ExportTraceServiceRequest with all spans that were kept. */
  readonly spans: Uint8Array
}

export interface RollupQuery extends TimeRange {
  /** Operations of services; calls from a service to a peer; whole requests by their root operation. */
  readonly kind: 'operation' | 'call' | 'request'
  readonly service: string | null
  readonly operation: string | null
  readonly peer: string | null
  readonly release: string | null
  /** A point for each so long; longer where only longer ones are kept: 10 s for a day, 5 min for 14 days, 1 h for 400 days. */
  readonly widthMs: number
  readonly limit: number
}

export interface Rollups {
  readonly widthMs: number
  readonly series: readonly RollupSeries[]
}

export interface RollupSeries {
  readonly service: string
  /** '' of calls. */
  readonly operation: string
  /** '' of all but calls. */
  readonly peer: string
  readonly release: string
  /** Of operations: see KIND in core/tracegraph. */
  readonly spanKind: number
  readonly points: readonly RollupPoint[]
}

export interface RollupPoint {
  readonly atMs: number
  readonly count: number
  readonly errors: number
  readonly rejected4xx: number
  /** Sums. */
  readonly durationMs: number
  readonly exclusiveMs: number
  /** See core/model/latency-sketch.ts. */
  readonly latency: readonly number[]
}

export interface EdgeSummary {
  readonly service: string
  readonly peer: string
  readonly count: number
  readonly errors: number
  readonly firstSeenMs: number
  readonly lastSeenMs: number
}

export interface LogFilter extends TimeRange {
  /** All of them occur, in any case and order. */
  readonly words: readonly string[]
  readonly service: string | null
  readonly release: string | null
  readonly instance: string | null
  /** At least this severity of OTLP: 13 are warnings, 17 errors. */
  readonly severity: number | null
  readonly trace: string | null
}

export interface StoredLog {
  readonly atMs: number
  readonly service: string
  readonly release: string
  readonly instance: string
  readonly severity: number
  readonly trace: string | null
  readonly span: string | null
  readonly text: string
  readonly attributes: Readonly<Record<string, unknown>> | null
}

export interface MetricFilter extends TimeRange {
  readonly service: string | null
}

export interface MetricName {
  readonly name: string
  readonly unit: string
  /** Of its newest 1000 points. */
  readonly services: readonly string[]
  /** Of its newest point. */
  readonly atMs: number
}

export interface SampleFilter extends MetricFilter {
  readonly name: string
}

export interface StoredSample {
  readonly atMs: number
  readonly service: string
  readonly release: string
  readonly instance: string
  readonly value: number
  /** Of a histogram: how many observations `value` is the sum of. */
  readonly count: number | null
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface LatestSample extends Pick<StoredSample, 'service' | 'instance' | 'value' | 'count' | 'attributes'> {
  readonly name: string
  readonly unit: string
}
