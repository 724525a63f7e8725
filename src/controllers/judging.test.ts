import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as soon } from 'node:timers/promises'
import { STANDARD_ANALYSIS } from '../core/canary/analysis.ts'
import type { CountedEvidence } from '../core/model/evidence.ts'
import type { CounterBlock } from '../core/model/routing.ts'
import type { Seen } from '../core/plan/seen.ts'
import { type EnvironmentState, INITIAL_STATE, type ReplicaRecord, type Rollout } from '../core/rollout/state.ts'
import { changes, graphOf, handClock } from '../store/journal-contract.ts'
import { SimulatedJournal } from '../store/simulated.ts'
import { SimulatedStore } from '../store/simulated-store.ts'
import { type Beside, type BesideRequest, NOTHING_BESIDE } from './beside.ts'
import type { EnvironmentRecord } from './journal.ts'
import { Judges } from './judging.ts'

const ORIGINS = { 1: { web: 1 }, 2: { web: 2 } } as const

async function court(beside: Beside = { sideEvidence: async () => NOTHING_BESIDE }) {
  const store = new SimulatedStore()
  const clock = handClock()
  const journal = new SimulatedJournal(store, clock)
  const id = store.createEnvironment({ tenant: 'acme', app: 'shop', environment: 'production' })
  const epoch = (await journal.acquire('a', false)) ?? 0
  let sequence = 0
  let hurried = 0
  const open = () => new Judges({ journal, beside, clock, hurry: () => hurried++ })
  const count = async (
    canary: readonly [requests: number, errors: number],
    stable: readonly [requests: number, errors: number],
    more: Partial<CountedEvidence> = {},
  ) => {
    const sides = [
      ['canary', 'e1-web-v2-2', ...canary],
      ['stable', 'e1-web-v1-1', ...stable],
    ] as const
    const common = (requests: number, errors: number) => ({ requests, errors, rejected4xx: 0, timed: 0, slow: [0, 0, 0, 0, 0] })
    const evidence: CountedEvidence = {
      environment: id,
      rollout: 'r2',
      stage: 1,
      fromMs: clock.wall() - 250,
      toMs: clock.wall(),
      rows: sides.map(([side, , requests, errors]) => ({ service: 'web', route: '/', side, ...common(requests, errors) })),
      replicas: sides.map(([side, replica, requests, errors]) => ({ service: 'web', replica, side, ...common(requests, errors) })),
      clients: [],
      ...more,
    }
    const block: CounterBlock = { incarnation: 'w1', sequence: ++sequence, from: 0, to: 1, rows: [], evidence: [evidence] }
    await journal.commitCounters(epoch, [block, block])
    clock.pass(250)
  }
  const record = (rollout: Partial<Rollout> | null, state: Partial<EnvironmentState> = {}): EnvironmentRecord => ({
    id,
    tenant: 'acme',
    app: 'shop',
    environment: 'production',
    appNumber: 1,
    port: 8100,
    state: { ...INITIAL_STATE, current: 1, replicas: REPLICAS, rollout: rollout && ({ ...ROLLOUT, ...rollout } as Rollout), ...state },
    trouble: null,
    commands: [],
    releases: Object.fromEntries([1, 2].map((number) => [number, { ...RELEASE, number, origins: ORIGINS[number as 1 | 2] }])),
    answers: null,
    designEffect: 1,
  })
  return { journal, clock, epoch, id, open, count, record, hurried: () => hurried }
}

const RELEASE = {
  graph: graphOf(),
  artifacts: {},
  configuration: { environment: {}, secrets: {} },
  fingerprints: {},
  promoted: false,
  commit: null,
  source: { kind: 'upload', digest: 'd', label: 'shop' },
} as const
const replica = (origin: number, died?: ReplicaRecord['died']): ReplicaRecord => ({
  service: 'web',
  origin,
  since: 0,
  retired: null,
  stale: false,
  ...(died ? { died } : {}),
})
const seenWith = (canary: string) =>
  ({
    replicas: new Map([
      ['e1-web-v1-1', { phase: 'ready' }],
      ['e1-web-v2-2', { phase: canary }],
    ]),
  }) as unknown as Seen
