import type { Look, StoredEvidence, TrialSummary } from '../controllers/journal.ts'
import type { Verdict } from '../core/canary/verdict.ts'
import type { AppGraph } from '../core/model/app-graph.ts'
import type { Artifact, Configuration, SourceRef } from '../core/model/release.ts'
import type { Topic } from '../core/notify/topics.ts'
import type { Counts } from '../core/objectives/indicators.ts'
import type { Objectives } from '../core/objectives/status.ts'
import type { Because, EnvironmentState } from '../core/rollout/state.ts'
import type { Role, TenantVerb } from '../identity/principal.ts'
import type { Reach } from '../reach.ts'

/**
 * The wide face of the store: lists, details and history for people. PostgreSQL only, never read by controllers.
 * Whatever belongs to a tenant is asked for with the tenant: another tenant's thing is simply not found (null, or an empty list).
 * Times (`at`, `…At`) are ISO 8601, for display; order is by number or sequence.
 */
export interface Queries {
  apps(tenant: string, page: PageRequest): Promise<Page<AppSummary>>
  /** Environments of an app by name; null: no such app. */
  environments(tenant: string, app: string): Promise<readonly EnvironmentSummary[] | null>
  environment(ref: EnvironmentRef): Promise<EnvironmentDetail | null>
  /** All of the installation, for those parts that are told names and need ids. */
  everyEnvironment(): Promise<readonly (EnvironmentRef & { readonly id: string })[]>

  /** Newest first. */
  releases(ref: EnvironmentRef, page: PageRequest): Promise<Page<ReleaseSummary>>
  release(ref: EnvironmentRef, number: number): Promise<ReleaseDetail | null>
  /** Newest first. */
  rollouts(ref: EnvironmentRef, page: PageRequest): Promise<Page<RolloutDetail>>
  rollout(ref: EnvironmentRef, id: string): Promise<RolloutDetail | null>
  /** The newest look at a rollout that is or was judged; null: there is none. */
  look(ref: EnvironmentRef, rollout: string): Promise<Look | null>
  /** Stored evidence of a rollout after a cursor, a piece of it; an empty one: that was all. */
  evidence(ref: EnvironmentRef, rollout: string, after: number): Promise<readonly StoredEvidence[]>
  /** Promoted releases judged against themselves, newest first. */
  trials(ref: EnvironmentRef, page: PageRequest): Promise<Page<TrialDetail>>
  /** Effects and how they ended, newest first. */
  operations(ref: EnvironmentRef, page: PageRequest): Promise<Page<OperationDetail>>
  /** What became of a command; null: no such command in this environment. */
  command(ref: EnvironmentRef, id: number): Promise<CommandDetail | null>

  /** Newest first. */
  newestEvents(filter: EventFilter, page: PageRequest): Promise<Page<StoredEvent>>
  /** Oldest first, after a sequence number. `environment: null` of the filter: the whole app; `app: null`: the whole tenant. */
  events(filter: EventFilter, after: number, limit: number): Promise<readonly StoredEvent[]>
  /** Sequence number of the newest event of the installation, 0 without one: where a stream that wants only what is new begins. */
  lastEvent(): Promise<number>
  /** Newest first. `tenant: null`: what concerns the installation itself. */
  audit(tenant: string | null, page: PageRequest): Promise<Page<AuditEntry>>

  /** What the next release would take: staged variables, and the secrets' names and versions. Never values of secrets. */
  configuration(ref: EnvironmentRef): Promise<StagedConfiguration | null>
  follows(ref: EnvironmentRef): Promise<readonly FollowDetail[]>
  credentials(tenant: string, page: PageRequest): Promise<Page<CredentialDetail>>
  /** Whom people outside are told by, without what is sealed. Newest first. */
  notifyTargets(tenant: string, page: PageRequest): Promise<Page<NotifyTargetDetail>>
  notifyTarget(tenant: string, id: number): Promise<NotifyTargetDetail | null>
  /** What was said to a target, and what waits or was given up. Newest first. */
  deliveries(tenant: string, target: number, page: PageRequest): Promise<Page<DeliveryDetail>>
  /** How far addresses of targets may reach in this installation. */
  notifyReach(): Promise<Reach>
  /** Requests since, by service, release and track: from the gateway's counters. */
  traffic(ref: EnvironmentRef, sinceMs: number): Promise<readonly TrafficRow[]>
  /** Requests to services in one or several times that end now, the busiest first: from the gateway's counters, all hops of a service together. */
  indicators(ref: EnvironmentRef, request: IndicatorsRequest): Promise<readonly IndicatorRow[]>
  /** Requests that Weir made by itself in a time that ends now, by probe. */
  probes(ref: EnvironmentRef, windowMs: number): Promise<readonly ProbeRow[]>
  /** What replicas took of the machine in a time that ends now, of a day at most. */
  usage(ref: EnvironmentRef, request: UsageRequest): Promise<readonly UsageSummary[]>

