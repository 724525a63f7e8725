import type { Argv } from '../core/model/app-graph.ts'
import type { ExitStatus } from '../core/model/replica.ts'

/** Runs commands inside of running replicas: same account, limits, environment and folder. `process/exec.ts` is the implementation. */
export interface Exec {
  /** E_NOT_FOUND when no such replica runs. */
  open(replica: string, argv: Argv): Promise<ExecSession>
}

export interface ExecSession {
  /** What the command writes, until it ends; reading slowly slows it down. */
  readonly output: AsyncIterable<{ readonly stream: 'out' | 'err'; readonly bytes: Uint8Array }>
  /** Resolves when the output has ended too. */
  readonly exit: Promise<ExitStatus>
  /** To its standard input; resolves when more may be written. */
  write(bytes: Uint8Array): Promise<void>
  endInput(): void
  signal(signal: NodeJS.Signals): void
  /** Kills the command if it still runs. */
  close(): void
}
