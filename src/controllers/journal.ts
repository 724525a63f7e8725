import type { Analysis } from '../core/canary/analysis.ts'
import type { EvidenceBlock, SideEvidence } from '../core/canary/evidence.ts'
import type { JudgeOptions } from '../core/canary/ledger.ts'
import type { Verdict } from '../core/canary/verdict.ts'
import type { AppGraph } from '../core/model/app-graph.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Artifact, Configuration, Release, SourceRef } from '../core/model/release.ts'
import type { CounterBlock, EntryAnswers } from '../core/model/routing.ts'
import type { Because, Command, EnvironmentState } from '../core/rollout/state.ts'

/** A holder of the lease whose renewals stand still for this long is gone. */
export const LEASE_MS = 5_000
/** How often the holder renews. */
export const RENEW_MS = 1_000
/** Blocks of evidence that are read at once. */
export const EVIDENCE_AT_ONCE = 500

/**
 * The narrow face of the store: what controllers need to remember, and nothing to search by. PostgreSQL implements it, and so does the
 * simulation; `store/journal-contract.ts` holds the suite both pass. Every `commit…` is one transaction that also checks the epoch.
 */
export interface Journal {
  /**
   * Takes the lease if it is free, was mine, or if `force` (the state folder's lock proves that the holder is dead).
   * The epoch grows by one. null: somebody else holds it. A holder counts as gone when its renewals have stood still for LEASE_MS
   * on *this* process's monotonic clock: no wall clock takes part.
   */
  acquire(holder: string, force: boolean): Promise<Epoch | null>
  /** false: a newer epoch exists; stop acting at once. */
  renew(epoch: Epoch): Promise<boolean>
  release(epoch: Epoch): Promise<void>

  /** Environments that exist, for the first look after a start. */
  environments(): Promise<readonly string[]>
  loadEnvironment(id: string): Promise<EnvironmentRecord | null>
  /** Throws `E_STALE_EPOCH` and changes nothing when a newer epoch exists. */
  commitEnvironment(epoch: Epoch, id: string, changes: EnvironmentChanges): Promise<void>
  /** What keeps passes over it from getting on; null: nothing any more. Fenced as a commit; an environment that is gone is fine. */
  noteTrouble(epoch: Epoch, id: string, trouble: Trouble | null, events: readonly NewEvent[]): Promise<void>

  /** Releases whose source or build is not finished, oldest first. */
  unfinishedReleases(): Promise<readonly ReleaseKey[]>
  loadRelease(key: ReleaseKey): Promise<ReleaseRecord | null>
  /**
   * `ready` also claims the graph's routes for the environment and stores the deploy command. When another app holds one of them, or another
   * tenant its host, throws `E_CONFLICT` and changes nothing; the message names the route, never its holder. A release that is already
   * `ready` or `failed` stays as it is: `E_CONFLICT`. `notes` are added to those it has; what is absent stays, but for `because`: it says
   * what is wrong now.
   */
  commitRelease(epoch: Epoch, key: ReleaseKey, changes: ReleaseChanges): Promise<void>

  followedBranches(): Promise<readonly FollowedBranch[]>
  /** Remembers what was seen and, when `commit` is new for (repository, ref), makes one release of it: in one transaction, at most one. */
  commitFollowed(epoch: Epoch, branch: FollowedBranch, seen: { readonly commit: string } | { readonly problem: string }): Promise<ReleaseKey | null>

  /** Blocks already stored are skipped. The evidence that a block holds is stored with it, so it counts once too; of an environment that is gone, none. */
  commitCounters(epoch: Epoch, blocks: readonly CounterBlock[]): Promise<void>
  /** Evidence of a rollout or a trial after a cursor (0: from the first), in the order in which it was stored; EVIDENCE_AT_ONCE at most, fewer: that is all. */
  loadEvidence(environment: string, rollout: string, after: number): Promise<readonly StoredEvidence[]>
  /** The newest look at a rollout; null: there was none. */
  loadLook(environment: string, rollout: string): Promise<Look | null>
  /** How long requests of an environment took in the time that ends now, by route and by the release that answered. */
  loadLatencies(environment: string, withinMs: number): Promise<readonly RouteLatency[]>
  /** What retention may forget; returns what the file stores must keep. */
  collect(epoch: Epoch, policy: RetentionPolicy): Promise<Kept>

