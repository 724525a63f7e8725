import {
  type EnvironmentChanges,
  type EnvironmentRecord,
  EVIDENCE_AT_ONCE,
  type FollowedBranch,
  type Journal,
  type Kept,
  type Look,
  type NewEvent,
  type ReleaseChanges,
  type ReleaseKey,
  type ReleaseRecord,
  type RetentionPolicy,
  type RouteLatency,
  type StoredEvidence,
  type Trouble,
} from '../controllers/journal.ts'
import type { Epoch } from '../core/model/epoch.ts'
import { mergeSketches } from '../core/model/latency-sketch.ts'
import type { Release } from '../core/model/release.ts'
import type { CounterBlock, CounterRow, EntryAnswers } from '../core/model/routing.ts'
import type { Clock } from '../core/model/world.ts'
import type { Command, EnvironmentState } from '../core/rollout/state.ts'
import { WeirError } from '../errors.ts'
import { storable } from './json.ts'
import { Lease, type LeaseRow, type LeaseTable, staleEpoch } from './lease.ts'
import { TRIALS_THAT_COUNT } from './load-environment.ts'
import { type EnvironmentRow, type ReleaseDocument, type ReleaseRow, type SimulatedStore, type StoreCall, sameEnvironment } from './simulated-store.ts'
import { releaseOfCommand, releasesNamed } from './summary.ts'

/** One server's view of a `SimulatedStore`. */
export class SimulatedJournal implements Journal {
  readonly #store: SimulatedStore
  readonly #lease: Lease

  constructor(store: SimulatedStore, clock: Clock) {
    this.#store = store
    this.#lease = new Lease(new SimulatedLeaseTable(store), clock)
  }

  acquire(holder: string, force: boolean): Promise<Epoch | null> {
    return this.#call('acquire', () => this.#lease.acquire(holder, force))
  }
  renew(epoch: Epoch): Promise<boolean> {
    return this.#call('renew', () => this.#lease.renew(epoch))
  }
  release(epoch: Epoch): Promise<void> {
    return this.#call('release', () => this.#lease.release(epoch))
  }
  now(): number {
    return this.#lease.now()
  }

  environments(): Promise<readonly string[]> {
    return this.#call('environments', () => this.#live().map((row) => row.id))
  }