  tokens(tenant: string, page: PageRequest): Promise<Page<TokenDetail>>
  members(tenant: string, page: PageRequest): Promise<Page<MemberDetail>>
  accounts(page: PageRequest): Promise<Page<AccountDetail>>
  tenants(page: PageRequest): Promise<Page<TenantDetail>>
  registrationOpen(): Promise<boolean>

  /** For /readyz and `doctor`. Throws `E_UNAVAILABLE` when the database does not answer. */
  health(): Promise<{ readonly schema: number; readonly epoch: number; readonly holder: string | null }>
}

export interface EnvironmentRef {
  readonly tenant: string
  readonly app: string
  readonly environment: string
}

export interface PageRequest {
  /** 1…200; more is cut to 200. */
  readonly limit: number
  /** From the page before; null: from the start. A cursor that Weir did not make is `E_USAGE`. */
  readonly cursor: string | null
}
export interface Page<T> {
  readonly items: readonly T[]
  /** null: nothing follows. */
  readonly cursor: string | null
}

export interface AppSummary {
  readonly app: string
  readonly createdAt: string
  readonly environments: readonly EnvironmentSummary[]
}

/** From columns kept beside the state document, so that lists never load it. */
export interface EnvironmentSummary {
  readonly id: string
  readonly environment: string
  /** Release that serves. */
  readonly current: number | null
  readonly newest: { readonly number: number; readonly status: ReleaseSummary['status'] } | null
  readonly rollout: { readonly id: string; readonly target: number; readonly phase: string; readonly weight: number } | null
  readonly status: 'new' | 'running' | 'rolling' | 'stopped' | 'failing' | 'removing'
  readonly services: number
  readonly replicas: number
  readonly port: number
  readonly routes: readonly { readonly host: string | null; readonly path: string }[]
  readonly updatedAt: string
}

export interface EnvironmentDetail extends EnvironmentSummary {
  readonly tenant: string
  readonly app: string
  readonly appNumber: number
  readonly createdAt: string
  /** The whole document that its controller works with. */
  readonly state: EnvironmentState
  /** Graph of the release that serves. */
  readonly graph: AppGraph | null
  /** service → release that started its replicas, of the release that serves. */
  readonly origins: Readonly<Record<string, number>> | null
  readonly pendingCommands: number
  /** Why nothing goes on; null: it does. */
  readonly trouble: Because | null
  /** Releases that are not built yet, and why they are not. */
  readonly unbuilt: readonly { readonly number: number; readonly because: Because }[]
  /** Set by hand, by service; they win over the manifest's. */
  readonly objectives: Readonly<Record<string, Objectives>>
  /** Grows with every change: an ETag. */
  readonly revision: number
}

export interface ReleaseSummary {
  readonly number: number
  readonly status: 'queued' | 'building' | 'ready' | 'failed'
  readonly source: SourceRef
  readonly commit: { readonly commit: string; readonly ref: string | null; readonly subject: string; readonly author: string } | null
  readonly by: string
  readonly followed: boolean
  readonly createdAt: string
  readonly readyAt: string | null
  readonly promotedAt: string | null
  readonly because: Because | null
}
export interface ReleaseDetail extends ReleaseSummary {
  readonly graph: AppGraph | null
  readonly artifacts: Readonly<Record<string, Artifact>>
  readonly fingerprints: Readonly<Record<string, string>>
  readonly configuration: Configuration
  readonly origins: Readonly<Record<string, number>> | null
  readonly notes: readonly string[]
  readonly manifest: { readonly file: string; readonly text: string } | null
}

export interface RolloutDetail {
  readonly id: string
  readonly kind: 'deploy' | 'rollback'
  readonly target: number
  readonly base: number | null
  readonly by: string
  readonly strategy: string
  readonly phase: string
  readonly weight: number
  readonly outcome: 'promoted' | 'failed' | 'aborted' | 'superseded' | null
  readonly because: Because | null
  /** Of the newest look, without its tests. */
  readonly verdict: Omit<Verdict, 'tests'> | null
  readonly startedAt: string
  readonly endedAt: string | null
}

export interface TrialDetail extends Omit<TrialSummary, 'ended'> {
  readonly startedAt: string
  readonly endedAt: string | null
}

export interface OperationDetail {
  readonly id: string
  readonly kind: string
  readonly target: string
  readonly outcome: 'intended' | 'done' | 'failed'
  readonly cause: string | null
  readonly intendedAt: string
  readonly endedAt: string | null
}

