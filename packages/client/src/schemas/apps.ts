import * as z from 'zod'
import { accepted, appPath, because, environmentPath, flag, list, name, page, time } from './common.ts'
import { rollout } from './rollouts.ts'

const environmentSummary = z
  .object({
    name: z.string(),
    status: z.enum(['new', 'running', 'rolling', 'stopped', 'failing', 'removing']),
    release: z.int().nullable().meta({ description: 'The release that serves; null before the first.' }),
    newest: z.object({ number: z.int(), status: z.enum(['queued', 'building', 'ready', 'failed']) }).nullable(),
    rollout: z.object({ id: z.string(), target: z.int(), phase: z.string(), weight: z.number() }).nullable().meta({ description: 'The running one.' }),
    serviceCount: z.int(),
    replicaCount: z.int(),
    urls: z.array(z.string()),
    updatedAt: time,
  })
  .meta({ id: 'EnvironmentSummary' })

const app = z.object({ name: z.string(), createdAt: time.nullable(), environments: z.array(environmentSummary) }).meta({ id: 'App' })

const replica = z
  .object({
    id: z.string(),
    service: z.string(),
    origin: z.int().meta({ description: 'The release that started it.' }),
    phase: z
      .enum(['starting', 'ready', 'unready', 'waiting', 'failed', 'stopping', 'stopped', 'planned'])
      .meta({ description: 'planned: decided, not yet seen.' }),
    address: z.string().nullable(),
    ports: z.record(z.string(), z.int()),
    restarts: z.int(),
    cause: z.string().nullable().meta({ description: 'Why it is not ready, or why it died last.' }),
    lastLines: z.array(z.string()),
    warm: z.boolean().meta({ description: 'Of the release before, ready to take over at once; it serves nothing now.' }),
    retired: z.boolean().meta({ description: 'It takes no new requests and is stopped once it has drained.' }),
  })
  .meta({ id: 'Replica' })

const service = z
  .object({
    name: z.string(),
    kind: z.enum(['web', 'internal', 'worker']).meta({ description: 'Reached from outside; only by other services; by nobody.' }),
    status: z.enum(['running', 'starting', 'degraded', 'stopped']),
    cause: z.string().nullable(),
    origin: z.int().nullable().meta({ description: 'The release that last changed it.' }),
    wanted: z.int(),
    ready: z.int(),
    scaledBy: z.enum(['manifest', 'hand']),
    strategy: z.string(),
    urls: z.array(z.string()),
    dependsOn: z.array(z.string()),
  })
  .meta({ id: 'Service' })

const environment = environmentSummary
  .omit({ rollout: true })
  .extend({
    app: z.string(),
    createdAt: time,
    services: z.array(service),
    replicas: z.array(replica),
    resources: z.array(
      z.object({ name: z.string(), kind: z.string(), phase: z.enum(['creating', 'ready', 'failed', 'planned']), cause: z.string().nullable() }),
    ),
    rollout: rollout.nullable(),
    waiting: z
      .array(z.object({ target: z.int(), kind: z.enum(['deploy', 'rollback']), by: z.string() }))
      .meta({ description: 'Rollouts that wait for the running one.' }),
    warm: z.int().nullable().meta({ description: 'The release that can take over at once.' }),
    problems: z.array(z.string()).meta({ description: 'What a person should know: a port that could not be opened, a service that fails to start.' }),
  })
  .meta({ id: 'Environment' })

const removal = z.strictObject({
  confirm: z.string().max(100).meta({ description: 'The name of what is removed, again.' }),
  withData: flag.default(false).meta({ description: 'Also delete databases and volumes.' }),
})
const oneService = z.strictObject({ service: name.nullable().default(null).meta({ description: 'null: the whole app.' }) })

export const apps = {
  'apps.list': { query: z.strictObject(page), response: list(app) },
  'apps.create': {
    params: appPath,
    body: z.strictObject({ environment: name.default('production').meta({ description: 'Its first environment.' }) }),
    response: app,
  },
  'apps.show': { params: appPath, response: app },
  'apps.remove': { params: appPath, query: removal, response: z.object({ commands: z.array(z.object({ environment: z.string(), command: z.int() })) }) },
  'environments.list': { params: appPath, query: z.strictObject(page), response: list(environmentSummary) },
  'environments.create': { params: environmentPath, response: environmentSummary },
  'environments.show': { params: environmentPath, response: environment },
  'environments.remove': { params: environmentPath, query: removal, response: accepted },
  'environments.stop': { params: environmentPath, body: oneService, response: accepted },
  'environments.start': { params: environmentPath, body: oneService, response: accepted },
  'environments.restart': { params: environmentPath, body: oneService, response: accepted },
  'services.scale': {
    params: environmentPath.extend({ service: name }),
    body: z.strictObject({ replicas: z.int().min(0).max(1000).nullable().meta({ description: 'null: what the manifest says.' }) }),
    response: accepted,
  },
  'commands.show': {
    params: environmentPath.extend({ command: z.coerce.number<number | string>().int().min(1) }),
    response: z
      .object({
        id: z.int(),
        kind: z.string(),
        by: z.string(),
        at: time,
        outcome: z.enum(['pending', 'consumed', 'refused']),
        because: because.nullable().meta({ description: 'Why it was refused.' }),
        rollout: z.string().nullable().meta({ description: 'The rollout that it started or changed, once known.' }),
      })
      .meta({ id: 'Command' }),
  },
}
