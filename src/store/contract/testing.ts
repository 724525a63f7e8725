import assert from 'node:assert/strict'
import type { EnvironmentChanges, Journal, NewEvent, ReleaseKey } from '../../controllers/journal.ts'
import type { AppGraph, Service } from '../../core/model/app-graph.ts'
import type { SourceRef } from '../../core/model/release.ts'
import type { CounterBlock, CounterRow } from '../../core/model/routing.ts'
import type { Clock } from '../../core/model/world.ts'
import { type Command, type EnvironmentState, INITIAL_STATE } from '../../core/rollout/state.ts'
import type { EnvironmentRef } from '../queries.ts'

/** One store, for one test; several journals on it are several servers. */
export interface JournalFixture {
  journal(clock: Clock): Journal
  ensureEnvironment(ref: EnvironmentRef): Promise<string>
  createRelease(ref: EnvironmentRef, source: SourceRef, whenBusy: 'wait' | 'supersede'): Promise<ReleaseKey>
  addCommand(ref: EnvironmentRef, command: Exclude<Command, { kind: 'deploy' }>): Promise<number>
  follow(ref: EnvironmentRef, branch: { readonly url: string; readonly ref: string; readonly path: string }): Promise<void>
  outcome(ref: EnvironmentRef, command: number): Promise<{ readonly outcome: string; readonly code: string | null; readonly rollout: string | null } | null>
  /** Kinds of the tenant's events, in order. */
  events(tenant: string): Promise<readonly string[]>
  /** Requests counted for an environment. */
  requests(ref: EnvironmentRef): Promise<number>
}

/** One sentence that holds for every journal. */
export type Contract = (sentence: string, run: (fixture: JournalFixture) => Promise<void>) => void

export const SHOP: EnvironmentRef = { tenant: 'acme', app: 'shop', environment: 'production' }
export const UPLOAD: SourceRef = { kind: 'upload', digest: 'sha256:up', label: 'shop' }
export const BRANCH = { url: 'https://git.example.com/shop.git', ref: 'main', path: '' }
export const ARTIFACT = { kind: 'slug', digest: 'sha256:1', key: 'k1', bytes: 10, command: ['node', 'server.js'], runtime: null } as const
export const ROLLOUT = {
  id: 'e1-r1',
  kind: 'deploy',
  target: 2,
  base: 1,
  by: 'ann',
  startedAt: 3,
  strategy: 'rolling',
  stages: [[{ service: 'web', manner: 'beside' }]],
  removed: [],
  split: null,
  steps: [],
  keepMs: 300_000,
  paused: false,
} as const

export function changes(state: Partial<EnvironmentState>, also: Partial<EnvironmentChanges> = {}): EnvironmentChanges {
  return {
    state: { ...INITIAL_STATE, ...state },
    consumed: [],
    origins: [],
    promoted: [],
    rollouts: [],
    trials: [],
    operations: [],
    events: [],
    removed: false,
    ...also,
  }
}

export function event(kind: string): NewEvent {
  return { kind, text: kind, service: null, release: null, data: {} }
}

export function graphOf(routes: Service['routes'] = []): AppGraph {
  const web: Service = {
    name: 'web',
    artifact: { kind: 'build', context: '.', command: null, output: null },
    command: null,
    ports: { http: { number: 8080, protocol: 'http' } },
    routes,
    dependsOn: {},
    calls: [],
    uses: [],
    healthcheck: { kind: 'tcp', port: 'http', intervalMs: 1000, timeoutMs: 1000, retries: 3, startPeriodMs: 10_000 },
    environment: {},
    secrets: [],
    limits: { cpu: 1, memoryBytes: 268_435_456 },
    stop: { signal: 'SIGTERM', graceMs: 10_000 },
    volumes: [],
    preStart: [],
    scale: { min: 1, max: 1 },
    scaler: 'manual',
    release: { strategy: 'rolling', steps: [], split: null, keepMs: 300_000 },
    objectives: {},
  }
  return { app: 'shop', format: 'weir', services: { web }, resources: {}, jobs: {}, entry: routes.length === 0 ? { service: 'web', port: 'http' } : null }
}

/** A clock moved by hand: `pass` lets time go by, `jump` is somebody setting the wall clock. */
export function handClock(start = 0): Clock & { pass(ms: number): void; jump(ms: number): void } {
  let monotonic = start
  let wall = 1_700_000_000_000
  return {
    monotonic: () => monotonic,
    wall: () => wall,
    after: () => () => {},
    pass: (ms) => {
      monotonic += ms
      wall += ms
    },
    jump: (ms) => {
      wall += ms
    },
  }
}

export async function leader(fixture: JournalFixture): Promise<{ journal: Journal; epoch: number }> {
  const journal = fixture.journal(handClock())
  return { journal, epoch: await lead(journal, 'leader') }
}

export async function lead(journal: Journal, holder: string, force = false): Promise<number> {
  return must(await journal.acquire(holder, force))
}

export async function ready(fixture: JournalFixture, journal: Journal, epoch: number, digest = 'sha256:1'): Promise<ReleaseKey> {
  const key = await fixture.createRelease(SHOP, UPLOAD, 'wait')
  await journal.commitRelease(epoch, key, {
    status: 'ready',
    graph: graphOf(),
    artifacts: { web: { ...ARTIFACT, digest } },
    fingerprints: { web: digest },
    events: [],
  })
  return key
}

export function block(incarnation: string, sequence: number, environment: string, requests: number, more: Partial<CounterRow> = {}): CounterBlock {
  const row = {
    environment,
    version: { epoch: 1, n: 1 },
    hop: 'entry',
    track: 'stable',
    service: 'web',
    origin: 1,
    route: '/',
    requests,
    errors: 0,
    rejected4xx: 0,
    aborted: 0,
    html: 0,
    latency: [10, requests],
    ...more,
  } as const
  return { incarnation, sequence, from: 0, to: 1000, rows: [row], evidence: [] }
}

export function must<T>(value: T | null | undefined): T {
  assert.ok(value !== null && value !== undefined)
  return value
}

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 5_000
  while (!(await holds())) {
    if (performance.now() > end) assert.fail('did not happen within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