export interface CommandDetail {
  readonly id: number
  readonly kind: string
  readonly by: string
  readonly outcome: 'pending' | 'consumed' | 'refused'
  readonly because: Because | null
  /** The rollout that it started or changed. */
  readonly rollout: string | null
  readonly at: string
}

export interface EventFilter {
  readonly tenant: string
  readonly app: string | null
  readonly environment: string | null
}
export interface StoredEvent {
  /** Grows over the whole installation: the `id` of SSE. */
  readonly seq: number
  readonly at: string
  readonly tenant: string
  readonly app: string
  readonly environment: string
  readonly kind: string
  readonly text: string
  readonly service: string | null
  readonly release: number | null
  readonly data: Readonly<Record<string, unknown>>
}

export interface AuditEntry {
  readonly seq: number
  readonly at: string
  readonly tenant: string | null
  readonly by: string
  /** `release.create`, `secret.set`, … */
  readonly action: string
  /** `shop/production v4` */
  readonly target: string
  /** What else a reader needs; never a secret's value. */
  readonly detail: Readonly<Record<string, unknown>>
}

export interface StagedConfiguration {
  /** service (`*`: all) → name → value: what the next release takes. */
  readonly environment: Configuration['environment']
  readonly secrets: readonly { readonly name: string; readonly version: number; readonly by: string; readonly at: string }[]
  /** What the serving release was made with; where they differ, something is staged. */
  readonly current: Configuration | null
}
export interface FollowDetail {
  readonly id: number
  readonly url: string
  readonly ref: string
  readonly path: string
  readonly lastCommit: string | null
  readonly problem: string | null
  readonly checkedAt: string | null
}
export interface CredentialDetail {
  readonly kind: 'token' | 'deploy-key' | 'known-hosts'
  readonly urlPrefix: string
  readonly by: string
  readonly at: string
}
export interface NotifyTargetDetail {
  readonly id: number
  readonly app: string | null
  readonly environment: string | null
  readonly kind: 'webhook' | 'slack' | 'email'
  /** What of its address people see again. */
  readonly place: string
  readonly topics: readonly Topic[]
  readonly by: string
  readonly at: string
  readonly waiting: number
  /** Given up, and still remembered. */
  readonly dead: number
  /** Why the oldest that waits was not taken; null: it was not tried yet, or nothing waits. */
  readonly problem: string | null
  readonly deliveredAt: string | null
}
export interface DeliveryDetail {
  readonly id: string
  readonly topic: Topic | 'test'
  readonly title: string
  readonly outcome: 'waiting' | 'delivered' | 'dead'
  readonly tries: number
  /** Of the last try that failed. */
  readonly cause: string | null
  readonly at: string
  readonly nextAt: string | null
  readonly endedAt: string | null
}
export interface TrafficRow {
  readonly service: string
  readonly origin: number
  readonly track: 'stable' | 'canary' | 'unknown'
  readonly hop: string
  readonly requests: number
  readonly errors: number
  readonly rejected4xx: number
  readonly aborted: number
  /** Sparse sketch, merged over the blocks; see core/model/latency-sketch.ts. */
  readonly latency: readonly number[]
}

export interface TokenDetail {
  readonly id: number
  readonly label: string
  readonly account: string | null
  readonly environment: string | null
  /** null: all that the account may do. */
  readonly verbs: readonly TenantVerb[] | null
  readonly createdAt: string
  readonly expiresAt: string
  readonly revokedAt: string | null
}
export interface MemberDetail {
  readonly account: string
  readonly role: Role
}
export interface AccountDetail {
  readonly name: string
  readonly admin: boolean
  readonly createdAt: string
  readonly tenants: readonly { readonly tenant: string; readonly role: Role }[]
}
export interface TenantDetail {
  readonly name: string
  readonly createdAt: string
  readonly apps: number
}

export interface IndicatorsRequest {
  readonly windowsMs: readonly number[]
  /** What besides the service has a row of its own. */
  readonly by: 'service' | 'release' | 'route'
  readonly limit: number
}

export interface IndicatorRow {
  readonly service: string
  /** null: all of them. */
  readonly route: string | null
  readonly release: number | null
  /** In the order they were asked for. */
  readonly windows: readonly Counts[]
}

export interface UsageRequest {
  readonly windowMs: number
  readonly by: 'service' | 'release'
}

/** Means over the replicas and the time. */
export interface UsageSummary {
  readonly service: string
  /** null: all of them. */
  readonly release: number | null
  readonly replicas: number
  /** Processor seconds a second and replica; null: not watched for long enough. */
  readonly cpu: number | null
  readonly memoryBytes: number
  readonly memoryPeakBytes: number
}

export interface ProbeRow {
  readonly service: string
  readonly probe: string
  readonly counts: Counts
  readonly last: { readonly ok: boolean; readonly durationMs: number }
}
