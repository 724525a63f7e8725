import * as z from 'zod'
import * as leaf from './leaves.ts'

/**
 * The schema of `weir.yaml`, version 1. It is the only place where its keys are listed: validation, weir.schema.json and the
 * reference page come from it. Every key of a service is optional here, because an overlay may name just one;
 * what a whole app must have is checked in graph.ts.
 */
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** An optional key with what it means; `standard` is the value it has when it is not written, or a sentence about it. */
const about = <T extends z.ZodType>(schema: T, description: string, standard?: unknown) =>
  schema.optional().meta({ description, ...(standard === undefined ? {} : { standard }) })

const build = z.union([
  leaf.folder,
  z.strictObject({
    context: about(leaf.folder, 'Folder of the source that is built.', '.'),
    command: about(leaf.command, 'Command that builds it, instead of the detected one.'),
    output: about(leaf.folder, 'Folder that the command leaves the result in.', 'the context itself'),
  }),
])

const route = z.strictObject({
  host: about(leaf.host, 'Host name; `*.` at the front matches one label. Without it: any host.'),
  path: about(leaf.routePath, 'Path prefix, on segment borders.', '/'),
  port: about(leaf.name, 'Name of one of the service’s ports.', 'http'),
})

const portNumber = z.int().min(1).max(65535)
const port = z.union([
  portNumber,
  z.strictObject({
    port: portNumber.meta({ description: 'Port inside a container; a process is given its own by `PORT`.' }),
    protocol: about(z.enum(['http', 'grpc', 'tcp']), 'What is spoken there.', 'grpc for a port named grpc, else http'),
  }),
])

const dependency = z.strictObject({
  condition: about(z.enum(['service_started', 'service_healthy', 'service_completed_successfully']), 'How far the other must be.', 'service_started'),
})

const healthcheck = z.strictObject({
  http: about(leaf.requestPath, 'Path that answers 2xx or 3xx when the service is well.'),
  tcp: about(leaf.name, 'Name of the port that must accept connections.'),
  test: about(leaf.command, 'Command that exits with 0 when the service is well; runs inside the app’s sandbox.'),
  disable: about(z.literal(true), 'No check: ready once it has run for a second.'),
  port: about(leaf.name, 'Port that `http` asks.', 'the first http port'),
  interval: about(leaf.duration(100, HOUR), 'Time between two checks.', '2s'),
  timeout: about(leaf.duration(50, 10 * MINUTE), 'How long one check may take.', '1s'),
  retries: about(z.int().min(1).max(100), 'Failed checks in a row until it counts as unwell.', 3),
  start_period: about(leaf.duration(0, HOUR), 'How long it may take until it is first well.', '30s'),
})

const secret = z.union([
  leaf.name,
  z.strictObject({
    name: leaf.name.meta({ description: 'Name of the secret, as in `weir secrets set`.' }),
    environment: about(leaf.variableName, 'Variable that also holds the value. Without it: only the file `$SECRETS_DIR/NAME`.'),
  }),
])

const limits = z.strictObject({
  cpu: about(leaf.cores, 'CPUs it may use.', 1),
  memory: about(leaf.bytes(16 * 2 ** 20), 'Memory it may use; over it, it is killed and restarted.', '512MiB'),
})

