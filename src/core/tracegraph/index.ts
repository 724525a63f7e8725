/**
 * Traces in, understanding out; a library without dependencies, without clock and without I/O.
 *
 * `createAnalyser` works out one trace (parents, exclusive time, critical path, drag, calls). `docs/concepts/understanding.md` explains the ideas.
 */
export { type Analyser, type Calls, createAnalyser, type TraceAnalysis } from './analyse.ts'
export { columnsOf } from './columns.ts'
export { CRITICAL } from './critical-path.ts'
export { KIND, type Names, type Span, type SpanColumns } from './spans.ts'
