import type { Verdict } from '../canary/verdict.ts'
import type { ReleaseChecks, ShadowPolicy, Strategy } from '../model/app-graph.ts'
import type { ExitStatus } from '../model/replica.ts'
import type { TableVersion } from '../model/routing.ts'
import type { Judging, Rejected, Trial, Wait } from './judging.ts'

/**
 * All that Weir remembers of one environment between two passes of its controller. One document, saved in one transaction *before*
 * anything is done about it: a replica id that stands here is the intent to have that process, and the effect creates or adopts by that id.
 * Times are store time (see controllers/journal.ts): milliseconds that never jump.
 */
export interface EnvironmentState {
  /** The release that serves; null before the first promotion. */
  readonly current: number | null
  /** The release promoted before, still running beside, ready to take over at once. */
  readonly warm: { readonly release: number; readonly until: number } | null
  readonly rollout: Rollout | null
  /** Rollouts that wait for the running one to end, oldest first. */
  readonly waiting: readonly WaitingRollout[]
  /** Replicas by hand or by an outside scaler; absent: what the manifest says. */
  readonly wishes: Readonly<Record<string, number>>
  /** Services that a person stopped; `*`: the whole app. */
  readonly stopped: readonly string[]
  readonly removing: { readonly withData: boolean } | null
  readonly replicas: Readonly<Record<string, ReplicaRecord>>
  readonly nextSerial: number
  readonly edges: readonly EdgeRecord[]
  readonly nextEdgePort: number
  readonly tasks: Readonly<Record<string, TaskRecord>>
  /** Next run of each job by wall clock: cron means the calendar. */
  readonly jobs: Readonly<Record<string, { readonly nextAt: number; readonly schedule: string }>>
  /** The table last published, by content: another digest gets a new version. */
  readonly table: { readonly version: TableVersion; readonly digest: string } | null
  /** Start failures outside a rollout: the next try waits longer each time. Key: `service@origin`. */
  readonly setbacks: Readonly<Record<string, { readonly count: number; readonly retryAt: number }>>
  /** Grows with each rollout and names it. */
  readonly nextRollout: number
  /** What serves is judged against itself; null: not just now. */
  readonly trial: Trial | null
  /** What is not to come back by itself, oldest first. */
  readonly rejected: readonly Rejected[]
}

export interface ReplicaRecord {
  readonly service: string
  readonly origin: number
  readonly since: number
  /** null: wanted. Else it is out of the table from `version` on, and is stopped once that is acknowledged and it has drained. */
  readonly retired: { readonly at: number; readonly version: number } | null
  /** How often its process has ended by itself, and why the last time; absent: never. */
  readonly died?: { readonly count: number; readonly cause: string }
  /** A person asked for a restart: it is retired as soon as a fresh one is ready. */
  readonly stale: boolean
}

/** An inner hop's address: (caller service, in the release that started it → callee). Lives as long as replicas of that caller do. */
export interface EdgeRecord {
  readonly id: string
  readonly caller: string
  readonly origin: number
  readonly service: string
  readonly port: string
  readonly listen: number
}

export interface TaskRecord {
  readonly kind: 'pre_start' | 'job' | 'run'
  readonly service: string
  readonly release: number
  readonly name: string
  readonly argv: readonly string[]
  readonly since: number
  readonly timeoutMs: number
  readonly outcome: 'pending' | 'succeeded' | 'failed' | 'unknown'
  readonly exit: ExitStatus | null
  readonly lastLines: readonly string[]
}

export interface WaitingRollout {
  /** Given when the command is taken, so that whoever asked knows what to look at. */
  readonly id: string
  readonly kind: 'deploy' | 'rollback'
  readonly target: number
  readonly by: string
  /** What serves is broken: the new release is not compared with it, and takes over at once. */
  readonly forward?: boolean
}

/** A release taking over the environment. */
export interface Rollout {
  readonly id: string
  readonly kind: 'deploy' | 'rollback'
  readonly target: number
  /** The release that served when it began, to which it goes back. */
  readonly base: number | null
  readonly by: string
  readonly startedAt: number
  readonly strategy: Strategy
  /** Weights of the canary in percent. Without `judging` each waits for approval. */
  readonly steps: readonly number[]
  /** null, or not there: nobody judges. */
  readonly judging?: Judging | null
  /** Of the strategy `shadow`. */
  readonly shadow?: ShadowPolicy | null
  /** Of the strategy `blue-green`, with the probes by name. */
  readonly checks?: CheckPlan | null
  /** How long the base stays warm after the promotion. */
  readonly keepMs: number
  /** Services that differ, in stages of dependency order; services of a stage start side by side. */
  readonly stages: readonly (readonly RolloutService[])[]
  readonly removed: readonly string[]
  /** Decided when the rollout starts, then frozen; null without a canary. */
  readonly split: { readonly by: 'request' | 'client' } | { readonly by: 'header' | 'cookie'; readonly name: string } | null
  readonly phase: RolloutPhase
  /** A person holds it where it is. */
  readonly paused: boolean
  /** Why it does not go on by itself just now; null, or not there: it does. */
  readonly waits?: Wait | null
  /** Why all requests are going to the target: proof, a person's word; null, or not there: the strategy asks for none. */
  readonly grounds?: Because | null
}