const stop = z.strictObject({
  signal: about(z.enum(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGKILL']), 'Signal that asks it to end.', 'SIGTERM'),
  grace: about(leaf.duration(0, HOUR), 'Time until it is killed.', '10s'),
})

const slo = z.strictObject({
  latency_p50: about(leaf.duration(1, HOUR), 'Half of the requests are answered within this.'),
  latency_p95: about(leaf.duration(1, HOUR), '95 of 100 requests are answered within this.'),
  latency_p99: about(leaf.duration(1, HOUR), '99 of 100 requests are answered within this.'),
  availability: about(leaf.percent, 'Share of requests that do not fail.'),
  throughput: about(leaf.rate, 'Requests it must be able to serve.'),
})

const probe = z.strictObject({
  http: leaf.requestPath.meta({ description: 'Path that is asked by GET, through the route or port by which users come.' }),
  expect: about(z.int().min(100).max(599), 'Status that it must be answered with.', 200),
  timeout: about(leaf.duration(50, MINUTE), 'How long the whole answer may take.', '5s'),
  every: about(leaf.duration(10 * SECOND, HOUR), 'Time between two requests.', '1m'),
})

const replicas = z.int().min(0).max(1000)
const scale = z.strictObject({
  min: about(replicas, 'Replicas at least.', 1),
  max: about(replicas, 'Replicas at most.', 'min, or 10 if that is more'),
  idle: about(leaf.duration(MINUTE, 30 * 24 * HOUR), 'Not yet supported: to zero after this long without requests.'),
})

const step = z.union([
  leaf.percent,
  z.strictObject({
    weight: leaf.percent.meta({ description: 'Share of traffic.' }),
    approve: about(
      z.boolean(),
      'Proof is not enough to leave the step: a person has to agree (`weir canary resume`).',
      'true with `analysis: off`, else false',
    ),
    at_least: about(leaf.duration(0, 30 * DAY), 'Proof does not end the step before.', '0s'),
    at_most: about(leaf.duration(SECOND, 30 * DAY), 'Without a verdict by then, `on_inconclusive` says what happens.', '1h'),
  }),
])

const split = z.strictObject({
  by: about(
    z.enum(['request', 'client']),
    'Each request, or each client, is assigned once.',
    'client if most answers at the entry were pages (text/html), else request',
  ),
  header: about(leaf.headerName, 'Equal values of this header stay together.'),
  cookie: about(leaf.cookieName, 'Equal values of this cookie stay together.'),
})

export const INDICATORS = ['errors', 'latency', 'rejected', 'signatures', 'throughput', 'restarts', 'memory', 'cpu'] as const
const indicator = z.enum(INDICATORS)

const customIndicator = z.strictObject({
  name: leaf.name.meta({ description: 'What it is called in verdicts.' }),
  promql: about(
    z.strictObject({
      url: leaf.address.meta({ description: 'Address of Prometheus.' }),
      query: leaf.text.meta({ description: 'Query that answers with one figure.' }),
    }),
    'Asked of Prometheus.',
  ),
  http_json: about(
    z.strictObject({
      url: leaf.address.meta({ description: 'Address that answers with JSON.' }),
      path: leaf.text.meta({ description: 'Where the figure stands in it: `data.rate`.' }),
    }),
    'Asked by GET.',
  ),
  sql: about(
    z.strictObject({
      resource: leaf.name.meta({ description: 'A resource of type postgres.' }),
      query: leaf.text.meta({ description: 'Query that returns one figure.' }),
    }),
    'Asked of a database of the app.',
  ),
  max: about(z.number(), 'The canary fails above this.'),
  min: about(z.number(), 'The canary fails below this.'),
  dry_run: about(z.boolean(), 'Shown, decides nothing.', false),
})

const analysis = z.strictObject({
  false_alarm: about(leaf.share(0.0001, 0.2), 'Chance that a release without a fault is taken back, over all tests and looks.', '1%'),
  margins: about(
    z.strictObject({
      errors: about(leaf.share(0, 0.5), 'Further failed requests that are put up with, as a share of requests.', '0.2%'),
      latency: about(leaf.share(0, 1), 'How much slower is put up with.', '10%'),
    }),
    'What counts as worse.',
  ),
  routes: about(z.union([z.literal('auto'), z.array(leaf.routePath).min(1).max(50)]), 'Routes that get tests of their own.', 'auto: those that have traffic'),
  compare: about(
    z.array(indicator).min(1),
    'Indicators that decide.',
    INDICATORS.filter((it) => it !== 'rejected'),
  ),
  dry_run: about(z.array(indicator), 'Indicators that are shown and decide nothing.', ['rejected']),
  custom: about(z.array(customIndicator).max(20), 'Indicators of your own, read every few seconds.'),
})

const shadow = z.strictObject({
  share: about(leaf.share(0.0001, 1), 'Share of the requests that are copied.', '10%'),
  methods: about(
    z.array(z.enum(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'])).min(1),
    'What is copied. Naming a method that changes something allows it to happen twice.',
    ['GET', 'HEAD', 'OPTIONS'],
  ),
  diff: about(z.boolean(), 'Compares bodies too.', false),
  at_most: about(leaf.duration(MINUTE, 30 * DAY), 'Copies end then, with or without a verdict.', '30m'),
  then: about(z.enum(['canary', 'promote', 'stop']), 'What proof leads to: a canary, all requests, or a person.', 'stop'),
})

const checks = z.strictObject({
  before: about(
    z.union([z.enum(['auto', 'off']), z.array(leaf.name)]),
    'Probes that the new replicas must answer before the switch.',
    'auto: all that the service has',
  ),
  after: about(
    z.union([
      z.literal('off'),
      z.strictObject({
        for: about(leaf.duration(SECOND, DAY), 'How long the old release stays whole after the switch.', '2m'),
        errors: about(leaf.share(0, 1), 'It takes over again when more than this share of requests fails.', '5%'),
      }),
    ]),
    'What is watched after the switch.',
  ),
})

const onInconclusive = z.union([
  z.enum(['hold', 'widen', 'rollback']),
  z.strictObject({
    'promote-after': leaf.duration(MINUTE, 30 * DAY).meta({ description: 'Without an alarm so long after its first request it counts as proven.' }),
  }),
])

const release = z.strictObject({
  strategy: about(
    z.enum(['rolling', 'recreate', 'canary', 'blue-green', 'shadow']),
    'How a new release takes over.',
    'rolling; recreate for a service with a volume',
  ),
  steps: about(z.array(step).min(1).max(50), 'Traffic shares of a canary, rising.', ['5%', '25%', '50%']),
  analysis: about(
    z.union([z.literal('off'), analysis]),
    'How a canary or a shadow is judged. `off`: each step waits for a person.',
    'on, as the defaults below say',
  ),
  on_inconclusive: about(
    onInconclusive,
    'What happens when a step of a canary has no verdict by `at_most`. `hold`: it stays and says so; `widen`: the next step; `rollback`: back.',
    'hold',
  ),
  shadow: about(shadow, 'What a shadow gets to see.'),
  checks: about(checks, 'What a blue-green release has to stand.'),
  split: about(split, 'What a canary’s share is counted in.'),
  keep: about(leaf.duration(0, 24 * HOUR), 'How long the previous release stays warm after a promotion.', '5m'),
})

const preStart = z.strictObject({
  name: about(leaf.name, 'What it is called in the plan.', 'pre-start-1, pre-start-2, …'),
  command: leaf.command.meta({ description: 'Runs in the new artifact, once per release, before it takes traffic.' }),
  compatible: about(z.boolean(), 'The running release can live with what the command leaves behind.', false),
  timeout: about(leaf.duration(SECOND, 24 * HOUR), 'How long it may take.', '10m'),
})

const mount = z.strictObject({
  resource: leaf.name.meta({ description: 'A resource of type `volume`.' }),
  path: leaf.mountPath.meta({
    description: 'Where a container would find it. A process finds its folder by `<NAME>_PATH` and `${resources.NAME.path}`; nothing is mounted for it.',
  }),
})

const variables = z.record(leaf.anyVariable, leaf.variableValue)

const telemetry = z.enum(['auto', 'environment', 'off'])

const serviceSchema = z
  .strictObject({
    build: about(
      build,
      'What it is built from: a folder, or `{context, command, output}`. Detected there: package.json, requirements.txt, pyproject.toml, index.html, Procfile.',
    ),
    image: about(z.string(), 'Refused where no containers run.'),
    command: about(
      leaf.command,
      'Program and arguments, or one line that is split at blanks; never a shell. `$NAME` and `${NAME:-default}` are expanded at the start, `$$` is a `$`.',
      'what the build detected',
    ),
    routes: about(z.array(route).max(100), 'Where requests from outside come in.'),
    ports: about(
      z.record(leaf.anyName, port),
      'Ports it listens on, by name. The process is told the first as `PORT`, each as `PORT_<NAME>`.',
      '{ http: 8080 } if there are routes or an http check',
    ),
    depends_on: about(z.union([z.array(leaf.name), z.record(leaf.anyName, dependency)]), 'Services and resources that must be there first.'),
    healthcheck: about(healthcheck, 'How to know that it is well: one of `http`, `tcp`, `test`, `disable`.', 'the first port accepts connections'),
    environment: about(
      variables,
      'Variables. `${services.NAME.url}` (`.host`, `.port`, `.ports.PORT.url`) and `${resources.NAME.url}` are filled in, `$NAME` as in commands.',
    ),
    secrets: about(z.array(secret), 'Secrets it may read.'),
    resources: about(limits, 'What a replica may use.'),
    stop: about(stop, 'How it is stopped.'),
    volumes: about(z.array(mount), 'Volumes it keeps files in.'),
    slo: about(slo, 'Quality goals.'),
    probes: about(z.record(leaf.anyName, probe), 'Requests that Weir makes to see whether users are served, by name.'),
    scale: about(scale, 'How many replicas. `min` run until the autoscaler is there.'),
    scaler: about(z.enum(['auto', 'manual', 'external']), 'Who changes the number of replicas.', 'auto'),
    telemetry: about(
      telemetry,
      'What its replicas are told about telemetry: `environment` where it goes (`OTEL_…`), `auto` also instruments Node services, `off` nothing.',
      'what the app says',
    ),
    pre_start: about(z.array(preStart), 'Commands before the start, such as migrations.'),
    release: about(release, 'How a new release takes over.'),
  })
  .meta({ id: 'service' })

const resourceSchema = z
  .strictObject({
    type: z.enum(['postgres', 'redis', 'volume', 'external']).meta({ description: 'redis and external: not yet supported.' }),
    version: about(z.int(), 'Major version of PostgreSQL; 18 is the one that Weir brings.', 18),
    volume: about(leaf.bytes(2 ** 20), 'Space the database is meant to have. Not enforced on one machine.'),
    size: about(leaf.bytes(2 ** 20), 'Space a volume is meant to have. Not enforced on one machine.'),
  })
  .meta({ id: 'resource' })

const jobSchema = z
  .strictObject({
    schedule: leaf.schedule.meta({ description: 'Five fields: minute hour day month weekday, in UTC.' }),
    service: leaf.name.meta({ description: 'Service whose artifact and environment it runs with.' }),
    command: leaf.command.meta({ description: 'What it runs.' }),
    timeout: about(leaf.duration(SECOND, 7 * 24 * HOUR), 'How long it may take.', '1h'),
  })
  .meta({ id: 'job' })

const parts = {
  services: about(z.record(leaf.anyName, serviceSchema), 'The processes of the app, by name.'),
  resources: about(z.record(leaf.anyName, resourceSchema), 'Databases and volumes, by name.'),
  jobs: about(z.record(leaf.anyName, jobSchema), 'Commands by schedule, by name.'),
  telemetry: about(telemetry, 'Telemetry of the services that do not say it themselves.', 'auto'),
}

const environment = z.strictObject({
  from: about(leaf.name, 'Environment whose overlay comes first.'),
  approve: about(z.array(z.string()), 'Not yet supported: who must approve a release.'),
  ...parts,
})

export const manifestSchema = z.strictObject({
  version: z.literal(1).meta({ description: 'Version of this format.' }),
  app: about(leaf.name, 'Name of the app.', 'the folder’s name'),
  ...parts,
  environments: about(z.record(leaf.anyName, environment), 'Overlays by environment: the same keys, merged over the rest.'),
  kubernetes: about(z.array(z.string()), 'Not yet supported: manifests applied as they are.'),
})

export type ManifestDocument = z.output<typeof manifestSchema>
export type ServiceDocument = z.output<typeof serviceSchema>
