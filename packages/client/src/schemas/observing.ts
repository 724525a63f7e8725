import { z } from 'zod'
import { environmentPath, list, name, number, page, time } from './common.ts'

const logLine = z
  .object({
    at: time,
    service: z.string(),
    release: z.int(),
    replica: z.string(),
    stream: z.enum(['stdout', 'stderr']),
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
    app: z.string().nullable(),
    environment: z.string().nullable(),
    service: z.string().nullable(),
    release: z.int().nullable(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' })
const eventFilter = { app: name.optional(), environment: name.optional() }

export const observing = {
  'logs.list': {
    params: environmentPath,
    query: z.strictObject({ ...page, ...logFilter, until: z.iso.datetime().optional(), tail: z.enum(['first', 'last']).default('last').meta({ description: 'Which end of the lines the first page holds.' }) }),
    response: list(logLine),
  },
  'logs.follow': {
    params: environmentPath,
    query: z.strictObject({ ...logFilter, backlog: number(0, 500).default(0).meta({ description: 'Earlier lines to begin with.' }) }),
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
        .object({ id: z.string(), kind: z.string(), target: z.string(), outcome: z.enum(['intended', 'done', 'failed']), cause: z.string().nullable(), at: time })
        .meta({ id: 'Operation' }),
    ),
  },
  'events.list': { query: z.strictObject({ ...page, ...eventFilter }), response: list(event) },
  'events.follow': { query: z.strictObject(eventFilter), response: event.meta({ description: 'The SSE event is named by its `kind`.' }) },
  'audit.list': {
    query: z.strictObject({ ...page, ...eventFilter }),
    response: list(
      z
        .object({
          id: z.int(),
          at: time,
          by: z.string(),
          action: z.string().meta({ description: 'The route: `releases.create`, …' }),
          app: z.string().nullable(),
          environment: z.string().nullable(),
          data: z.record(z.string(), z.unknown()),
        })
        .meta({ id: 'AuditRecord' }),
    ),
  },
}