  loadEnvironment(id: string): Promise<EnvironmentRecord | null> {
    return this.#call('loadEnvironment', () => {
      const row = this.#store.rows.get(id)
      if (!row || row.removed) return null
      const state = JSON.parse(row.state) as EnvironmentState
      const commands = row.commands
        .filter((stored) => stored.outcome === 'pending')
        .map(({ id: command, by, command: text }) => ({ id: command, by, command: JSON.parse(text) as Command }))
      const wanted = new Set(releasesNamed(state))
      for (const { command } of commands) {
        const number = releaseOfCommand(command)
        if (number !== null) wanted.add(number)
        else if (command.kind === 'rollback') for (const promoted of rollbackChoice(row, state.current)) wanted.add(promoted)
      }
      const ready = [...row.releases.values()].filter((release) => release.status === 'ready' && wanted.has(release.number))
      const releases = Object.fromEntries(ready.map((release) => [release.number, { ...releaseOf(release), promoted: release.promoted > 0 }]))
      return {
        id,
        tenant: row.ref.tenant,
        app: row.ref.app,
        environment: row.ref.environment,
        appNumber: row.number,
        port: 8_099 + row.number,
        state,
        trouble: row.trouble === null ? null : (JSON.parse(row.trouble) as Trouble),
        commands,
        releases,
        answers: this.#answers(id, state, commands),
        designEffect: designEffectOf(row),
      }
    })
  }

  commitEnvironment(epoch: Epoch, id: string, changes: EnvironmentChanges): Promise<void> {
    return this.#commit('commitEnvironment', epoch, () => {
      const row = this.#store.rows.get(id)
      if (changes.removed && (!row || row.removed)) return
      const present = this.#store.must(id)
      present.state = storable(changes.state)
      for (const { id: command, refused, rollout } of changes.consumed) {
        const stored = present.commands.find((it) => it.id === command)
        if (stored) Object.assign(stored, { outcome: refused ? 'refused' : 'consumed', refused, rollout })
      }
      for (const { release, origins } of changes.origins) {
        const stored = present.releases.get(release)
        if (stored) stored.document = storable({ ...JSON.parse(stored.document), origins })
      }
      for (const release of changes.promoted) {
        const stored = present.releases.get(release)
        if (stored) stored.promoted = ++present.promotions
      }
      for (const rollout of changes.rollouts) {
        const look = rollout.look ?? present.rollouts.get(rollout.id)?.look ?? null
        present.rollouts.set(rollout.id, { ...rollout, look })
      }
      for (const trial of changes.trials) present.trials.set(trial.id, trial)
      for (const operation of changes.operations) present.operations.set(operation.id, operation)
      this.#store.append(id, changes.events)
      const now = this.now()
      if (this.#store.lease.clockMs < now) this.#store.lease = { ...this.#store.lease, clockMs: now }
      if (changes.removed) this.#forget(present, changes.state.removing?.withData ?? false)
    })
  }

  noteTrouble(epoch: Epoch, id: string, trouble: Trouble | null, events: readonly NewEvent[]): Promise<void> {
    return this.#commit('noteTrouble', epoch, () => {
      const row = this.#store.rows.get(id)
      if (!row || row.removed) return
      row.trouble = trouble && storable(trouble)
      this.#store.append(id, events)
    })
  }

  unfinishedReleases(): Promise<readonly ReleaseKey[]> {
    return this.#call('unfinishedReleases', () =>
      this.#live().flatMap((row) =>
        [...row.releases.values()]
          .filter((release) => release.status === 'queued' || release.status === 'building')
          .map((release) => ({ environment: row.id, number: release.number })),
      ),
    )
  }

  loadRelease(key: ReleaseKey): Promise<ReleaseRecord | null> {
    return this.#call('loadRelease', () => {
      const row = this.#store.rows.get(key.environment)
      const release = row?.releases.get(key.number)
      if (!row || row.removed || !release) return null
      const { source, commit, configuration, graph, artifacts, because } = JSON.parse(release.document) as ReleaseDocument
      const earlier = source.kind === 'release' ? this.#sibling(row, source.environment)?.releases.get(source.number) : undefined
      const previous = earlier?.status === 'ready' ? releaseOf(earlier) : null
      const { tenant, app, environment } = row.ref
      return {
        key,
        tenant,
        app,
        environment,
        status: release.status,
        source,
        commit,
        configuration,
        graph,
        artifacts,
        by: release.by,
        trouble: because,
        whenBusy: release.whenBusy,
        previous,
        manifest: null,
      }
    })
  }

  commitRelease(epoch: Epoch, key: ReleaseKey, changes: ReleaseChanges): Promise<void> {
    return this.#commit('commitRelease', epoch, () => this.#store.changeRelease(key, changes))
  }

  followedBranches(): Promise<readonly FollowedBranch[]> {
    return this.#call('followedBranches', () => this.#live().flatMap((row) => row.follows.map((branch) => ({ ...branch }))))
  }

  commitFollowed(epoch: Epoch, branch: FollowedBranch, seen: { readonly commit: string } | { readonly problem: string }): Promise<ReleaseKey | null> {
    return this.#commit('commitFollowed', epoch, () => {
      const row = this.#store.rows.get(branch.environment)
      const at = row?.follows.findIndex((it) => it.id === branch.id) ?? -1
      if (!row || at === -1 || 'problem' in seen) return null
      const { url, ref, path } = branch
      const first = row.follows[at]?.lastCommit === null ? askedFor(row, branch) : null
      if (first?.status === 'queued') return null
      row.follows[at] = { ...branch, lastCommit: seen.commit }
      if (first?.commit === seen.commit) return null
      const followed = [url, ref, path, seen.commit].join('\n')
      if ([...row.releases.values()].some((release) => release.followed === followed)) return null
      return this.#store.createRelease(branch.environment, {
        source: { kind: 'git', url, ref, commit: seen.commit, path },
        whenBusy: 'supersede',
        by: `follow ${ref}`,
        followed,
      })
    })
  }

  commitCounters(epoch: Epoch, blocks: readonly CounterBlock[]): Promise<void> {
    return this.#commit('commitCounters', epoch, () => {
      for (const { incarnation, sequence, rows, evidence } of blocks) {
        const name = `${incarnation} ${sequence}`
        if (this.#store.blocks.has(name)) continue
        this.#store.blocks.add(name)
        this.#store.counters.push(...rows)
        for (const { environment, ...block } of evidence) {
          const row = this.#store.rows.get(environment)
          if (!row || row.removed) continue
          this.#store.evidence.push({ environment, rollout: block.rollout, seq: ++this.#store.evidenceSeq, block: storable(block) })
        }
      }
    })
  }

  loadEvidence(environment: string, rollout: string, after: number): Promise<readonly StoredEvidence[]> {
    return this.#call('loadEvidence', () => {
      const rows = this.#store.evidence.filter((it) => it.environment === environment && it.rollout === rollout && it.seq > after)
      return rows.slice(0, EVIDENCE_AT_ONCE).map(({ seq, block }) => ({ seq, block: JSON.parse(block) as StoredEvidence['block'] }))
    })
  }

  loadLook(environment: string, rollout: string): Promise<Look | null> {
    return this.#call('loadLook', () => this.#store.rows.get(environment)?.rollouts.get(rollout)?.look ?? null)
  }

  /** Without times: everything that was ever counted. */
  loadLatencies(environment: string): Promise<readonly RouteLatency[]> {
    return this.#call('loadLatencies', () => {
      const groups = Map.groupBy(
        this.#store.counters.filter((row) => row.environment === environment),
        ({ service, origin, route }) => `${service} ${origin} ${route}`,
      )
      return [...groups.values()].flatMap((rows) => {
        const [first] = rows
        const requests = rows.reduce((sum, row) => sum + row.requests - row.aborted, 0)
        const errors = rows.reduce((sum, row) => sum + row.errors, 0)
        return first
          ? [{ service: first.service, origin: first.origin, route: first.route, requests, errors, latency: mergeSketches(rows.map((row) => row.latency)) }]
          : []
      })
    })
  }

  collect(epoch: Epoch, policy: RetentionPolicy): Promise<Kept> {
    return this.#commit('collect', epoch, () => {
      const wanted = this.#live().flatMap((row) => [...row.releases.values()].map((release) => this.#sourceInUse(row, release)))
      for (const row of this.#store.rows.values())
        collectReleases(
          row,
          policy.releases,
          wanted.flatMap((it) => (it?.row === row ? [it.number] : [])),
        )
      collectEvidence(this.#store.evidence, policy.evidence)
      const rows = [...this.#store.rows.values()]
      const documents = rows.flatMap((row) =>
        [...row.releases.values()].map((release) => ({ tenant: row.ref.tenant, ...(JSON.parse(release.document) as ReleaseDocument) })),
      )
      const artifacts = documents.flatMap((document) => Object.values(document.artifacts))
      const mirrors = [
        ...documents.flatMap(({ tenant, source }) => (source.kind === 'git' ? [{ tenant, url: source.url }] : [])),
        ...rows.flatMap((row) => row.follows.map(({ tenant, url }) => ({ tenant, url }))),
      ]
      return {
        slugs: new Set(artifacts.map((artifact) => artifact.digest)),
        buildKeys: new Set(artifacts.map((artifact) => artifact.key)),
        uploads: new Set(documents.flatMap(({ source }) => (source.kind === 'upload' ? [source.digest] : []))),
        mirrors: [...new Map(mirrors.map((mirror) => [`${mirror.tenant} ${mirror.url}`, mirror])).values()],
      }
    })
  }

  watch(changed: (key: string) => void): () => void {
    this.#store.listeners.add(changed)
    return () => this.#store.listeners.delete(changed)
  }

  #live(): EnvironmentRow[] {
    return [...this.#store.rows.values()].filter((row) => !row.removed)
  }

  /** See load-environment.ts: the same rule. */
  #answers(id: string, state: EnvironmentState, commands: EnvironmentRecord['commands']): EntryAnswers | null {
    if (state.waiting.length === 0 && !commands.some(({ command }) => command.kind === 'deploy')) return null
    const rows = this.#store.counters.filter((row) => row.environment === id && row.hop === 'entry').slice(-1_000)
    const total = (of: (row: CounterRow) => number) => rows.reduce((sum, row) => sum + of(row), 0)
    return { total: total((row) => row.requests - row.aborted), html: total((row) => row.html) }
  }

  /** Another environment of the row's app, or the row itself. */
  #sibling(row: EnvironmentRow, environment = row.ref.environment): EnvironmentRow | undefined {
    return this.#live().find((other) => sameEnvironment(other.ref, { ...row.ref, environment }))
  }

  /** The release that an unfinished one is made from. */
  #sourceInUse(row: EnvironmentRow, release: ReleaseRow): { readonly row: EnvironmentRow | undefined; readonly number: number } | null {
    const { source } = JSON.parse(release.document) as ReleaseDocument
    if (source.kind !== 'release' || release.status === 'ready' || release.status === 'failed') return null
    return { row: this.#sibling(row, source.environment), number: source.number }
  }

  #forget(row: EnvironmentRow, withData: boolean): void {
    if (withData) {
      this.#store.rows.delete(row.id)
      return
    }
    Object.assign(row, { removed: true, follows: [], routes: [] })
    for (const stored of row.commands) {
      if (stored.outcome === 'pending')
        Object.assign(stored, { outcome: 'refused', refused: { code: 'E_NOT_FOUND', text: 'the environment was removed', lines: [] } })
    }
  }

  #commit<T>(call: StoreCall, epoch: Epoch, apply: () => T): Promise<T> {
    return this.#call(call, () => {
      if (this.#store.lease.epoch !== epoch) throw staleEpoch(epoch)
      return apply()
    })
  }

  async #call<T>(call: StoreCall, apply: () => T | Promise<T>): Promise<T> {
    const fault = this.#store.fault(call)
    if (fault === 'unavailable') throw lost('the database does not answer')
    const result = await apply()
    if (fault === 'lost-answer') throw lost('the connection was cut')
    return result
  }
}

