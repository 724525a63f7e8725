/**
 * The app graph: what every manifest format normalises to, and the only thing that API, planner and drivers read.
 * One environment's view: overlays are merged, units are numbers, defaults are filled in.
 * `${services.api.url}`, `${resources.db.url}` and the like stay unresolved; they are known only when a replica starts.
 */
export interface AppGraph {
  readonly app: string
  readonly format: 'weir' | 'compose' | 'procfile' | 'detected' | 'emp'
  readonly services: Readonly<Record<string, Service>>
  readonly resources: Readonly<Record<string, Resource>>
  readonly jobs: Readonly<Record<string, Job>>
  /** Where an app without any route is reached, on a port of its own; null when it has routes or nothing that listens. */
  readonly entry: { readonly service: string; readonly port: string } | null
}

export type Argv = readonly string[]

export interface Service {
  readonly name: string
  readonly artifact: ArtifactSource
  /** null: what the build detected (package.json `start`, Procfile `web`, …). */
  readonly command: Argv | null
  readonly ports: Readonly<Record<string, Port>>
  readonly routes: readonly Route[]
  /** Services and resources that must be there first. */
  readonly dependsOn: Readonly<Record<string, { readonly condition: 'started' | 'healthy' | 'completed' }>>
  /** Services it may call: each gets an edge. Those of `dependsOn` and those named in a `${services.X.…}` template. */
  readonly calls: readonly string[]
  /** Resources whose address is injected: those of `dependsOn` and those named in a `${resources.X.…}` template. */
  readonly uses: readonly string[]
  readonly healthcheck: Healthcheck
  readonly environment: Readonly<Record<string, string>>
  readonly secrets: readonly { readonly name: string; readonly environment: string | null }[]
  readonly limits: { readonly cpu: number; readonly memoryBytes: number }
  readonly stop: { readonly signal: StopSignal; readonly graceMs: number }
  readonly volumes: readonly { readonly resource: string; readonly path: string }[]
  readonly preStart: readonly PreStart[]
  readonly scale: { readonly min: number; readonly max: number }
  readonly scaler: 'auto' | 'manual' | 'external'
  /**
   * What a replica is told about telemetry. `environment`: where it goes (`OTEL_…`); `auto`: also, Node services are instrumented; `off`:
   * nothing. Not there in releases that were made before there was a choice: `auto`.
   */
  readonly telemetry?: 'auto' | 'environment' | 'off'
  readonly release: ReleasePolicy
  /** Requests that Weir makes of it, by name. Not there where none was declared. */
  readonly probes?: Readonly<Record<string, Probe>>
  /** Quality goals as declared, kept for later readers; latencies in milliseconds, availability 0…1, throughput in requests a second. */
  readonly objectives: Readonly<Partial<Record<'latencyP50' | 'latencyP95' | 'latencyP99' | 'availability' | 'throughput', number>>>
}

/** A request that comes from Weir again and again, the way that others come. */
export interface Probe {
  readonly path: string
  readonly expect: number
  readonly timeoutMs: number
  readonly everyMs: number
}

/** What a service is made from. `image` is refused where no containers run. */
export type ArtifactSource =
  | { readonly kind: 'build'; readonly context: string; readonly command: Argv | null; readonly output: string | null }
  | { readonly kind: 'image'; readonly reference: string }

export interface Port {
  /** The port inside a container; a process always gets its own number by `PORT` or `PORT_<NAME>`. */
  readonly number: number
  readonly protocol: 'http' | 'grpc' | 'tcp'
}

export interface Route {
  /** null: any host. Lower case. A leading `*.` matches one label. */
  readonly host: string | null
  /** A path prefix on segment borders, beginning with `/`. */
  readonly path: string
  /** A name of `ports`. */
  readonly port: string
}

export type Healthcheck = HealthProbe & {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  /** How long a replica may take until it is first healthy. */
  readonly startPeriodMs: number
}
/** `none`: ready when it has run for a second (workers without a port and without a check). */
export type HealthProbe =
  | { readonly kind: 'http'; readonly path: string; readonly port: string }
  | { readonly kind: 'tcp'; readonly port: string }
  | { readonly kind: 'command'; readonly argv: Argv }
  | { readonly kind: 'none' }

export type StopSignal = 'SIGTERM' | 'SIGINT' | 'SIGQUIT' | 'SIGHUP' | 'SIGUSR1' | 'SIGUSR2' | 'SIGKILL'

export interface PreStart {
  readonly name: string
  readonly command: Argv
  /** The running release can live with what this command leaves behind. */
  readonly compatible: boolean
  readonly timeoutMs: number
}

