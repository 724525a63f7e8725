import type { Epoch } from '../core/model/epoch.ts'
import type { ExitStatus } from '../core/model/replica.ts'

/**
 * Runs a command of somebody else's code (a build) apart from everything: own account, no secrets, no inherited environment,
 * hard limits, the whole process tree killed at the end. As a plain user it runs as that user, with the limits that need no root
 * (wall time, disk). `process/confined.ts` is the implementation; it asks the runner. Every effect carries the caller's epoch and is
 * refused with `E_STALE_EPOCH` when a higher one was seen; `confined-contract.ts` holds the suite that implementations pass.
 */
export interface Confined {
  /** Refuses lower epochs from now on, ends and forgets all of their jobs, and closes the caches that they left open. */
  takeOver(epoch: Epoch): Promise<void>
  /** Throws `E_STALE_EPOCH` when a higher epoch was seen. */
  confirm(epoch: Epoch): Promise<void>
  /** Puts a build's folders where the next jobs expect them; those of an earlier build are moved aside, to `old-…` below `paths.builds`. */
  place(build: BuildPlace, epoch: Epoch): Promise<void>
  /** A build is over: what it worked in is moved aside, the tenant's package cache closed again. */
  clear(tenant: string, epoch: Epoch): Promise<void>
  /**
   * Starts the job unless one with this id is known, and returns when it is durably accepted. At most once per id, ever:
   * a crash that hides how it ended shows as `exit: { kind: 'unknown' }`.
   */
  start(job: ConfinedJob, epoch: Epoch): Promise<void>
  /** null: no such job (never started, or stopped and forgotten). */
  observe(id: string): Promise<ObservedJob | null>
  /** Kills the whole tree if it runs, then forgets the id. The log file stays. */
  stop(id: string, epoch: Epoch): Promise<void>
  /** Called with a job's id when it has ended: a hint, may be lost. Returns the way to stop. */
  watch(ended: (id: string) => void): () => void
}

/** Every build works in the same folder, which compilers write into their output; it is made elsewhere and put there in one step. */
export interface BuildPlace {
  /** A folder directly below `paths.builds`: it becomes `work` there. A folder `packages` in it takes the place of the tenant's package cache. */
  readonly stage: string
  /** `cache/<tenant>` is opened to the build's account, which all tenants' builds share. */
  readonly tenant: string
}

export interface ConfinedJob {
  /** Letters, digits, `-`, `_` and `.`: it names a cgroup. */
  readonly id: string
  /** The program by absolute path, or looked up on `env.PATH`. */
  readonly argv: readonly string[]
  /** An absolute path below one of `own`. */
  readonly cwd: string
  /** Complete: nothing is inherited. PATH defaults to the machine's, HOME and TMPDIR to `cwd`. */
  readonly env: Readonly<Record<string, string>>
  readonly limits: {
    /** Cores; 0.5 is half a core. */
    readonly cpu: number
    readonly memoryBytes: number
    readonly pids: number
    readonly wallMs: number
    /** What all of `own` and the log may hold together; looked at about every second. */
    readonly diskBytes: number
  }
  /** Folders below `paths.builds`, given to the build account (recursively, links not followed) before the start. The caller makes them. */
  readonly own: readonly string[]
  /**
   * Gets stdout and stderr as they were written, in order of arrival; created (truncated) at the start, readable by the server.
   * Its folder must exist; put it outside of `own`, so that the job cannot replace it.
   */
  readonly logFile: string
}

export type ObservedJob =
  | { readonly phase: 'running'; readonly lastLines: readonly string[] }
  | {
      readonly phase: 'ended'
      readonly exit: ExitStatus
      /** Which limit ended it, when one did. `exit` is then oom (memory), timeout (wall) or signal SIGKILL (disk). */
      readonly limit: 'memory' | 'wall' | 'disk' | null
      readonly lastLines: readonly string[]
    }