class SimulatedLeaseTable implements LeaseTable {
  readonly #store: SimulatedStore
  constructor(store: SimulatedStore) {
    this.#store = store
  }
  async look(): Promise<LeaseRow> {
    return this.#store.lease
  }
  async take(holder: string, seen: LeaseRow): Promise<{ readonly epoch: Epoch; readonly clockMs: number } | null> {
    const { epoch, renewals, clockMs } = this.#store.lease
    if (epoch !== seen.epoch || renewals !== seen.renewals) return null
    this.#store.lease = { epoch: epoch + 1, renewals: renewals + 1, holder, clockMs }
    return { epoch: epoch + 1, clockMs }
  }
  async renew(epoch: Epoch, clockMs: number): Promise<boolean> {
    const { lease } = this.#store
    if (lease.epoch !== epoch || lease.holder === null) return false
    this.#store.lease = { ...lease, renewals: lease.renewals + 1, clockMs: Math.max(lease.clockMs, clockMs) }
    return true
  }
  async free(epoch: Epoch, clockMs: number): Promise<void> {
    const { lease } = this.#store
    if (lease.epoch === epoch) this.#store.lease = { ...lease, holder: null, renewals: lease.renewals + 1, clockMs: Math.max(lease.clockMs, clockMs) }
  }
}

