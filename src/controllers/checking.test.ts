import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as soon } from 'node:timers/promises'
import type { Seen } from '../core/plan/seen.ts'
import { INITIAL_STATE } from '../core/rollout/state.ts'
import type { Driver } from '../drivers/driver.ts'
import { graphOf, handClock } from '../store/journal-contract.ts'
import { Checks } from './checking.ts'
import type { EnvironmentRecord, Journal, RouteLatency } from './journal.ts'

const graph = graphOf()
const web = { ...graph.services['web'], probes: { home: { path: '/home', expect: 200, timeoutMs: 500, everyMs: 1000 } } }
const CHECKS = { before: [{ service: 'web', probe: 'home', port: 'http' }], after: { forMs: 60_000, errors: 0.05 } }

function checked(answers: readonly { ok: boolean; cause: string | null }[], counted: readonly RouteLatency[] = []) {
  const clock = handClock(10_000)
  const asked: string[] = []
  const driver = { ask: async (id: string, { path }: { path: string }) => (asked.push(`${id}${path}`), answers[asked.length - 1]) } as unknown as Driver
  const journal = { now: () => 5_000, loadLatencies: async () => counted } as unknown as Journal
  let answered = 0
  const checks = new Checks({ driver, journal, clock, answered: () => answered++ })
  const replica = (origin: number) => ({ service: 'web', origin, since: 0, retired: null, stale: false })
  const look = (name: 'checking' | 'watching' | 'splitting') =>
    checks.look(
      {
        id: 'e1',
        state: {
          ...INITIAL_STATE,
          replicas: { old: replica(1), fresh: replica(2) },
          rollout: { id: 'r2', target: 2, checks: CHECKS, phase: { name, since: 1_000 }, stages: [[{ service: 'web', manner: 'beside' }]] },
        },
        releases: { 2: { graph: { services: { web } }, origins: { web: 2 } } },
      } as unknown as EnvironmentRecord,
      { replicas: new Map(['old', 'fresh'].map((id) => [id, { phase: 'ready' }])) } as unknown as Seen,
    )
  return { look, asked, clock, answered: () => answered }
}

test('the new replicas are asked, and no others; good answers are counted and bad ones in a row', async () => {
  const bad = { ok: false, cause: 'GET /home answered 503' }
  const { look, asked, clock, answered } = checked([bad, bad, { ok: true, cause: null }])
  assert.deepEqual((await look('checking'))?.checks, [], 'asked, not yet answered')
  await soon()
  assert.equal(answered(), 1)
  assert.deepEqual((await look('checking'))?.checks, [{ service: 'web', probe: 'home', good: 0, badInARow: 1, cause: bad.cause }])
  assert.deepEqual(asked, ['fresh/home'], 'once a second')
  for (const _ of [2, 3]) {
    clock.pass(1_000)
    await look('checking')
    await soon()
  }
  assert.deepEqual((await look('checking'))?.checks, [{ service: 'web', probe: 'home', good: 1, badInARow: 0, cause: null }])
  assert.deepEqual((await look('watching'))?.checks, [], 'another phase begins anew')
})

test('after the switch the requests that the new release answered are counted; elsewhere nothing is', async () => {
  const row = { service: 'web', origin: 2, route: '/', requests: 40, errors: 3, latency: [] }
  const { look } = checked([], [row, { ...row, route: '/a', requests: 2, errors: 0 }, { ...row, origin: 1 }, { ...row, service: 'db' }])
  assert.deepEqual((await look('watching'))?.served, { requests: 42, errors: 3 })
  assert.equal((await look('checking'))?.served, null)
  assert.equal(await look('splitting'), null)
})
