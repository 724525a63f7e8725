import * as z from 'zod'
import { because, environmentPath, list, name, number, page, time } from './common.ts'

const MAX_MANIFEST_BYTES = 1024 * 1024

const digest = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/)
  .meta({ id: 'Digest' })
const releaseNumber = number(1, 1e9)
const inside = z.string().max(1000).meta({ description: 'A folder of the repository.' })

const gitSource = z.strictObject({
  kind: z.literal('git'),
  url: z.string().min(1).max(2000),
  ref: z.string().min(1).max(250).nullable().default(null).meta({ description: 'Branch or tag; null: the default branch.' }),
  commit: z.string().min(4).max(64).nullable().default(null),
  path: inside.default('.'),
})

const source = z
  .discriminatedUnion('kind', [
    gitSource,
    z.strictObject({ kind: z.literal('upload'), digest, label: z.string().max(200).default('upload').meta({ description: 'For people: what was sent.' }) }),
    z.strictObject({
      kind: z.literal('release'),
      number: z.int().min(1).meta({ description: 'An earlier release of this environment again, with what is staged now.' }),
    }),
  ])
  .meta({ id: 'Source' })

const request = z.strictObject({
  source,
  manifest: z
    .strictObject({ file: z.string().min(1).max(200), text: z.string().max(MAX_MANIFEST_BYTES) })
    .nullable()
    .default(null)
    .meta({ description: 'A manifest beside the source; null: the one in it.' }),
  whenBusy: z.enum(['wait', 'supersede']).default('wait').meta({ description: 'When a rollout is running: wait for its end, or end it.' }),
  again: z.boolean().default(false).meta({ description: 'Though what it is made from was taken back here before.' }),
  forward: z
    .boolean()
    .default(false)
    .meta({ description: 'Without comparing it with what serves, because that is what is broken: it takes over as soon as it is ready.' }),
})

const releaseSummary = z
  .object({
    number: z.int(),
    status: z.enum(['queued', 'building', 'ready', 'failed']),
    because: because.nullable().meta({ description: 'Why it failed.' }),
    serving: z.boolean(),
    source: z.object({
      kind: z.enum(['git', 'upload', 'release']),
      label: z.string().meta({ description: 'For people: repository, folder or release.' }),
      commit: z.string().nullable(),
      ref: z.string().nullable(),
      subject: z.string().nullable(),
      author: z.string().nullable(),
    }),
    by: z.string(),
    followed: z.boolean().meta({ description: 'Made because a followed branch moved.' }),
    createdAt: time,
    readyAt: time.nullable(),
    promotedAt: time.nullable().meta({ description: 'When it first served.' }),
  })
  .meta({ id: 'ReleaseSummary' })

const releaseService = z.object({
  name: z.string(),
  origin: z.int().nullable().meta({ description: 'The release that started its replicas; null before its first rollout.' }),
  artifact: z.object({ digest: z.string(), bytes: z.number() }).nullable(),
  command: z.array(z.string()).nullable(),
  build: z
    .object({
      phase: z.enum(['queued', 'running', 'succeeded', 'failed']),
      position: z.int().nullable(),
      cached: z.boolean(),
      cause: z.string().nullable(),
      lastLines: z.array(z.string()),
    })
    .nullable()
    .meta({ description: 'While it is being built, and shortly after.' }),
})
const release = releaseSummary
  .extend({
    services: z.array(releaseService),
    rollout: z.string().nullable().meta({ description: 'The last rollout to it; null before.' }),
    variables: z.record(z.string(), z.record(z.string(), z.string())).meta({ description: 'Set outside the manifest, per service; `*` for all.' }),
    secrets: z.record(z.string(), z.int()).meta({ description: 'Name to version.' }),
    notes: z.array(z.string()),
    manifest: z.object({ file: z.string(), text: z.string() }).nullable().meta({ description: 'Given beside the source.' }),
    graph: z.unknown().meta({ description: 'The app graph: the manifest, normalised. null before it is known.' }),
  })
  .meta({ id: 'Release' })

const change = z.object({
  what: z.string().meta({ description: 'command, environment, routes, artifact, …' }),
  from: z.string().nullable(),
  to: z.string().nullable(),
})

const kindOfChange = z.enum(['added', 'changed', 'removed'])

