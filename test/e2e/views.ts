/** What the tests read of `--json` answers; the whole of it stands in packages/client/src/schemas. */
export interface EnvironmentView {
  readonly app: string
  readonly status: string
  readonly release: number | null
  readonly warm: number | null
  readonly urls: readonly string[]
  readonly services: readonly ServiceView[]
  readonly replicas: readonly ReplicaView[]
  readonly rollout: RolloutView | null
  readonly waiting: readonly unknown[]
  readonly problems: readonly string[]
}
export interface ServiceView {
  readonly name: string
  readonly status: string
  readonly origin: number | null
  readonly wanted: number
  readonly ready: number
  readonly scaledBy: string
  readonly urls: readonly string[]
}
export interface ReplicaView {
  readonly id: string
  readonly service: string
  readonly origin: number
  readonly phase: string
  readonly ports: Readonly<Record<string, number>>
  readonly restarts: number
  readonly cause: string | null
  readonly retired: boolean
}
export interface RolloutView {
  readonly id: string
  readonly target: number
  readonly phase: string
  readonly weight: number
  readonly paused: boolean
  readonly outcome: string | null
}
export interface ReleaseView {
  readonly number: number
  readonly status: string
  readonly serving: boolean
  readonly by: string
  readonly followed: boolean
  readonly source: { readonly kind: string; readonly commit: string | null; readonly ref: string | null; readonly subject: string | null }
}
/** What examples/hello answers. */
export interface Hello {
  readonly message: string
  readonly release: string
  readonly track: string | null
  readonly replica: string
}
