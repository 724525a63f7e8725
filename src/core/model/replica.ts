/**
 * A replica is one process (tree) of one service, started by one release: its *origin*, the release that last changed the service.
 * Unchanged services keep their origin over many releases, so `web@v3` may serve in v3, v4 and v5.
 */
export interface ReplicaName {
  /** Environment id, unique on the installation. */
  readonly environment: string
  readonly service: string
  readonly origin: number
  /** Grows per environment and is never used again, so an id names one process for ever. */
  readonly serial: number
}

/** `e12-web-v3-7`: short (socket paths), safe in cgroup and file names. */
export function replicaId(name: ReplicaName): string {
  return `${name.environment}-${name.service}-v${name.origin}-${name.serial}`
}

const ID = /^[^-]+-(.+)-v(\d+)-[^-]+(-[0-9a-f]{8})?$/

/**
 * Which service and release started the replica or task of this id; null: it is none.
 *
 * @example originOf('e12-web-v3-7') // { service: 'web', release: 3 }
 */
export function originOf(id: string): { readonly service: string; readonly release: number } | null {
  const match = ID.exec(id)
  return match ? { service: match[1] as string, release: Number(match[2]) } : null
}

/**
 * What the driver sees.
 *
 * | phase    | process runs | takes traffic | next                                                         |
 * |----------|--------------|---------------|--------------------------------------------------------------|
 * | starting | yes          | no            | ready, or failed when the start period is over               |
 * | ready    | yes          | yes           | unready after `retries` failed checks; waiting after an exit |
 * | unready  | yes          | no            | ready after a good check; restarted if it stays so           |
 * | waiting  | no           | no            | starting after the back-off (restart with growing delay)     |
 * | failed   | no           | no            | nothing: it never became ready and was given up              |
 * | stopping | yes          | no            | stopped                                                      |
 * | stopped  | no           | no            | removed by the driver once asked                             |
 */
export type ReplicaPhase = 'starting' | 'ready' | 'unready' | 'waiting' | 'failed' | 'stopping' | 'stopped'

/** What a replica takes of the machine. */
export interface ReplicaUsage {
  readonly id: string
  /** Time on processors since it was started; less after a restart. */
  readonly cpuMs: number
  readonly memoryBytes: number
  readonly limits: { readonly cpu: number; readonly memoryBytes: number }
}

export interface ObservedReplica {
  readonly id: string
  readonly phase: ReplicaPhase
  readonly address: string
  /** By port name. */
  readonly ports: Readonly<Record<string, number>>
  readonly restarts: number
  /** Why it is not ready, in the words a person would have looked for; null when ready. */
  readonly cause: string | null
  readonly lastLines: readonly string[]
  readonly exit: ExitStatus | null
}

export type ExitStatus =
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'signal'; readonly signal: string }
  | { readonly kind: 'oom' }
  | { readonly kind: 'timeout' }
  /** It ended while no runner was its parent. */
  | { readonly kind: 'unknown' }

/** A task runs once to its end: a `pre_start` command, a job, a one-off `run`. */
export interface ObservedTask {
  readonly id: string
  readonly phase: 'running' | 'succeeded' | 'failed' | 'unknown'
  readonly exit: ExitStatus | null
  readonly lastLines: readonly string[]
}

export interface ObservedResource {
  readonly name: string
  readonly phase: 'creating' | 'ready' | 'failed'
  readonly cause: string | null
}

/** @example exitText({ kind: 'code', code: 7 }) // 'exited with 7' */
export function exitText(exit: ExitStatus): string {
  switch (exit.kind) {
    case 'code':
      return `exited with ${exit.code}`
    case 'signal':
      return `ended by ${exit.signal}`
    case 'oom':
      return 'ran out of memory'
    case 'timeout':
      return 'took too long'
    case 'unknown':
      return 'ended, nobody saw how'
  }
}