const plan = z
  .object({
    app: z.string(),
    environment: z.string(),
    base: z.int().nullable().meta({ description: 'The release that serves now.' }),
    strategy: z.enum(['rolling', 'recreate', 'canary', 'blue-green', 'shadow']),
    steps: z.array(z.number()).meta({ description: 'Weights of a canary in percent; empty without one.' }),
    changes: z
      .array(z.object({ service: z.string(), kind: kindOfChange, reasons: z.array(z.string()) }))
      .meta({ description: 'Empty: a deploy would touch no service.' }),
    untouched: z.array(z.string()),
    stages: z
      .array(
        z.object({
          services: z.array(
            z.object({
              service: z.string(),
              manner: z.enum(['beside', 'replace']),
              preStart: z.array(z.object({ name: z.string(), compatible: z.boolean() })),
            }),
          ),
        }),
      )
      .meta({ description: 'Order of start; services of a stage start side by side.' }),
    resources: z.array(z.object({ name: z.string(), kind: z.string(), action: z.enum(['create', 'keep', 'detach']) })),
    routes: z.object({ added: z.array(z.string()), removed: z.array(z.string()) }),
    judged: z.array(z.string()).meta({ description: 'How it is judged, a sentence a line; empty: it is not.' }),
    notJudged: z.array(z.string()).meta({ description: 'What of it cannot be judged, and why.' }),
    breaks: z.array(z.string()).meta({ description: 'Where the track of a request would be lost.' }),
    notWarm: z.array(z.object({ service: z.string(), because: z.string() })).meta({ description: 'What cannot stay ready for an instant rollback.' }),
    keepMs: z.number(),
    refusal: z.string().nullable().meta({ description: 'Not null: the deploy would be refused with this.' }),
    notes: z.array(z.string()).meta({ description: 'Fields without effect, builds that would be needed.' }),
  })
  .meta({ id: 'Plan' })

export const releases = {
  'uploads.create': { response: z.object({ digest, files: z.int() }) },
  'releases.list': {
    params: environmentPath,
    query: z.strictObject({ ...page, status: z.enum(['queued', 'building', 'ready', 'failed']).optional() }),
    response: list(releaseSummary),
  },
  'releases.create': { params: environmentPath, body: request, response: releaseSummary },
  'releases.show': { params: environmentPath.extend({ release: releaseNumber }), response: release },
  'releases.diff': {
    params: environmentPath.extend({ release: releaseNumber, other: releaseNumber }),
    response: z.object({
      from: z.int(),
      to: z.int(),
      services: z.array(z.object({ name: z.string(), change: kindOfChange, reasons: z.array(z.string()), changes: z.array(change) })),
      resources: z.array(z.object({ name: z.string(), change: kindOfChange })),
      jobs: z.array(z.object({ name: z.string(), change: kindOfChange })),
      configuration: z.array(change),
    }),
  },
  'releases.log': {
    params: environmentPath.extend({ release: releaseNumber }),
    query: z.strictObject({ service: name.optional() }),
    response: z.object({ service: z.string(), text: z.string() }).meta({ description: 'Event `log`; the stream ends with event `end`.' }),
  },
  'sources.app': {
    body: z.strictObject({
      source: gitSource,
      otherwise: z.string().min(1).max(200).meta({ description: 'What it is to be called where no manifest says it, such as the last part of its address.' }),
    }),
    response: z.object({ app: z.string() }),
  },
  'plan.create': { params: environmentPath, body: request, response: plan },
  'build.verify': {
    params: environmentPath,
    body: request
      .omit({ whenBusy: true, again: true, forward: true })
      .extend({ service: name.nullable().default(null).meta({ description: 'null: all services.' }) }),
    response: z.object({ services: z.array(z.object({ service: z.string(), differs: z.array(z.string()).meta({ description: 'Empty: reproducible.' }) })) }),
  },
  'promote.create': {
    params: environmentPath,
    body: z.strictObject({
      from: name.meta({ description: 'The environment whose artifacts are taken.' }),
      release: z.int().min(1).nullable().default(null).meta({ description: 'null: the one that serves there.' }),
      whenBusy: z.enum(['wait', 'supersede']).default('wait'),
    }),
    response: releaseSummary,
  },
}