function releaseOf(release: ReleaseRow): Release & { readonly origins: Readonly<Record<string, number>> | null; readonly commit: string | null } {
  const { graph, artifacts, configuration, source, fingerprints, origins, commit } = JSON.parse(release.document) as ReleaseDocument
  if (!graph) throw new Error(`release v${release.number} is ready without a graph`)
  return { number: release.number, graph, artifacts, configuration, source, fingerprints, origins, commit }
}

function rollbackChoice(row: EnvironmentRow, current: number | null): readonly number[] {
  if (current === null) return []
  const promoted = [...row.releases.values()].filter((release) => release.promoted > 0 && release.number !== current).map((release) => release.number)
  return promoted.sort((a, b) => Number(b < current) - Number(a < current) || b - a).slice(0, 5)
}

/** See collect.ts: the same rules. */
function collectReleases(row: EnvironmentRow, keep: number, inUse: readonly number[]): void {
  const all = [...row.releases.values()]
  const newest = new Set(
    all
      .map((release) => release.number)
      .sort((a, b) => b - a)
      .slice(0, keep),
  )
  const promotedLast = new Set(
    all
      .filter((release) => release.promoted > 0)
      .sort((a, b) => b.promoted - a.promoted)
      .slice(0, 2)
      .map((release) => release.number),
  )
  const named = new Set([...inUse, ...releasesNamed(JSON.parse(row.state) as EnvironmentState)])
  for (const stored of row.commands) {
    const number = stored.outcome === 'pending' ? releaseOfCommand(JSON.parse(stored.command) as Command) : null
    if (number !== null) named.add(number)
  }
  for (const { number, status } of all) {
    const finished = status === 'ready' || status === 'failed'
    if (row.removed || (finished && !newest.has(number) && !promotedLast.has(number) && !named.has(number))) row.releases.delete(number)
  }
}

/** See collect.ts: the same rule. */
function collectEvidence(evidence: SimulatedStore['evidence'], keep: number): void {
  const newestFirst = evidence.toReversed().map(({ environment, rollout }) => ({ environment, rollout }))
  const kept = new Set<string>()
  for (const [environment, rows] of Map.groupBy(newestFirst, (it) => it.environment)) {
    for (const rollout of [...new Set(rows.map((it) => it.rollout))].slice(0, keep)) kept.add(`${environment} ${rollout}`)
  }
  evidence.splice(0, evidence.length, ...evidence.filter((it) => kept.has(`${it.environment} ${it.rollout}`)))
}

/** See load-environment.ts: the same rule. */
function designEffectOf(row: EnvironmentRow): number {
  const ended = [...row.trials.values()].filter((trial) => trial.ended).slice(-TRIALS_THAT_COUNT)
  return Math.max(1, ...ended.map((trial) => trial.designEffect))
}

/** See follows.ts: the same rule. */
function askedFor(row: EnvironmentRow, { url, ref, path }: FollowedBranch): { readonly status: ReleaseRow['status']; readonly commit: string | null } | null {
  const newest = [...row.releases.values()].sort((a, b) => b.number - a.number)
  for (const { status, document, followed } of newest) {
    const { source, commit } = JSON.parse(document) as ReleaseDocument
    if (followed !== null || source.kind !== 'git' || source.url !== url || source.ref !== ref || source.path !== path || source.commit !== null) continue
    return { status, commit }
  }
  return null
}

function lost(cause: string): WeirError {
  return new WeirError('E_UNAVAILABLE', { message: 'the store cannot be reached', cause })
}
