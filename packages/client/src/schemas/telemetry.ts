import * as z from 'zod'
import { environmentPath, flag, list, name, number, page, time } from './common.ts'

const ms = z.number().nullable()
const traceId = z.string().regex(/^[0-9a-f]{32}$/)
const windowQuery = { minutes: number(1, 60).default(5).meta({ description: 'How far to look back.' }) }

const samplesSince = z.iso.datetime().optional().meta({ description: 'Without it, the last hour. Points are kept for two days.' })
const metricName = z
  .object({ name: z.string(), unit: z.string(), services: z.array(z.string()).meta({ description: 'Of its newest 1000 points.' }), lastAt: time })
  .meta({ id: 'MetricName' })
const sample = z
  .object({
    at: time,
    service: z.string(),
    release: z.string(),
    replica: z.string(),
    value: z.number(),
    count: z.number().nullable().meta({ description: 'Of a histogram or timer: how many observations the value is the sum of.' }),
    attributes: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'MetricSample' })
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

const level = z.enum(['unknown', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'])
const logRecord = z
  .object({
    at: time,
    service: z.string(),
    release: z.string(),
    replica: z.string(),
    level,
    trace: z.string().nullable(),
    span: z.string().nullable(),
    text: z.string(),
    attributes: z.record(z.string(), z.unknown()).nullable(),
  })
  .meta({ id: 'LogRecord' })

export const telemetry = {
  'logs.search': {
    params: environmentPath,
    query: z.strictObject({
      words: z.string().min(1).max(200).optional().meta({ description: 'All of them occur, in any case and order.' }),
      level: level.optional().meta({ description: 'At least this one.' }),
      service: name.optional(),
      release: number(1, 1e9).optional(),
      replica: z.string().max(150).optional(),
      trace: traceId.optional(),
      since: z.iso.datetime().optional().meta({ description: 'Without it, the last 24 hours.' }),
      until: z.iso.datetime().optional(),
      ...page,
    }),
    response: list(logRecord).meta({ description: 'Newest first.' }),
  },
  'samples.names': {
    params: environmentPath,
    query: z.strictObject({ service: name.optional(), since: samplesSince, ...page }),
    response: list(metricName),
  },
  'samples.list': {
    params: environmentPath,
    query: z.strictObject({ name: z.string().min(1).max(300), service: name.optional(), since: samplesSince, ...page }),
    response: list(sample).meta({ description: 'Newest first.' }),
  },
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
      since: time.nullable().meta({ description: 'Since when the first of `ranked` is slow.' }),
      load: z.object({ before: z.number(), now: z.number() }).nullable().meta({ description: 'Its visits a second.' }),
      holes: z
        .array(z.object({ service: z.string(), lostShare: z.number() }))
        .meta({ description: 'Services that more than a tenth of the spans never came from: of these less is known than it seems.' }),
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
      errors: flag.optional().meta({ description: 'Only those with a span that failed.' }),
      slow: flag.optional().meta({ description: 'Only those that took longer than 95 of 100 requests of their kind.' }),
      minMs: number(0, 1e9).optional(),
      since: z.iso.datetime().optional().meta({ description: 'Begun at or after this; without it, in the last 24 hours.' }),
      ...page,
    }),
    response: list(traceLine)
      .extend({
        missing: z
          .enum(['recent', 'kept'])
          .nullable()
          .meta({ description: 'What could not be asked: the telemetry process for recent traces, or the store for kept ones.' }),
      })
      .meta({ description: 'Newest first. A page of slow ones may be shorter than its limit, and still have a next one.' }),
  },
  'traces.show': {
    params: environmentPath.extend({ trace: traceId }),
    response: traceLine.extend({
      orphans: z.int().meta({ description: 'Spans whose parent never came.' }),
      tree: z.array(span).meta({ description: 'A parent before its children.' }),
    }),
  },
}
