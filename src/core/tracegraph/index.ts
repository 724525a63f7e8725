/**
 * Traces in, understanding out; a library without dependencies, without clock and without I/O.
 *
 * `createAnalyser` works out one trace (parents, exclusive time, critical path, drag, calls). `docs/concepts/understanding.md` explains the ideas.
 */
export { type Analyser, type Calls, createAnalyser, type TraceAnalysis } from './analyse.ts'
export { type Blame, type BlameOptions, blame, type Change, type Evidence } from './blame.ts'
export { columnsOf } from './columns.ts'
export { CRITICAL } from './critical-path.ts'
export {
  type AddOptions,
  BUCKET_MS,
  type Counted,
  type GraphClass,
  type GraphEdge,
  type GraphNode,
  type GraphSnapshot,
  ServiceGraph,
  type Stretch,
  UNNAMED,
  type Unanswered,
} from './service-graph.ts'
export { KIND, type Names, type Span, type SpanColumns } from './spans.ts'
export { slowSince, type Why, why } from './why.ts'