  /** Store time in milliseconds: grows with this process's monotonic clock from where the last leader left off; a changed wall clock does not touch it. */
  now(): number
  /** Keys that somebody changed (`env:e12`, `release:e12/7`, `follow`): a hint, may be lost. */
  watch(changed: (key: string) => void): () => void
}

export interface EnvironmentRecord {
  readonly id: string
  readonly tenant: string
  readonly app: string
  readonly environment: string
  /** Number of the app: account, loopback address. */
  readonly appNumber: number
  /** Public port for an app without routes. */
  readonly port: number
  readonly state: EnvironmentState
  readonly trouble: Trouble | null
  /** Unconsumed, oldest first. */
  readonly commands: readonly StoredCommand[]
  /** The releases that `state` and `commands` name: ready ones with their origins once they ran. */
  readonly releases: Readonly<Record<number, StoredRelease>>
  /** Of the newest counter rows of the entry; null unless a rollout may begin: a deploy is pending, or one waits. */
  readonly answers: EntryAnswers | null
  /** How much slow requests of one replica come together here, by the newest trials; 1: they do not, or nothing was tried. */
  readonly designEffect: number
}

/** Something that is tried again, and why. */
export interface Trouble extends Because {
  /** Store time of its first telling. */
  readonly since: number
}

export interface StoredRelease extends Release {
  /** service → release that started its replicas; null until its first rollout starts. */
  readonly origins: Readonly<Record<string, number>> | null
  readonly promoted: boolean
  /** What a branch or tag meant when it was built. */
  readonly commit: string | null
}

export interface StoredCommand {
  readonly id: number
  readonly by: string
  readonly command: Command
}

export interface EnvironmentChanges {
  readonly state: EnvironmentState
  /** Ids of commands that are now part of `state`; a refused one carries the reason for the asker. */
  readonly consumed: readonly { readonly id: number; readonly refused: Because | null; readonly rollout: string | null }[]
  readonly origins: readonly { readonly release: number; readonly origins: Readonly<Record<string, number>> }[]
  readonly promoted: readonly number[]
  readonly rollouts: readonly RolloutSummary[]
  readonly trials: readonly TrialSummary[]
  readonly operations: readonly OperationRow[]
  readonly events: readonly NewEvent[]
  /** The environment is gone: its row may be forgotten, the name be used again. */
  readonly removed: boolean
}

/** A rollout for the history: written when it starts and whenever its phase changes. */
export interface RolloutSummary {
  readonly id: string
  readonly kind: 'deploy' | 'rollback'
  readonly target: number
  readonly base: number | null
  readonly by: string
  readonly strategy: string
  readonly phase: string
  readonly weight: number
  /** null while it runs. */
  readonly outcome: 'promoted' | 'failed' | 'aborted' | 'superseded' | null
  readonly because: Because | null
  /** The newest look at it; null: it is not judged, or nothing is new: what was stored before stays. */
  readonly look: Look | null
}

/** What a judge said, and all that it said it from, beside the stored evidence up to `cursor`: the same again gives the same verdict. */
export interface Look {
  readonly verdict: Verdict
  readonly rules: Rules
  /** Evidence of the stages from 1 on; else of stage 0. */
  readonly isSplit: boolean
  readonly cursor: number
  readonly side: SideEvidence
  /** Wall clock, as the blocks have it. */
  readonly at: number
  /** Replica → how often its process had ended before the first look. */
  readonly deathsBefore: Readonly<Record<string, number>>
}

/** By what a rollout is judged: what its judge is made with. */
export interface Rules extends JudgeOptions {
  readonly analysis: Analysis
}

