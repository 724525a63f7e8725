import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ObservedReplica } from '../core/model/replica.ts'
import type { Decision } from '../core/rollout/decide.ts'
import { type EnvironmentState, INITIAL_STATE, type ReplicaRecord, type Rollout } from '../core/rollout/state.ts'
import type { EnvironmentRecord } from './journal.ts'
import { eventsOf } from './narrate.ts'

const ID = 'e1-web-v1-1'

test('a death after the promotion is told with its exit and last lines, once', () => {
  const replica: ReplicaRecord = { service: 'web', origin: 1, since: 0, retired: null, stale: false }
  const state = (died?: ReplicaRecord['died']): EnvironmentState => ({ ...INITIAL_STATE, replicas: { [ID]: died ? { ...replica, died } : replica } })
  const seen = { replicas: new Map([[ID, { exit: { kind: 'code', code: 7 }, lastLines: ['Error: no luck'] } as unknown as ObservedReplica]]) } as never
  const told = (before: EnvironmentState, after: EnvironmentState) =>
    eventsOf({ state: before } as EnvironmentRecord, { state: after, began: [], ended: [], refused: [] } as unknown as Decision, seen)
  const once = state({ count: 1, cause: 'exited with 7: Error: no luck' })
  const [event, ...more] = told(state(), once)
  assert.deepEqual(more, [])
  assert.deepEqual([event?.kind, event?.text, event?.service, event?.release], ['replica.died', `${ID} exited with 7: Error: no luck`, 'web', 1])
  assert.deepEqual(event?.data['exit'], { kind: 'code', code: 7 })
  assert.deepEqual(event?.data['lines'], ['Error: no luck'])
  assert.deepEqual(told(once, once), [])
  assert.match(told(once, state({ count: 2, cause: 'ended by SIGKILL' }))[0]?.text ?? '', /ended by SIGKILL \(2 times now\)/)
})

test('a verdict is told when it becomes another one, and what a rollout waits for when that changes', () => {
  const rollout = (kind: 'pass' | 'fail' | 'inconclusive' | null, waits: string) =>
    ({
      id: 'r2',
      target: 2,
      base: 1,
      paused: false,
      phase: { name: 'splitting', step: 0, weight: 10, since: 0 },
      judging: { verdict: kind && { kind, text: '4 of 5 errors', needsS: null, share: 0.1, cursor: 7, at: 0 } },
      waits: { for: waits, text: 'soon', since: 0 },
    }) as unknown as Rollout
  const told = (before: Rollout | null, after: Rollout) =>
    eventsOf(
      { state: { ...INITIAL_STATE, rollout: before } } as EnvironmentRecord,
      { state: { ...INITIAL_STATE, rollout: after }, began: [], ended: [], refused: [] } as unknown as Decision,
      { replicas: new Map() } as never,
    ).map(({ kind, text }) => [kind, text])
  const open = rollout('inconclusive', 'evidence')
  assert.deepEqual(told(rollout(null, 'evidence'), open), [])
  assert.deepEqual(told(open, open), [])
  assert.deepEqual(told(open, rollout('fail', 'evidence')), [['rollout.verdict', 'v2 is worse: 4 of 5 errors']])
  assert.deepEqual(told(open, rollout('pass', 'approval')), [
    ['rollout.verdict', 'v2 is proven not to be worse: 4 of 5 errors'],
    ['rollout.waits', 'v2 waits for approval: soon'],
  ])
})
