import type { ObservedBuild } from '../build/builder.ts'
import type { SourceRef } from '../core/model/release.ts'
import type { ObservedReplica, ObservedResource, ReplicaUsage } from '../core/model/replica.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { Exec } from '../drivers/exec.ts'
import type { Logs } from '../drivers/logs.ts'
import type { Principal } from '../identity/principal.ts'
import type { EnvironmentRef, Queries } from '../store/queries.ts'
import type { StoredTrace, TelemetryQueries } from '../store/telemetry-queries.ts'
import type { NewRelease, Writes } from '../store/writes.ts'
import type { Telemetry, TraceView } from '../telemetry/telemetry.ts'

/** Everything that the API needs of the rest; `server.ts` joins them. The API itself decides nothing. */
export interface ApiPorts {
  readonly queries: Queries
  readonly writes: Writes
  readonly identity: Identity
  readonly live: Live
  readonly planner: Planner
  readonly builds: Builds
  readonly logs: Logs
  readonly telemetry: Telemetry
  /** What was kept of it, without the newest seconds. */
  readonly kept: TelemetryQueries & { viewOf(trace: StoredTrace): Promise<TraceView | null> }
  /** Makes the newest verdict on a rollout again from the stored blocks. */
  readonly replay: (ref: EnvironmentRef, rollout: string) => Promise<Replayed | null>
  readonly exec: Exec
  readonly uploads: { receive(tenant: string, tar: AsyncIterable<Uint8Array>): Promise<{ readonly digest: string; readonly files: number }> }
  /** Throws for an address or a name of a branch that can never be fetched; asks nobody. */
  readonly checkGitSource: (source: { readonly url: string; readonly ref: string | null; readonly commit: string | null }) => void
  /** Called when an event may have been stored: a hint. Returns the way to stop. */
  readonly eventsChanged: (changed: () => void) => () => void
  /** Runner and gateway, as far as they do not answer now; takes a second at most. */
  readonly silentParts: () => Promise<readonly { readonly part: string; readonly cause: string }[]>
  /** What failed inside Weir, for its own log. Never shown to the asker. */
  readonly failed: (requestId: string, error: unknown) => void
  /** Milliseconds since 1970, for records and displays. */
  readonly now: () => number
  /** `bytes` random bytes as lower-case hex. */
  readonly random: (bytes: number) => string
}

export interface Replayed {
  /** Stored blocks that went into it. */
  readonly blocks: number
  /** The very same verdict. */
  readonly same: boolean
  /** Why it could not be made again; null: it could. */
  readonly problem: string | null
}

export interface Identity {
  /** null: unknown, revoked or expired. */
  authenticate(secret: string): Promise<Principal | null>
  /** Takes as long for an unknown name as for a wrong password. */
  verifyPassword(name: string, password: string): Promise<boolean>
  hashPassword(password: string): Promise<string>
  mintToken(): { readonly secret: string; readonly hash: Uint8Array }
}

/** What really runs, from driver and gateway. */
export interface Live {
  observe(environment: string): Promise<{
    readonly replicas: readonly ObservedReplica[]
    readonly resources: readonly ObservedResource[]
    readonly refused: readonly { readonly listener: string; readonly cause: string }[]
  }>
  /** What its replicas take of the machine; of those that run. */
  usage(environment: string): Promise<readonly ReplicaUsage[]>
}

export interface Planner {
  /** Which app the source says that it is; fetches it, changes nothing. */
  appOf(tenant: string, source: Extract<SourceRef, { kind: 'git' }>, otherwise: string): Promise<string>
  /** What a deploy would do; fetches the source, changes nothing. `notes`: fields without effect, builds that would be needed. */
  plan(ref: EnvironmentRef, request: NewRelease): Promise<Plan & { readonly notes: readonly string[] }>
  /** Builds twice from nothing. `service: null`: all. */
  verify(
    ref: EnvironmentRef,
    request: Omit<NewRelease, 'whenBusy'>,
    service: string | null,
  ): Promise<readonly { readonly service: string; readonly differs: readonly string[] }[]>
}

export interface Builds {
  /** Builds of a release's services, as far as anything is known of them. */
  observe(ref: EnvironmentRef, release: number): Promise<Readonly<Record<string, ObservedBuild>>>
  /**
   * Build logs of the release's services (null: all) from the given byte offsets on, as they come, until all builds have ended.
   * `offset` is where the text ends: the place to go on from.
   */
  log(
    ref: EnvironmentRef,
    release: number,
    request: { readonly service: string | null; readonly from: Readonly<Record<string, number>>; readonly signal: AbortSignal },
  ): AsyncIterable<{
    readonly service: string
    readonly offset: number
    readonly text: string
  }>
}