/** A silent trial of the judge on a promoted release against itself: whatever it finds is a false alarm. */
export interface TrialSummary {
  readonly id: string
  readonly release: number
  readonly requests: number
  /** The most evidence of any test; natural logarithm. */
  readonly maxLogE: number
  /** The judge would have rolled back. */
  readonly alarm: boolean
  readonly designEffect: number
  readonly ended: boolean
}

export interface StoredEvidence {
  /** Grows with each; the cursor of whoever has read so far. */
  readonly seq: number
  readonly block: EvidenceBlock
}

export interface RouteLatency {
  readonly service: string
  readonly origin: number
  readonly route: string
  readonly requests: number
  readonly errors: number
  /** Sparse sketch, see core/model/latency-sketch.ts. */
  readonly latency: readonly number[]
}

/** Intent and outcome of one effect, for the history and for finding what a crash left open. */
export interface OperationRow {
  readonly id: string
  readonly kind: string
  readonly target: string
  readonly outcome: 'intended' | 'done' | 'failed'
  readonly cause: string | null
}

export interface NewEvent {
  /** `rollout.started`, `replica.failed`, … */
  readonly kind: string
  readonly text: string
  readonly service: string | null
  readonly release: number | null
  readonly data: Readonly<Record<string, unknown>>
}

export interface ReleaseKey {
  readonly environment: string
  readonly number: number
}

/**
 * | status  | means                                             | next             |
 * |---------|---------------------------------------------------|------------------|
 * | queued  | acknowledged, nothing done                        | building, failed |
 * | building| source fetched, graph known, artifacts being made | ready, failed    |
 * | ready   | immutable; its deploy command is stored with it   | –                |
 * | failed  | `because` says why; nothing was touched           | –                |
 */
export interface ReleaseRecord {
  readonly key: ReleaseKey
  readonly tenant: string
  readonly app: string
  readonly environment: string
  readonly status: 'queued' | 'building' | 'ready' | 'failed'
  readonly source: SourceRef
  /** What a branch or tag meant when the release was first looked at: it is built from this commit, whatever the branch does. */
  readonly commit: string | null
  readonly configuration: Configuration
  readonly graph: AppGraph | null
  readonly artifacts: Readonly<Record<string, Artifact>>
  readonly by: string
  /** What keeps it from being built, while it is tried again. */
  readonly trouble: Trouble | null
  readonly whenBusy: 'wait' | 'supersede'
  /** For `source.kind: 'release'`: that release. */
  readonly previous: Release | null
  /** A manifest given beside the source (`weir deploy FILE`), else null: it is read from the source. */
  readonly manifest: { readonly file: string; readonly text: string } | null
}

export interface ReleaseChanges {
  readonly status: ReleaseRecord['status']
  readonly graph?: AppGraph
  readonly artifacts?: Readonly<Record<string, Artifact>>
  readonly fingerprints?: Readonly<Record<string, string>>
  /** The commit a branch or tag meant, its subject and author. */
  readonly commit?: { readonly commit: string; readonly ref: string | null; readonly subject: string; readonly author: string }
  readonly because?: Because | Trouble
  /** Compose fields without effect and the like, shown with the release. */
  readonly notes?: readonly string[]
  readonly events: readonly NewEvent[]
}

export interface FollowedBranch {
  readonly id: number
  readonly environment: string
  readonly tenant: string
  readonly url: string
  readonly ref: string
  readonly path: string
  readonly lastCommit: string | null
}

export interface RetentionPolicy {
  /** Releases kept per environment beside those that run. */
  readonly releases: number
  readonly eventsMs: number
  readonly countersMs: number
  /** Rollouts and trials per environment, the newest, whose evidence is kept. */
  readonly evidence: number
}
export interface Kept {
  readonly slugs: ReadonlySet<string>
  readonly buildKeys: ReadonlySet<string>
  readonly uploads: ReadonlySet<string>
  readonly mirrors: readonly { readonly tenant: string; readonly url: string }[]
}
