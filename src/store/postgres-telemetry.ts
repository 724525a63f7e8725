import type { Query } from './database.ts'
import type { PageRequest } from './queries.ts'
import { readLogs, readMetrics, readSamples } from './read-logs.ts'
import { readEdges, readRollups } from './read-rollups.ts'
import { readTrace, readTraces } from './read-traces.ts'
import type { LogFilter, RollupQuery, SampleFilter, TelemetryQueries, TimeRange, TraceFilter } from './telemetry-queries.ts'

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
  metrics(environment: string, range: TimeRange) {
    return readMetrics(this.#query, numberOf(environment), range)
  }
  samples(environment: string, filter: SampleFilter) {
    return readSamples(this.#query, numberOf(environment), filter)
  }
}

/** 12 of `e12`; of what is no id, a number that no environment has. */
function numberOf(environment: string): number {
  const match = /^e([1-9]\d{0,8})$/.exec(environment)
  return match ? Number(match[1]) : 0
}
