import * as z from 'zod'
import { accepted, because, environmentPath, flag, list, page, time } from './common.ts'

const verdict = z
  .object({
    kind: z.enum(['pass', 'fail', 'inconclusive']),
    text: z.string().meta({ description: 'One sentence that says why.' }),
    needsS: z.number().nullable().meta({ description: 'Seconds until a proof is possible at the present rate; null: not known, or there is a verdict.' }),
    share: z.number().nullable().meta({ description: 'Measured share of the new release, 0 to 1; null: nothing was counted.' }),
    counted: z.object({ canary: z.number(), stable: z.number(), unit: z.enum(['requests', 'clients']) }),
    unproven: z.array(z.string()).meta({ description: 'Routes too rare for a proof of their own.' }),
  })
  .meta({ id: 'Verdict' })

const testOfVerdict = z
  .object({
    name: z.string(),
    indicator: z.string(),
    service: z.string().nullable(),
    route: z.string().nullable(),
    canary: z.number().meta({ description: 'Counted on the side of the new release; `total` over both sides.' }),
    total: z.number(),
    expected: z.number().meta({ description: 'What `canary` would be if both sides were alike.' }),
    logE: z.number().nullable().meta({ description: 'Natural logarithm of the evidence against "not worse"; null: a rule without chance.' }),
    threshold: z.number().meta({ description: 'It fails from here on.' }),
    state: z.enum(['fails', 'passes', 'open']),
    dryRun: z.boolean().meta({ description: 'Shown, decides nothing.' }),
    text: z.string(),
  })
  .meta({ id: 'TestResult' })

const evidence = z
  .object({
    rollout: z.string(),
    verdict,
    tests: z.array(testOfVerdict).meta({ description: 'Every test that was made, the strongest first.' }),
    unit: z.enum(['request', 'client']).meta({ description: 'What is assigned by chance, and counted.' }),
    designEffect: z.number().meta({ description: 'By how much evidence of latency is divided, because slow requests of one replica come together.' }),
    falseAlarm: z.number().meta({ description: 'Chance that a release without a fault is taken back, over all tests and looks.' }),
    cursor: z.int().meta({ description: 'The newest stored block that it stands on.' }),
    replay: z
      .object({
        blocks: z.int(),
        same: z.boolean().meta({ description: 'The stored blocks give the very same verdict.' }),
        problem: z.string().nullable().meta({ description: 'Why it could not be made again, such as blocks that are no longer kept.' }),
      })
      .nullable()
      .meta({ description: 'Only when asked for.' }),
  })
  .meta({ id: 'Evidence' })

const trial = z
  .object({
    id: z.string(),
    release: z.int(),
    requests: z.number(),
    maxLogE: z.number(),
    alarm: z.boolean().meta({ description: 'A false one: both sides were the same release.' }),
    designEffect: z.number(),
    startedAt: time,
    endedAt: time.nullable(),
  })
  .meta({ id: 'Trial' })

export const rollout = z
  .object({
    id: z.string(),
    kind: z.enum(['deploy', 'rollback']),
    target: z.int().meta({ description: 'The release that takes over.' }),
    base: z.int().nullable().meta({ description: 'The release that served when it began.' }),
    by: z.string(),
    strategy: z.string().meta({ description: 'rolling, recreate, canary, blue-green, shadow.' }),
    phase: z.string().meta({ description: 'starting, shadowing, splitting, checking, replacing, switching, watching, held, restoring; ended.' }),
    weight: z.number().meta({ description: 'Wanted share of the new release in percent.' }),
    paused: z.boolean(),
    stages: z
      .array(z.array(z.object({ service: z.string(), manner: z.enum(['beside', 'replace']) })))
      .nullable()
      .meta({ description: 'Known while it runs.' }),
    stage: z.int().nullable().meta({ description: 'Index of the stage that starts now.' }),
    step: z.int().nullable().meta({ description: 'Of a canary: index of the step it is at.' }),
    waits: z
      .object({ for: z.enum(['evidence', 'time', 'checks', 'approval', 'decision', 'pause']), text: z.string() })
      .nullable()
      .meta({ description: 'Why it does not go on by itself just now.' }),
    verdict: verdict.nullable().meta({ description: 'The newest one; null: it is not judged, or nothing was looked at yet.' }),
    outcome: z.enum(['promoted', 'failed', 'aborted', 'superseded']).nullable().meta({ description: 'null while it runs.' }),
    because: because.nullable(),
    startedAt: time,
    endedAt: time.nullable(),
  })
  .meta({ id: 'Rollout' })

export const rollouts = {
  'rollouts.list': { params: environmentPath, query: z.strictObject(page), response: list(rollout) },
  'rollouts.show': { params: environmentPath.extend({ rollout: z.string().min(1).max(64) }), response: rollout },
  'rollouts.evidence': {
    params: environmentPath.extend({ rollout: z.string().min(1).max(64) }),
    query: z.strictObject({ replay: flag.default(false).meta({ description: 'Make the verdict again from the stored blocks, and compare.' }) }),
    response: evidence,
  },
  'trials.list': {
    params: environmentPath,
    query: z.strictObject(page),
    response: list(trial),
  },
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
