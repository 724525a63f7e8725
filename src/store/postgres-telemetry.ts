import type { Query } from './database.ts'
import type { PageRequest } from './queries.ts'
import { readLogs } from './read-logs.ts'
import { readEdges, readRollups } from './read-rollups.ts'
import { readLatestSamples, readMetrics, readSamples } from './read-samples.ts'
import { readTrace, readTraces } from './read-traces.ts'
import type { LogFilter, MetricFilter, RollupQuery, SampleFilter, TelemetryQueries, TimeRange, TraceFilter } from './telemetry-queries.ts'

/** Reading what the telemetry process wrote. See `TelemetryQueries`. */
export class PostgresTelemetry implements TelemetryQueries {
  readonly #query: Query
  readonly #now: () => number

  constructor(query: Query, now: () => number) {
    this.#query = query
    this.#now = now
  }

  traces(environment: string, filter: TraceFilter, page: PageRequest) {
    return readTraces(this.#query, numberOf(environment), filter, page)
  }
  trace(environment: string, trace: string) {
    return readTrace(this.#query, numberOf(environment), trace)
  }
  rollups(environment: string, query: RollupQuery) {
    return readRollups(this.#query, numberOf(environment), query, this.#now())
  }
  edges(environment: string, range: TimeRange) {
    return readEdges(this.#query, numberOf(environment), range, this.#now())
  }
  logs(environment: string, filter: LogFilter, page: PageRequest) {
    return readLogs(this.#query, numberOf(environment), filter, page)
  }
  metrics(environment: string, filter: MetricFilter, page: PageRequest) {
    return readMetrics(this.#query, numberOf(environment), filter, page)
  }
  samples(environment: string, filter: SampleFilter, page: PageRequest) {
    return readSamples(this.#query, numberOf(environment), filter, page)
  }
  latestSamples(environment: string, range: TimeRange, limit: number) {
    return readLatestSamples(this.#query, numberOf(environment), range, limit)
  }
}

/** 12 of `e12`; of what is no id, a number that no environment has. */
function numberOf(environment: string): number {
  const match = /^e([1-9]\d{0,8})$/.exec(environment)
  return match ? Number(match[1]) : 0
}
