import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Listener, outgoingOf } from './match.ts'
import { messageOf, type PlacedEvent } from './message.ts'
import { retryInMs } from './retry.ts'
import { TOLD_KINDS, topicOf } from './topics.ts'

const event = (kind: string, data: Record<string, unknown> = {}, release: number | null = 43): PlacedEvent & { seq: number } => ({
  seq: 5,
  at: '2026-01-02T03:04:05.000Z',
  tenant: 'acme',
  app: 'shop',
  environment: 'production',
  kind,
  text: 'what happened',
  release,
  data,
})

test('each event that matters to people has its topic, and its line', () => {
  const table: readonly [PlacedEvent, string | null, string?][] = [
    [event('rollout.started', { base: 42 }), 'started', 'v43 takes over'],
    [event('rollout.started', { base: null }), 'started', 'v43 takes over'],
    [event('rollout.started', { base: 44 }), 'rollback', 'going back to v43'],
    [event('rollout.verdict', { verdict: 'pass' }), 'verdict', 'v43 is proven'],
    [event('rollout.verdict', { verdict: 'fail' }), 'verdict', 'v43 is worse and goes back'],
    [event('rollout.verdict', { verdict: 'inconclusive' }), 'verdict', 'v43: no verdict yet'],
    [event('rollout.waits', { for: 'approval' }), 'approval', 'v43 waits for approval'],
    [event('rollout.waits', { for: 'decision' }), 'verdict', 'v43: no verdict yet'],
    [event('rollout.waits', { for: 'evidence' }), null],
    [event('rollout.phase', { phase: { name: 'held' } }), 'stuck', 'v43 is held and needs a person'],
    [event('rollout.phase', { phase: { name: 'splitting' } }), null],
    [event('rollout.promoted'), 'promoted', 'v43 serves'],
    [event('rollout.failed'), 'rollback', 'v43 was not taken'],
    [event('rollout.aborted'), 'rollback', 'v43 was not taken'],
    [event('environment.stuck', {}, null), 'stuck', 'the environment is stuck'],
    [event('environment.goes-on', {}, null), 'stuck', 'goes on again'],
    [event('release.stuck'), 'stuck', 'v43 is stuck'],
    [event('replica.died'), null],
  ]
  for (const [it, topic, line] of table) {
    assert.equal(topicOf(it), topic, it.kind)
    assert.equal(messageOf(it)?.title, line && `shop/production: ${line}`, it.kind)
    if (topic !== null) assert.ok((TOLD_KINDS as readonly string[]).includes(it.kind), `${it.kind} is asked for`)
  }
})

test('what processes printed stays inside', () => {
  const because = { code: 'E_REJECTED', text: 'web: 41 of 52 errors', lines: ['password=swordfish'] }
  const message = messageOf(event('rollout.failed', { rollout: 'r1', because, lines: ['swordfish'], replica: 'swordfish' }))
  assert.deepEqual(message?.because, { code: 'E_REJECTED', text: 'web: 41 of 52 errors' })
  assert.ok(!JSON.stringify(message).includes('swordfish'))
})

test('a target hears of its tenant, app, environment and topics only, and of nothing that was before it', () => {
  const listener: Listener = { id: 1, tenant: 'acme', app: 'shop', environment: 'production', topics: ['promoted'], afterEvent: 4 }
  const heard = (more: Partial<Listener>) => outgoingOf([event('rollout.promoted')], [{ ...listener, ...more }]).length === 1
  assert.ok(heard({}) && heard({ environment: null }) && heard({ app: null, environment: null }))
  for (const other of [{ tenant: 'globex' }, { app: 'cart' }, { environment: 'staging' }, { topics: ['stuck' as const] }, { afterEvent: 5 }])
    assert.ok(!heard(other))
})

test('waits grow to an hour, differ by chance, keep to what the receiver asks for, and fit a day', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 99].map((failures) => retryInMs(failures, 0, null)),
    [1_000, 4_000, 16_000, 64_000, 256_000, 1_024_000, 3_600_000, 3_600_000],
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 0.999, noNaN: true }), fc.option(fc.nat()), (failures, chance, asked) => {
      const ms = retryInMs(failures, chance, asked)
      assert.ok(ms >= 500 && ms <= 3_600_000)
      assert.ok(asked === null || ms >= Math.min(asked, 3_600_000))
    }),
  )
})