const SEEN = seenWith('ready')
const REPLICAS = { 'e1-web-v1-1': replica(1), 'e1-web-v2-2': replica(2) }
const ROLLOUT = {
  id: 'r2',
  kind: 'deploy',
  target: 2,
  base: 1,
  stages: [[{ service: 'web', manner: 'beside' }]],
  phase: { name: 'splitting', step: 0, weight: 10, since: 0 },
  judging: {
    analysis: STANDARD_ANALYSIS,
    unit: 'request',
    designEffect: 1,
    stage: 1,
    since: 0,
    thresholds: {},
    verdict: null,
    rules: [],
    onInconclusive: { kind: 'hold' },
  },
}

test('a canary that fails is found from what was stored, each block once, and a judge of another server comes to the same', async () => {
  const { open, count, record, hurried } = await court()
  const judges = open()
  assert.equal(judges.isBusy, false)
  const first = await judges.look(record({}), SEEN)
  assert.equal(first.judgement?.verdict?.kind, 'inconclusive')
  assert.equal(hurried(), 1, 'counters are taken often from now on')
  for (let at = 0; at < 6; at++) await count([5, 4], [45, 0])
  const { judgement, look } = await judges.look(record({}), SEEN)
  assert.equal(judgement?.verdict?.kind, 'fail', judgement?.verdict?.text)
  assert.deepEqual(judgement.verdict.counted, { canary: 30, stable: 270, unit: 'requests' })
  assert.equal(look?.cursor, judgement.cursor)
  const other = await open().look(record({}), SEEN)
  assert.deepEqual(other.judgement, judgement)
})

test('a look is stored when it says something else, and else not more often than people can read', async () => {
  const { open, count, record, clock, id } = await court()
  const judges = open()
  const look = async () => {
    const found = await judges.look(record({}), SEEN)
    judges.stored(id, found)
    return found.look?.verdict.kind ?? null
  }
  assert.equal(await look(), 'inconclusive')
  assert.equal(await look(), null)
  clock.pass(2_000)
  assert.equal(await look(), 'inconclusive')
  for (let at = 0; at < 6; at++) await count([5, 4], [45, 0])
  assert.equal(await look(), 'fail', 'at once')
  assert.equal(await look(), null)
})

test('while it starts nothing is judged, and the thresholds are made of what serves', async () => {
  const { open, record, journal, epoch, id, count } = await court()
  const row = { environment: id, version: { epoch: 1, n: 1 }, hop: 'entry', track: 'stable', service: 'web', origin: 1, route: '/' } as const
  const counts = { requests: 200, errors: 0, rejected4xx: 0, aborted: 0, html: 0, latency: [100, 200] }
  await journal.commitCounters(epoch, [{ incarnation: 'w9', sequence: 1, from: 0, to: 1, rows: [{ ...row, ...counts }], evidence: [] }])
  await count([5, 5], [5, 0])
  const { judgement, look } = await open().look(record({ phase: { name: 'starting', stage: 0, since: 0 } }), SEEN)
  assert.deepEqual([judgement?.verdict, look], [null, null])
  assert.deepEqual(Object.keys(judgement?.thresholds['web'] ?? {}), ['/'])
})