export interface CheckPlan {
  /** Asked of each new replica, past the gateway, before it gets a request. */
  readonly before: readonly { readonly service: string; readonly probe: string; readonly port: string }[]
  readonly after: ReleaseChecks['after']
}

export interface RolloutService {
  readonly service: string
  /**
   * beside: the new replicas start while the old ones serve.
   * replace: the old ones stop first (a volume cannot be shared; strategy recreate).
   */
  readonly manner: 'beside' | 'replace'
}

/**
 * | phase     | runs                                       | serves              | leaves when                                          |
 * |-----------|--------------------------------------------|---------------------|------------------------------------------------------|
 * | starting  | base + target's `beside` services ≤ stage  | base                | stage ready → next; last → the phase of the strategy |
 * | shadowing | base + target                              | base; copies: target| proven, or its time is over → what `then` says       |
 * | splitting | base + target                              | both, by weight     | proven or approved past the last step → replacing    |
 * | checking  | base + target                              | base                | every probe answered → replacing                     |
 * | replacing | `beside` both; `replace`: none, then target| base, gaps said     | all ready → switching                                |
 * | switching | base + target                              | target              | every gateway worker has acknowledged → promoted,    |
 * |           |                                            |                     | blue-green: watching                                 |
 * | watching  | base + target                              | target              | nothing failed for so long → promoted                |
 * | held      | as it was                                  | base                | a person decides (a migration's outcome is unknown)  |
 * | restoring | base                                       | base                | base whole again and target gone → ended             |
 *
 * After `starting` comes: canary `splitting`, shadow `shadowing`, blue-green `checking`, all others `replacing`.
 */
export type RolloutPhase =
  | { readonly name: 'starting'; readonly stage: number; readonly since: number }
  /** `over`: no more copies, a person decides. */
  | { readonly name: 'shadowing'; readonly since: number; readonly over: boolean }
  /** `approved`: a person agreed to leave the last step; proof may still be missing. */
  | { readonly name: 'splitting'; readonly step: number; readonly weight: number; readonly since: number; readonly approved?: boolean }
  | { readonly name: 'checking'; readonly since: number }
  | { readonly name: 'replacing'; readonly stage: number; readonly since: number }
  | { readonly name: 'switching'; readonly since: number }
  /** `deathsBefore`: how often processes of the target had ended by then. */
  | { readonly name: 'watching'; readonly since: number; readonly deathsBefore: number }
  | { readonly name: 'held'; readonly because: Because; readonly since: number; readonly then: 'starting' | 'replacing'; readonly stage: number }
  | {
      readonly name: 'restoring'
      readonly because: Because
      readonly since: number
      readonly outcome: 'failed' | 'aborted' | 'superseded'
      /** It failed for what it did with traffic: it is not taken again by itself. */
      readonly rejects?: boolean
    }

/** Why: made once, where it is decided, and carried as data to events, CLI and pages. */
export interface Because {
  readonly code: string
  readonly text: string
  /** The last lines that the process printed, where that is the evidence. */
  readonly lines: readonly string[]
  /** The verdict that it stands on, with all of its tests, and the newest stored block that went into it. */
  readonly evidence?: { readonly verdict: Verdict; readonly cursor: number }
}

/** What people (and the release controller) ask of an environment. Stored when acknowledged, taken in order by its controller. */
export type Command =
  | {
      readonly kind: 'deploy'
      readonly release: number
      readonly whenBusy: 'wait' | 'supersede'
      /** Though it was taken back before. */
      readonly again?: boolean
      /** Without comparing it with what serves, because that is what is broken. */
      readonly forward?: boolean
    }
  | { readonly kind: 'rollback'; readonly to: number | null; readonly acceptSchema: boolean }
  | { readonly kind: 'weight'; readonly weight: number }
  | { readonly kind: 'promote' | 'abort' | 'pause' | 'resume' }
  | { readonly kind: 'scale'; readonly service: string; readonly replicas: number | null }
  | { readonly kind: 'stop' | 'start' | 'restart'; readonly service: string | null }
  | {
      readonly kind: 'run'
      readonly task: string
      readonly service: string
      readonly argv: readonly string[]
      readonly timeoutMs: number
      readonly job?: string
    }
  | { readonly kind: 'remove'; readonly withData: boolean }

export const INITIAL_STATE: EnvironmentState = {
  current: null,
  warm: null,
  rollout: null,
  waiting: [],
  wishes: {},
  stopped: [],
  removing: null,
  replicas: {},
  nextSerial: 1,
  edges: [],
  nextEdgePort: 10_000,
  tasks: {},
  jobs: {},
  table: null,
  setbacks: {},
  nextRollout: 1,
  trial: null,
  rejected: [],
}
