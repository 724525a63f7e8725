import type {
  EnvironmentChanges,
  EnvironmentRecord,
  FollowedBranch,
  Journal,
  Kept,
  Look,
  NewEvent,
  ReleaseChanges,
  ReleaseKey,
  ReleaseRecord,
  RetentionPolicy,
  RouteLatency,
  StoredEvidence,
  Trouble,
} from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { CounterBlock } from '../core/model/routing.ts'
import type { Clock } from '../core/model/world.ts'
import { collect } from './collect.ts'
import { commitEnvironment } from './commit-environment.ts'
import { commitCounters } from './counters.ts'
import type { Database } from './database.ts'
import { loadEvidence, loadLatencies, loadLook } from './evidence.ts'
import { commitFollowed, followedBranches } from './follows.ts'
import type { Hints } from './hints.ts'
import { Lease } from './lease.ts'
import { PostgresLeaseTable } from './lease-table.ts'
import { loadEnvironment } from './load-environment.ts'
import { commitRelease, loadRelease, unfinishedReleases } from './releases.ts'
import { noteTrouble } from './trouble.ts'

/**
 * The controllers' store on PostgreSQL. The schema must be there (`migrate`).
 *
 * @example
 * const journal = new PostgresJournal(database, new Hints(address), clock)
 * const epoch = await journal.acquire('host-a', false)
 */
export class PostgresJournal implements Journal {
  readonly #database: Database
  readonly #hints: Hints
  readonly #lease: Lease

  constructor(database: Database, hints: Hints, clock: Clock) {
    this.#database = database
    this.#hints = hints
    this.#lease = new Lease(new PostgresLeaseTable(database), clock)
  }

  acquire(holder: string, force: boolean): Promise<Epoch | null> {
    return this.#lease.acquire(holder, force)
  }
  renew(epoch: Epoch): Promise<boolean> {
    return this.#lease.renew(epoch)
  }
  release(epoch: Epoch): Promise<void> {
    return this.#lease.release(epoch)
  }
  now(): number {
    return this.#lease.now()
  }

  async environments(): Promise<readonly string[]> {
    const rows = await this.#database.rows<{ id: string }>('select id from environments where removed_at is null order by number')
    return rows.map((row) => row.id)
  }
  loadEnvironment(id: string): Promise<EnvironmentRecord | null> {
    return loadEnvironment(this.#database, id)
  }
  commitEnvironment(epoch: Epoch, id: string, changes: EnvironmentChanges): Promise<void> {
    return commitEnvironment(this.#database, epoch, id, changes, this.now())
  }

  noteTrouble(epoch: Epoch, id: string, trouble: Trouble | null, events: readonly NewEvent[]): Promise<void> {
    return noteTrouble(this.#database, epoch, id, trouble, events)
  }

  unfinishedReleases(): Promise<readonly ReleaseKey[]> {
    return unfinishedReleases(this.#database)
  }
  loadRelease(key: ReleaseKey): Promise<ReleaseRecord | null> {
    return loadRelease(this.#database, key)
  }
  commitRelease(epoch: Epoch, key: ReleaseKey, changes: ReleaseChanges): Promise<void> {
    return commitRelease(this.#database, epoch, key, changes)
  }

  followedBranches(): Promise<readonly FollowedBranch[]> {
    return followedBranches(this.#database)
  }
  commitFollowed(epoch: Epoch, branch: FollowedBranch, seen: { readonly commit: string } | { readonly problem: string }): Promise<ReleaseKey | null> {
    return commitFollowed(this.#database, epoch, branch, seen)
  }

  commitCounters(epoch: Epoch, blocks: readonly CounterBlock[]): Promise<void> {
    return commitCounters(this.#database, epoch, blocks)
  }
  loadEvidence(environment: string, rollout: string, after: number): Promise<readonly StoredEvidence[]> {
    return loadEvidence(this.#database, environment, rollout, after)
  }
  loadLook(environment: string, rollout: string): Promise<Look | null> {
    return loadLook(this.#database, environment, rollout)
  }
  loadLatencies(environment: string, withinMs: number): Promise<readonly RouteLatency[]> {
    return loadLatencies(this.#database, environment, withinMs)
  }
  collect(epoch: Epoch, policy: RetentionPolicy): Promise<Kept> {
    return collect(this.#database, epoch, policy)
  }

  watch(changed: (key: string) => void): () => void {
    return this.#hints.subscribe((key) => {
      if (key !== 'events') changed(key)
    })
  }
}