test('deaths from before the rollout are nobody’s, also after another server has taken over', async () => {
  const { open, record, journal, epoch, id } = await court()
  const dead = (stable: number, canary: number) => ({
    replicas: { 'e1-web-v1-1': replica(1, { count: stable, cause: 'exited with 1' }), 'e1-web-v2-2': replica(2, { count: canary, cause: 'exited with 7' }) },
  })
  const judges = open()
  const { look } = await judges.look(record({}, dead(3, 0)), SEEN)
  assert.deepEqual(look?.side.deaths, [])
  const summary = {
    id: 'r2',
    kind: 'deploy',
    target: 2,
    base: 1,
    by: 'ann',
    strategy: 'canary',
    phase: 'splitting',
    weight: 10,
    outcome: null,
    because: null,
  } as const
  await journal.commitEnvironment(epoch, id, changes({}, { rollouts: [{ ...summary, look }] }))
  const { judgement, look: later } = await open().look(record({}, dead(3, 2)), SEEN)
  assert.equal(judgement?.verdict?.kind, 'fail', 'two deaths of the canary, none of stable')
  assert.deepEqual(
    later?.side.deaths.map((it) => [it.side, it.count]),
    [['canary', 2]],
  )
})

test('what is asked beside requests names the sides, and no answer or a bad one holds nothing up', async () => {
  const asked: BesideRequest[] = []
  const { open, record, clock } = await court({
    sideEvidence: (request) => {
      asked.push(request)
      return asked.length === 1
        ? Promise.reject(new Error('away'))
        : Promise.resolve({ ...NOTHING_BESIDE, signatures: [{ signature: 's', service: 'web', canary: 1, stable: 0 }] })
    },
  })
  const judges = open()
  await judges.look(record({}), SEEN)
  await soon()
  assert.deepEqual(asked[0]?.services, [{ service: 'web', stable: 1, canary: 2 }])
  assert.deepEqual(
    asked[0]?.replicas.map((it) => it.side),
    ['stable', 'canary'],
  )
  await judges.look(record({}), SEEN)
  assert.equal(asked.length, 1, 'once a second')
  clock.pass(1_000)
  await judges.look(record({}), SEEN)
  await soon()
  clock.pass(2_000)
  const { look } = await judges.look(record({}), SEEN)
  assert.equal(look?.side.signatures[0]?.signature, 's')
})

test('copies do not count for the split that follows them', async () => {
  const { open, record, count } = await court()
  await count([50, 50], [50, 0], { stage: 0 })
  const { judgement } = await open().look(record({}), SEEN)
  assert.equal(judgement?.verdict?.kind, 'inconclusive')
  assert.equal(judgement.verdict.counted.canary, 0)
})

test('a trial is judged silently, and its last word is stored when it is over', async () => {
  const { open, record, count, id } = await court()
  const trial = { id: 'aa-1', release: 1, analysis: STANDARD_ANALYSIS, unit: 'request', thresholds: {}, until: 1e9 } as const
  const judges = open()
  await count([10, 0], [90, 1], { rollout: 'aa-1', stage: 0 })
  const found = await judges.look(record(null, { trial }), SEEN)
  assert.equal(found.look, null)
  assert.equal(found.judgement?.rollout, 'aa-1')
  assert.deepEqual(
    found.trials.map(({ requests, alarm, ended }) => ({ requests, alarm, ended })),
    [{ requests: 100, alarm: false, ended: false }],
  )
  judges.stored(id, found)
  const { trials, judgement } = await judges.look(record(null), SEEN)
  assert.deepEqual([trials[0]?.ended, judgement, judges.isBusy], [true, null, false])
})

test('a canary without a ready replica fails when it stays so, and not by one look', async () => {
  const { open, record, clock } = await court()
  const judges = open()
  const kinds: (string | undefined)[] = []
  for (const phase of ['unready', 'unready', 'ready', 'waiting', 'waiting']) {
    kinds.push((await judges.look(record({}), seenWith(phase))).judgement?.verdict?.kind)
    clock.pass(2_900)
  }
  clock.pass(200)
  kinds.push((await judges.look(record({}), seenWith('waiting'))).judgement?.verdict?.kind)
  assert.deepEqual(kinds, [...Array.from({ length: 5 }, () => 'inconclusive'), 'fail'])
})
