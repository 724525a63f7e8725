import type { ApiPorts } from '../api/ports.ts'
import type { TelemetryQueries } from '../store/telemetry-queries.ts'

/** What reads spans is loaded when somebody first looks at a trace: an idle server does without. */
export function keptTelemetry(queries: TelemetryQueries): ApiPorts['kept'] {
  return {
    traces: (...asked) => queries.traces(...asked),
    trace: (...asked) => queries.trace(...asked),
    rollups: (...asked) => queries.rollups(...asked),
    edges: (...asked) => queries.edges(...asked),
    logs: (...asked) => queries.logs(...asked),
    metrics: (...asked) => queries.metrics(...asked),
    samples: (...asked) => queries.samples(...asked),
    latestSamples: (...asked) => queries.latestSamples(...asked),
    viewOf: async (trace) => (await import('../telemetry/stored-trace.ts')).viewOfStored(trace),
  }
}
