import * as z from 'zod'
import { environmentPath, list, name, number, page, time } from './common.ts'

const logLine = z
  .object({
    at: time,
    service: z.string(),
    release: z.int().nullable(),
    replica: z.string().meta({ description: 'Or the task.' }),
    stream: z.enum(['stdout', 'stderr', 'weir']).meta({ description: 'weir: said about the process, not by it.' }),
    text: z.string(),
  })
  .meta({ id: 'LogLine' })
const logFilter = {
  service: name.optional(),
  release: number(1, 1e9).optional(),
  replica: z.string().max(150).optional(),
  since: z.iso.datetime().optional(),
}

const event = z
  .object({
    id: z.int().meta({ description: 'Grows; the id of the SSE event.' }),
    at: time,
    kind: z.string().meta({ description: '`rollout.started`, `replica.failed`, …' }),
    text: z.string(),
    app: z.string(),
    environment: z.string(),
    service: z.string().nullable(),
    release: z.int().nullable(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' })
const eventFilter = { app: name.optional(), environment: name.optional() }

export const observing = {
  'logs.list': {
    params: environmentPath,
    query: z.strictObject({ ...page, limit: number(1, 5000).default(200), ...logFilter, until: z.iso.datetime().optional() }),
    response: list(logLine).meta({ description: 'The newest lines, oldest of them first; the cursor leads to earlier ones.' }),
  },
  'logs.follow': {
    params: environmentPath,
    query: z.strictObject({ ...logFilter, backlog: number(0, 5000).default(0).meta({ description: 'Earlier lines to begin with.' }) }),
    response: logLine.meta({ description: 'Event `line`.' }),
  },
  'counters.show': {
    params: environmentPath,
    query: z.strictObject({ minutes: number(1, 1440).default(5) }),
    response: z.object({
      minutes: z.int(),
      services: z.array(
        z.object({
          service: z.string(),
          release: z.int(),
          track: z.enum(['stable', 'canary', 'unknown']),
          requests: z.int(),
          errors: z.int(),
          rejected4xx: z.int(),
          p50Ms: z.number().nullable(),
          p95Ms: z.number().nullable(),
        }),
      ),
    }),
  },
  'operations.list': {
    params: environmentPath,
    query: z.strictObject(page),
    response: list(
      z
        .object({
          id: z.string(),
          kind: z.string(),
          target: z.string(),
          outcome: z.enum(['intended', 'done', 'failed']),
          cause: z.string().nullable(),
          intendedAt: time,
          endedAt: time.nullable(),
        })
        .meta({ id: 'Operation' }),
    ),
  },
  'events.list': {
    query: z.strictObject({ ...page, ...eventFilter }),
    response: list(event).meta({ description: 'Newest first. The `id` of an event is good as Last-Event-ID of events.follow.' }),
  },
  'events.follow': { query: z.strictObject(eventFilter), response: event.meta({ description: 'The SSE event is named by its `kind`.' }) },
  'audit.list': {
    query: z.strictObject(page),
    response: list(
      z
        .object({
          id: z.int(),
          at: time,
          by: z.string(),
          action: z.string().meta({ description: '`release.create`, `secret.set`, …' }),
          target: z.string(),
          detail: z.record(z.string(), z.unknown()),
        })
        .meta({ id: 'AuditRecord' }),
    ),
  },
}
