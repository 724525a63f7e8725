import * as z from 'zod'
import { accepted, because, environmentPath, list, page, time } from './common.ts'

export const rollout = z
  .object({
    id: z.string(),
    kind: z.enum(['deploy', 'rollback']),
    target: z.int().meta({ description: 'The release that takes over.' }),
    base: z.int().nullable().meta({ description: 'The release that served when it began.' }),
    by: z.string(),
    strategy: z.string().meta({ description: 'rolling, recreate, canary.' }),
    phase: z.string().meta({ description: 'starting, splitting, replacing, switching, held, restoring; ended.' }),
    weight: z.number().meta({ description: 'Wanted share of the new release in percent.' }),
    paused: z.boolean(),
    stages: z
      .array(z.array(z.object({ service: z.string(), manner: z.enum(['beside', 'replace']) })))
      .nullable()
      .meta({ description: 'Known while it runs.' }),
    stage: z.int().nullable().meta({ description: 'Index of the stage that starts now.' }),
    step: z.int().nullable().meta({ description: 'Of a canary: index of the step it is at; it waits there for approval.' }),
    outcome: z.enum(['promoted', 'failed', 'aborted', 'superseded']).nullable().meta({ description: 'null while it runs.' }),
    because: because.nullable(),
    startedAt: time,
    endedAt: time.nullable(),
  })
  .meta({ id: 'Rollout' })

export const rollouts = {
  'rollouts.list': { params: environmentPath, query: z.strictObject(page), response: list(rollout) },
  'rollouts.show': { params: environmentPath.extend({ rollout: z.string().min(1).max(64) }), response: rollout },
  'rollout.current': { params: environmentPath, response: z.object({ rollout: rollout.nullable() }) },
  'rollout.weight': { params: environmentPath, body: z.strictObject({ weight: z.number().min(0).max(100) }), response: accepted },
  'rollout.promote': { params: environmentPath, response: accepted },
  'rollout.abort': { params: environmentPath, response: accepted },
  'rollout.pause': { params: environmentPath, response: accepted },
  'rollout.resume': { params: environmentPath, response: accepted },
  'rollback.create': {
    params: environmentPath,
    body: z.strictObject({
      to: z.int().min(1).nullable().default(null).meta({ description: 'null: the release promoted before the current one.' }),
      acceptSchema: z.boolean().default(false).meta({ description: 'Go back over a migration that is not declared compatible.' }),
    }),
    response: accepted,
  },
}