export interface ReleasePolicy {
  readonly strategy: Strategy
  /** Of a canary, and of a shadow that becomes one. */
  readonly steps: readonly CanaryStep[]
  /** null: chosen when the rollout starts and then frozen. */
  readonly split: Split | null
  readonly keepMs: number
  /** How a canary or a shadow is judged; null: `analysis: off`. Not there in releases that were made before Weir judged: as null. */
  readonly analysis?: AnalysisPolicy | null
  /** Not there: hold. */
  readonly onInconclusive?: OnInconclusive
  /** Of the strategy `shadow` only. */
  readonly shadow?: ShadowPolicy
  /** Of the strategy `blue-green` only. */
  readonly checks?: ReleaseChecks
}

/**
 * | strategy   | how a release takes over                                                       |
 * |------------|--------------------------------------------------------------------------------|
 * | rolling    | beside the old one, then all at once                                           |
 * | recreate   | the old one ends first                                                         |
 * | canary     | by a share that grows, compared with the old one                               |
 * | blue-green | beside the old one, checked, then all at once, watched, and back if it fails   |
 * | shadow     | with copies of requests first, whose answers are compared and thrown away      |
 */
export type Strategy = 'rolling' | 'recreate' | 'canary' | 'blue-green' | 'shadow'

/** A traffic share of the new release, 0…100. The other keys need a judge: without one every step waits for approval. */
export interface CanaryStep {
  readonly weight: number
  /** Proof does not end the step before. */
  readonly atLeastMs?: number
  /** Without a verdict by then, `onInconclusive` says what happens. */
  readonly atMostMs?: number
  /** Proof is not enough: a person has to agree. */
  readonly approve?: boolean
}

/** What happens when a step's time is over and there is no verdict. `widen`: the next step, after the last one hold. */
export type OnInconclusive =
  | { readonly kind: 'hold' | 'widen' | 'rollback' }
  /** As if it were proven, so long after the first request to it, unless a test failed. */
  | { readonly kind: 'promote-after'; readonly afterMs: number }

export interface ShadowPolicy {
  /** Share of the requests that are copied, 0…1. */
  readonly share: number
  /** Upper case. Others than GET, HEAD and OPTIONS are copied only because they are named here. */
  readonly methods: readonly string[]
  /** Bodies are compared too, not only status and latency. */
  readonly diff: boolean
  readonly atMostMs: number
  /** What follows proof. `stop`: no more copies, a person decides. */
  readonly then: 'canary' | 'promote' | 'stop'
}

export interface ReleaseChecks {
  /** Probes that the new replicas must answer before they get a request: all that are declared, or these. Empty: none. */
  readonly before: 'auto' | readonly string[]
  /** After the switch: so long the old release stays whole, and takes over again when more than this share of requests fails. */
  readonly after: { readonly forMs: number; readonly errors: number }
}

/** The `analysis` part of the manifest with everything filled in. Shares are fractions. The same shape as core/canary's, which knows none of ours. */
export interface AnalysisPolicy {
  readonly falseAlarm: number
  readonly margins: { readonly errors: number; readonly latency: number }
  readonly routes: 'auto' | readonly string[]
  readonly compare: readonly IndicatorName[]
  readonly dryRun: readonly IndicatorName[]
  readonly custom: readonly CustomIndicatorPolicy[]
}

export type IndicatorName = 'errors' | 'latency' | 'rejected' | 'signatures' | 'throughput' | 'restarts' | 'memory' | 'cpu'

export interface CustomIndicatorPolicy {
  readonly name: string
  readonly source:
    | { readonly kind: 'promql'; readonly url: string; readonly query: string }
    | { readonly kind: 'http-json'; readonly url: string; readonly path: string }
    | { readonly kind: 'sql'; readonly resource: string; readonly query: string }
  readonly max: number | null
  readonly min: number | null
  readonly dryRun: boolean
}

export type Split =
  | { readonly by: 'request' }
  | { readonly by: 'client' }
  | { readonly by: 'header'; readonly name: string }
  | { readonly by: 'cookie'; readonly name: string }

export type Resource = { readonly kind: 'postgres'; readonly name: string; readonly version: number } | { readonly kind: 'volume'; readonly name: string }

export interface Job {
  readonly name: string
  readonly service: string
  /** Five-field cron text, in UTC. */
  readonly schedule: string
  readonly command: Argv
  readonly timeoutMs: number
}

/**
 * A worker takes no requests: nothing routes to it, it is no app's entry, nobody calls it.
 * It is never kept warm beside its successor, because both would take work off the same queue.
 */
export function isWorker(graph: AppGraph, service: string): boolean {
  const it = graph.services[service]
  if (!it) return false
  if (it.routes.length > 0 || graph.entry?.service === service) return false
  return !Object.values(graph.services).some((caller) => caller.calls.includes(service)) || Object.keys(it.ports).length === 0
}
