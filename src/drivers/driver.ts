import type { Argv, Healthcheck, StopSignal } from '../core/model/app-graph.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { ObservedReplica, ObservedResource, ObservedTask } from '../core/model/replica.ts'

/**
 * What runs replicas. Every effect is *create-or-adopt by id* and returns once it is durably accepted, never when it is finished:
 * progress is observed. Every effect carries the caller's epoch and is refused with `E_STALE_EPOCH` when a higher one was seen.
 * `contract.ts` holds the suite that every driver passes.
 */
export interface Driver {
  /** Starts the replica unless one with this id exists. A changed spec under the same id is ignored: ids are never reused. */
  startReplica(spec: ReplicaSpec, epoch: Epoch): Promise<void>
  /** Signals, waits for the grace in the background, then kills the whole tree and forgets the id. Unknown ids are fine. */
  stopReplica(id: string, epoch: Epoch): Promise<void>
  /** Runs once, at most once ever per id; a crash that hides the outcome shows as phase `unknown`. */
  startTask(spec: TaskSpec, epoch: Epoch): Promise<void>
  /** Kills a running task and forgets it with its outcome. */
  forgetTask(id: string, epoch: Epoch): Promise<void>
  ensureResource(spec: ResourceSpec, epoch: Epoch): Promise<void>
  /** `withData: false` keeps what is stored and only takes the access away. */
  removeResource(environment: string, name: string, withData: boolean, epoch: Epoch): Promise<void>
  /** Everything of one environment that exists, in any phase. */
  observe(environment: string): Promise<ObservedEnvironment>
  /** One request to a port of a replica, past the gateway; `ok`: the status was the one expected. An id that is not there is not ok. */
  ask(id: string, request: ReplicaRequest): Promise<{ readonly ok: boolean; readonly cause: string | null }>
  /** Environments of which anything exists: to find what nobody wants any more. */
  environments(): Promise<readonly string[]>
  /** Called with an environment's id when something of it changed: a hint to look again, may be lost. Returns the way to stop. */
  watch(changed: (environment: string) => void): () => void
  /** Takes over from lower epochs: from now on they are refused. */
  fence(epoch: Epoch): Promise<void>
}

export interface ReplicaRequest {
  /** Name of the port. */
  readonly port: string
  readonly path: string
  readonly expect: number
  readonly timeoutMs: number
}

export interface ObservedEnvironment {
  readonly replicas: readonly ObservedReplica[]
  readonly tasks: readonly ObservedTask[]
  readonly resources: readonly ObservedResource[]
}

/** Who a process is on this machine: one account an app, so that the kernel keeps tenants apart. */
export interface Account {
  /** Stable number of the app, 1…; the driver derives uid and loopback address from it. */
  readonly app: number
}

export interface ProcessSpec {
  readonly id: string
  readonly environment: string
  readonly service: string
  /** The release that it is of. */
  readonly origin: number
  readonly account: Account
  /** Slug digest `sha256:…`; the process starts in its unpacked folder. */
  readonly slug: string
  /** Folder name under `runtimes/` to put first on PATH, or null. */
  readonly runtime: string | null
  readonly argv: Argv
  /** Complete but for what only the driver knows (PORT, HOST, PATH, HOME, TMPDIR, secrets, resource addresses). */
  readonly environmentVariables: Readonly<Record<string, string>>
  /** Sealed in the store; opened on the way, handed over by file, never by argv or log. name → where it appears. */
  readonly secrets: readonly SecretMount[]
  /** Resources whose address is injected and may stand in a value as `${resources.NAME.url}`, `.host`, `.port`, `.user`, `.password`, `.database`, `.path`. */
  readonly uses: readonly string[]
  readonly limits: { readonly cpu: number; readonly memoryBytes: number }
  /** How it is told where its telemetry goes; null: not at all. Where that is and its key only the driver knows. */
  readonly telemetry: ProcessTelemetry | null
}
export interface SecretMount {
  readonly name: string
  readonly version: number
  /** Name of the environment variable that also holds the value; null: only the file `$SECRETS_DIR/NAME`. */
  readonly environment: string | null
}

export interface ReplicaSpec extends ProcessSpec {
  /** Port names to give numbers to; the first is `PORT`, all are `PORT_<NAME>`. */
  readonly ports: readonly string[]
  readonly healthcheck: Healthcheck
  readonly stop: { readonly signal: StopSignal; readonly graceMs: number }
  readonly volumes: readonly { readonly resource: string; readonly path: string }[]
}

export interface ProcessTelemetry {
  readonly app: string
  /** The environment's name. */
  readonly environment: string
  /** Node services are instrumented without their doing. */
  readonly instrument: boolean
}

export interface TaskSpec extends ProcessSpec {
  readonly timeoutMs: number
}

export type ResourceSpec = {
  readonly environment: string
  readonly name: string
  readonly account: Account
} & ({ readonly kind: 'postgres'; readonly version: number } | { readonly kind: 'volume' })
