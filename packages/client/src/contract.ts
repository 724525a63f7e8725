import type * as z from 'zod'
import type { RouteId } from './routes.ts'
import { apps } from './schemas/apps.ts'
import { configuration } from './schemas/configuration.ts'
import { errors } from './schemas/errors.ts'
import { identity } from './schemas/identity.ts'
import { notifications } from './schemas/notifications.ts'
import { objectives } from './schemas/objectives.ts'
import { observing } from './schemas/observing.ts'
import { releases } from './schemas/releases.ts'
import { rollouts } from './schemas/rollouts.ts'
import { system } from './schemas/system.ts'
import { tasks } from './schemas/tasks.ts'
import { telemetry } from './schemas/telemetry.ts'

/** What a route takes and answers. Absent: takes nothing of the kind. The response of an `sse` route is one event's data. */
export interface RouteSchemas {
  readonly params?: z.ZodObject
  readonly query?: z.ZodObject
  readonly body?: z.ZodType
  readonly response: z.ZodType
}

/**
 * The schemas of all routes of `routes.ts`: the server checks requests by them, the client is typed by them, OpenAPI is made from them.
 * Only types of this file may be imported by what must start fast.
 */
export const CONTRACT = {
  ...system,
  ...identity,
  ...apps,
  ...releases,
  ...rollouts,
  ...configuration,
  ...notifications,
  ...tasks,
  ...observing,
  ...telemetry,
  ...objectives,
  ...errors,
} satisfies Record<RouteId, RouteSchemas>

export type Contract = typeof CONTRACT
