/** What replicas, tasks and daemons printed. `process/logs.ts` reads the files that the runner writes. */
export interface Logs {
  /** Everything in the environment that has a log, also what runs no more. */
  sources(environment: string): Promise<readonly LogSource[]>
  /**
   * Records in order of time over all sources, then, with `follow`, those that come, until `signal` ends it.
   * At most `limit` old ones, the newest.
   *
   * @example for await (const { source, text } of logs.read('e12', { limit: 100, follow: true, signal })) …
   */
  read(environment: string, request: LogRequest): AsyncIterable<SourcedRecord>
}

export interface LogSource {
  /** Id of the replica or task. */
  readonly id: string
  readonly bytes: number
  /** Milliseconds since 1970 of the last line. */
  readonly changed: number
}

export interface LogRequest {
  /** null: all. */
  readonly ids?: readonly string[] | null
  /** Milliseconds since 1970. */
  readonly since?: number
  readonly until?: number
  readonly limit: number
  readonly follow?: boolean
  readonly signal?: AbortSignal
}

/** `weir`: not printed by the process but said about it ("killed after 10 s"). */
export interface LogRecord {
  readonly time: number
  readonly stream: 'out' | 'err' | 'weir'
  readonly text: string
}
export interface SourcedRecord extends LogRecord {
  readonly source: string
}
