import { z } from 'zod'
import { environmentPath, list, name, number, page, time } from './common.ts'

const ms = z.number().nullable()
const windowQuery = { minutes: number(1, 60).default(5).meta({ description: 'How far to look back.' }) }

const node = z
  .object({
    service: z.string(),
    kind: z
      .enum(['service', 'gateway', 'peer'])
      .meta({ description: 'gateway: Weir’s own, where requests come in. peer: known by its callers only, as a database.' }),
    calls: z.number().meta({ description: 'Weighted: a span of a trace that was sampled with 1 % counts 100.' }),
    errors: z.number(),
    p50Ms: ms,
    p95Ms: ms,
    p99Ms: ms,
    exclusiveMs: ms.meta({ description: 'Mean time of a call that nobody it called can answer for.' }),
    releases: z.array(z.string()),
    lostSpans: z.number().meta({ description: 'Spans that others speak of and that never came.' }),
  })
  .meta({ id: 'ServiceNode' })
const edge = z
  .object({
    caller: z.string(),
    callee: z.string(),
    calls: z.number(),
    errors: z.number(),
    retries: z.number(),
    p50Ms: ms,
    p95Ms: ms,
    p99Ms: ms,
    concurrency: z.number().meta({ description: 'Calls under way at the same time, in the mean.' }),
    lastSeen: time,
  })
  .meta({ id: 'ServiceEdge' })

const traceLine = z
  .object({
    id: z.string().meta({ description: '32 hex digits.' }),
    at: time,
    durationMs: z.number(),
    service: z.string(),
    operation: z.string(),
    failed: z.boolean(),
    spans: z.int(),
    services: z.array(z.string()),
  })
  .meta({ id: 'TraceLine' })
const span = z
  .object({
    id: z.string(),
    parent: z.string().nullable(),
    depth: z.int(),
    service: z.string(),
    operation: z.string(),
    kind: z.enum(['unspecified', 'internal', 'server', 'client', 'producer', 'consumer']),
    startMs: z.number().meta({ description: 'After the start of the trace.' }),
    durationMs: z.number(),
    exclusiveMs: z.number().meta({ description: 'Time that no child covers.' }),
    criticalMs: z.number().meta({ description: 'How much of it the whole request waited for.' }),
    failed: z.boolean(),
    peer: z.string().nullable(),
    instance: z.string().nullable(),
    release: z.string().nullable(),
    attributes: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Span' })

export const telemetry = {
  'graph.show': {
    params: environmentPath,
    query: z.strictObject(windowQuery),
    response: z.object({
      at: time,
      minutes: z.number(),
      services: z.array(node),
      edges: z.array(edge),
      classes: z.array(
        z.object({ service: z.string(), operation: z.string(), count: z.number(), errors: z.number(), p50Ms: ms, p95Ms: ms }).meta({ id: 'RequestClass' }),
      ),
    }),
  },
  'why.show': {
    params: environmentPath,
    query: z.strictObject({ service: name, ...windowQuery }),
    response: z.object({
      at: time,
      service: z.string(),
      sentence: z.string(),
      ranked: z.array(
        z.object({
          service: z.string(),
          kind: z.enum(['capacity', 'code', 'network', 'dependency']),
          score: z.number(),
          evidence: z.array(z.string()),
        }),
      ),
    }),
  },
  'traces.list': {
    params: environmentPath,
    query: z.strictObject({
      service: name.optional(),
      errors: z.enum(['true', 'false']).optional(),
      minMs: number(0, 1e9).optional(),
      ...page,
    }),
    response: list(traceLine).meta({ description: 'Recent traces, newest first.' }),
  },
  'traces.show': {
    params: environmentPath.extend({ trace: z.string().regex(/^[0-9a-f]{32}$/) }),
    response: traceLine.extend({
      orphans: z.int().meta({ description: 'Spans whose parent never came.' }),
      tree: z.array(span).meta({ description: 'A parent before its children.' }),
    }),
  },
}
