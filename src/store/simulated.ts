import type {
  EnvironmentChanges,
  EnvironmentRecord,
  FollowedBranch,
  Journal,
  Kept,
  NewEvent,
  OperationRow,
  ReleaseChanges,
  ReleaseKey,
  ReleaseRecord,
  RetentionPolicy,
  RolloutSummary,
} from '../controllers/journal.ts'
import type { AppGraph } from '../core/model/app-graph.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Artifact, Configuration, Release, SourceRef } from '../core/model/release.ts'
import type { CounterBlock, CounterRow } from '../core/model/routing.ts'
import type { Clock } from '../core/model/world.ts'
import { type Because, type Command, type EnvironmentState, INITIAL_STATE } from '../core/rollout/state.ts'
import { WeirError } from '../errors.ts'
import { storable } from './json.ts'
import { Lease, type LeaseRow, type LeaseTable, staleEpoch } from './lease.ts'
import type { EnvironmentRef } from './queries.ts'
import { releaseOfCommand, releasesNamed } from './summary.ts'
import { routesOf } from './writes.ts'

/**
 * What may go wrong with a call to the store.
 *
 * | fault         | applied | the caller gets                                        |
 * |---------------|---------|--------------------------------------------------------|
 * | unavailable   | no      | E_UNAVAILABLE                                          |
 * | lost-answer   | yes     | E_UNAVAILABLE: the connection was cut after the commit |
 */
export type StoreFault = 'unavailable' | 'lost-answer'
export type StoreCall = Exclude<keyof Journal, 'now' | 'watch'> | 'hint'

/**
 * A store in memory that behaves like the real one, for the simulation: what is in it survives any server; each server opens a
 * `SimulatedJournal` on it. Everything is kept as JSON text, so nobody shares objects with the store. Nothing here takes time or chance:
 * faults come from `fault`, which the simulation decides by its seed.
 *
 * @example
 * const store = new SimulatedStore()
 * const id = store.createEnvironment({ tenant: 'acme', app: 'shop', environment: 'production' })
 * store.createReadyRelease(id, { graph, artifacts, fingerprints })
 * store.fault = (call) => (call === 'commitEnvironment' && random.next() < 0.01 ? 'lost-answer' : null)
 * const journal = new SimulatedJournal(store, clock)
 */
export class SimulatedStore {
  /** null: the call goes well. `hint` with any fault: the hint is lost. */
  fault: (call: StoreCall) => StoreFault | null = () => null
  /** Everything that was ever appended, oldest first. */
  readonly events: (NewEvent & { readonly environment: string })[] = []
  lease: LeaseRow & { readonly clockMs: number } = { epoch: 0, holder: null, renewals: 0, clockMs: 0 }
  readonly rows = new Map<string, EnvironmentRow>()
  readonly blocks = new Set<string>()
  readonly counters: CounterRow[] = []
  readonly listeners = new Set<(key: string) => void>()
  #environments = 0
  #commands = 0
  #follows = 0

