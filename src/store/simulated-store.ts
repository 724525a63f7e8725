import type {
  FollowedBranch,
  Journal,
  NewEvent,
  OperationRow,
  ReleaseChanges,
  ReleaseKey,
  ReleaseRecord,
  RolloutSummary,
  StoredEvidence,
  TrialSummary,
  Trouble,
} from '../controllers/journal.ts'
import type { AppGraph } from '../core/model/app-graph.ts'
import type { Epoch } from '../core/model/epoch.ts'
import type { Artifact, Configuration, Release, SourceRef } from '../core/model/release.ts'
import type { CounterRow } from '../core/model/routing.ts'
import { type Because, type Command, type EnvironmentState, INITIAL_STATE } from '../core/rollout/state.ts'
import { WeirError } from '../errors.ts'
import { storable } from './json.ts'
import type { LeaseRow } from './lease.ts'
import type { EnvironmentRef } from './queries.ts'
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
  /** JSON of EvidenceBlocks, in order. */
  readonly evidence: { readonly environment: string; readonly rollout: string; readonly seq: StoredEvidence['seq']; readonly block: string }[] = []
  evidenceSeq = 0
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
        commit: null,
        notes: [],
        because: null,
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
    const key = this.createRelease(environment, {
      source: { kind: 'upload', digest: `sha256:${environment}/${this.must(environment).nextRelease}`, label: 'simulated' },
      ...rest,
    })
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
      commit: changes.commit?.commit ?? before.commit,
      notes: [...before.notes, ...(notes ?? [])],
      because: (changes.because ?? null) as Trouble | null,
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

export interface EnvironmentRow {
  readonly id: string
  readonly number: number
  readonly ref: EnvironmentRef
  state: string
  /** JSON of a Trouble. */
  trouble: string | null
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
  readonly trials: Map<string, TrialSummary>
  readonly operations: Map<string, OperationRow>
  follows: FollowedBranch[]
  routes: { readonly host: string | null; readonly path: string }[]
}
export interface ReleaseRow {
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
export interface ReleaseDocument {
  readonly source: SourceRef
  readonly configuration: Configuration
  readonly graph: AppGraph | null
  readonly artifacts: Readonly<Record<string, Artifact>>
  readonly fingerprints: Readonly<Record<string, string>>
  readonly origins: Readonly<Record<string, number>> | null
  readonly commit: string | null
  readonly notes: readonly string[]
  readonly because: Trouble | null
}

function emptyRow(number: number, ref: EnvironmentRef): EnvironmentRow {
  return {
    id: `e${number}`,
    number,
    ref,
    state: storable(INITIAL_STATE),
    trouble: null,
    removed: false,
    nextRelease: 1,
    promotions: 0,
    commands: [],
    releases: new Map(),
    rollouts: new Map(),
    trials: new Map(),
    operations: new Map(),
    follows: [],
    routes: [],
  }
}

/** `*.example.com` covers `a.example.com`, and every host itself. */
function covers(pattern: string, host: string): boolean {
  return pattern === host || (pattern.startsWith('*.') && host.slice(host.indexOf('.')) === pattern.slice(1))
}

export function sameEnvironment(a: EnvironmentRef, b: EnvironmentRef): boolean {
  return a.tenant === b.tenant && a.app === b.app && a.environment === b.environment
}