  /** Makes it, or finds it. */
  createEnvironment(ref: EnvironmentRef): string {
    const present = [...this.rows.values()].find((row) => sameEnvironment(row.ref, ref))
    if (present && !present.removed) return present.id
    const row = present ?? emptyRow(++this.#environments, ref)
    if (present) {
      const { nextSerial, nextRollout, table } = JSON.parse(present.state) as EnvironmentState
      present.removed = false
      present.state = storable({ ...INITIAL_STATE, nextSerial, nextRollout, table: table && { ...table, digest: '' } })
    }
    this.rows.set(row.id, row)
    this.hint(`env:${row.id}`)
    return row.id
  }

  createRelease(
    environment: string,
    release: {
      readonly source: SourceRef
      readonly whenBusy?: 'wait' | 'supersede'
      readonly by?: string
      readonly configuration?: Configuration
      readonly followed?: string
    },
  ): ReleaseKey {
    const row = this.must(environment)
    const number = row.nextRelease++
    const configuration = release.configuration ?? { environment: {}, secrets: {} }
    row.releases.set(number, {
      number,
      status: 'queued',
      document: storable({
        source: release.source,
        configuration,
        graph: null,
        artifacts: {},
        fingerprints: {},
        origins: null,
        notes: [],
      } satisfies ReleaseDocument),
      by: release.by ?? 'ann',
      whenBusy: release.whenBusy ?? 'wait',
      followed: release.followed ?? null,
      promoted: 0,
    })
    const key = { environment, number }
    this.append(environment, [{ kind: 'release.created', text: `v${number}`, service: null, release: number, data: {} }])
    this.hint(`release:${environment}/${number}`)
    return key
  }

  /** A release with everything built, and its deploy command. Throws `E_CONFLICT` for a route that another environment has. */
  createReadyRelease(
    environment: string,
    release: Pick<Release, 'graph' | 'artifacts' | 'fingerprints'> & {
      readonly configuration?: Configuration
      readonly whenBusy?: 'wait' | 'supersede'
      readonly by?: string
    },
  ): number {
    const { graph, artifacts, fingerprints, ...rest } = release
    const key = this.createRelease(environment, { source: { kind: 'upload', digest: `sha256:${environment}`, label: 'simulated' }, ...rest })
    this.changeRelease(key, { status: 'ready', graph, artifacts, fingerprints, events: [] })
    return key.number
  }

  addCommand(environment: string, command: Command, by = 'ann'): number {
    const row = this.must(environment)
    const id = ++this.#commands
    row.commands.push({ id, by, command: storable(command), outcome: 'pending', refused: null, rollout: null })
    this.hint(`env:${environment}`)
    return id
  }

  outcome(command: number): { readonly outcome: 'pending' | 'consumed' | 'refused'; readonly refused: Because | null; readonly rollout: string | null } | null {
    for (const row of this.rows.values()) {
      const found = row.commands.find((stored) => stored.id === command)
      if (found) return { outcome: found.outcome, refused: found.refused, rollout: found.rollout }
    }
    return null
  }

  follow(environment: string, branch: { readonly url: string; readonly ref: string; readonly path: string }): FollowedBranch {
    const row = this.must(environment)
    const same = row.follows.find((it) => it.url === branch.url && it.ref === branch.ref && it.path === branch.path)
    const followed = same ?? { id: ++this.#follows, environment, tenant: row.ref.tenant, ...branch, lastCommit: null }
    if (!same) row.follows.push(followed)
    this.hint('follow')
    return followed
  }

  /** Another server takes the lease, as after a long pause of its holder. */
  seizeLease(holder: string): Epoch {
    this.lease = { ...this.lease, epoch: this.lease.epoch + 1, renewals: this.lease.renewals + 1, holder }
    return this.lease.epoch
  }

  /** What a SimulatedJournal does to a release once the epoch is checked. */
  changeRelease(key: ReleaseKey, changes: ReleaseChanges): void {
    const row = this.rows.get(key.environment)
    const release = row?.releases.get(key.number)
    if (!row || !release) throw new WeirError('E_NOT_FOUND', { message: `no release v${key.number} in ${key.environment}` })
    if (release.status === 'ready' || release.status === 'failed')
      throw new WeirError('E_CONFLICT', { message: `release v${key.number} is ${release.status} and cannot change any more` })
    const { graph, artifacts, fingerprints, notes } = changes
    const before = JSON.parse(release.document) as ReleaseDocument
    const after = {
      ...before,
      graph: graph ?? before.graph,
      artifacts: artifacts ?? before.artifacts,
      fingerprints: fingerprints ?? before.fingerprints,
      notes: [...before.notes, ...(notes ?? [])],
    }
    if (changes.status === 'ready') {
      if (!after.graph) throw new WeirError('E_INTERNAL', { message: `release v${key.number} is ready without a graph` })
      this.#claim(row, after.graph)
    }
    release.status = changes.status
    release.document = storable(after)
    if (changes.status === 'ready') this.addCommand(key.environment, { kind: 'deploy', release: key.number, whenBusy: release.whenBusy }, release.by)
    this.append(key.environment, changes.events)
  }

  append(environment: string, events: readonly NewEvent[]): void {
    this.events.push(...events.map((event) => ({ ...(JSON.parse(storable(event)) as NewEvent), environment })))
  }

  hint(key: string): void {
    if (this.fault('hint') !== null) return
    for (const listener of this.listeners) listener(key)
  }

  must(environment: string): EnvironmentRow {
    const row = this.rows.get(environment)
    if (!row || row.removed) throw new WeirError('E_NOT_FOUND', { message: `no environment ${environment}` })
    return row
  }

  #claim(row: EnvironmentRow, graph: AppGraph): void {
    const wanted = routesOf(graph)
    for (const other of this.rows.values()) {
      if (other === row) continue
      const sameTenant = other.ref.tenant === row.ref.tenant
      const clash = wanted.find((a) =>
        other.routes.some(
          (b) =>
            (a.host === b.host && a.path === b.path) ||
            (!sameTenant && a.host !== null && b.host !== null && (covers(a.host, b.host) || covers(b.host, a.host))),
        ),
      )
      if (clash) throw new WeirError('E_CONFLICT', { message: `the route ${clash.host ?? '(any host)'}${clash.path} is taken` })
    }
    row.routes.push(...wanted)
  }
}

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
        commands,
        releases,
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
      for (const rollout of changes.rollouts) present.rollouts.set(rollout.id, rollout)
      for (const operation of changes.operations) present.operations.set(operation.id, operation)
      this.#store.append(id, changes.events)
      const now = this.now()
      if (this.#store.lease.clockMs < now) this.#store.lease = { ...this.#store.lease, clockMs: now }
      if (changes.removed) this.#forget(present, changes.state.removing?.withData ?? false)
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
      const { source, configuration, graph, artifacts } = JSON.parse(release.document) as ReleaseDocument
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
        configuration,
        graph,
        artifacts,
        by: release.by,
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
      row.follows[at] = { ...branch, lastCommit: seen.commit }
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
      for (const { incarnation, sequence, rows } of blocks) {
        const name = `${incarnation} ${sequence}`
        if (this.#store.blocks.has(name)) continue
        this.#store.blocks.add(name)
        this.#store.counters.push(...rows)
      }
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

export interface EnvironmentRow {
  readonly id: string
  readonly number: number
  readonly ref: EnvironmentRef
  state: string
  removed: boolean
  nextRelease: number
  promotions: number
  readonly commands: {
    readonly id: number
    readonly by: string
    readonly command: string
    outcome: 'pending' | 'consumed' | 'refused'
    refused: Because | null
    rollout: string | null
  }[]
  readonly releases: Map<number, ReleaseRow>
  readonly rollouts: Map<string, RolloutSummary>
  readonly operations: Map<string, OperationRow>
  follows: FollowedBranch[]
  routes: { readonly host: string | null; readonly path: string }[]
}
interface ReleaseRow {
  readonly number: number
  status: ReleaseRecord['status']
  /** JSON of a ReleaseDocument. */
  document: string
  readonly by: string
  readonly whenBusy: 'wait' | 'supersede'
  readonly followed: string | null
  /** 0: never; else the place of its last promotion among the environment's. */
  promoted: number
}
interface ReleaseDocument {
  readonly source: SourceRef
  readonly configuration: Configuration
  readonly graph: AppGraph | null
  readonly artifacts: Readonly<Record<string, Artifact>>
  readonly fingerprints: Readonly<Record<string, string>>
  readonly origins: Readonly<Record<string, number>> | null
  readonly notes: readonly string[]
}

function emptyRow(number: number, ref: EnvironmentRef): EnvironmentRow {
  return {
    id: `e${number}`,
    number,
    ref,
    state: storable(INITIAL_STATE),
    removed: false,
    nextRelease: 1,
    promotions: 0,
    commands: [],
    releases: new Map(),
    rollouts: new Map(),
    operations: new Map(),
    follows: [],
    routes: [],
  }
}

function releaseOf(release: ReleaseRow): Release & { readonly origins: Readonly<Record<string, number>> | null } {
  const { graph, artifacts, configuration, source, fingerprints, origins } = JSON.parse(release.document) as ReleaseDocument
  if (!graph) throw new Error(`release v${release.number} is ready without a graph`)
  return { number: release.number, graph, artifacts, configuration, source, fingerprints, origins }
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

/** `*.example.com` covers `a.example.com`, and every host itself. */
function covers(pattern: string, host: string): boolean {
  return pattern === host || (pattern.startsWith('*.') && host.slice(host.indexOf('.')) === pattern.slice(1))
}

function sameEnvironment(a: EnvironmentRef, b: EnvironmentRef): boolean {
  return a.tenant === b.tenant && a.app === b.app && a.environment === b.environment
}

function lost(cause: string): WeirError {
  return new WeirError('E_UNAVAILABLE', { message: 'the store cannot be reached', cause })
}
