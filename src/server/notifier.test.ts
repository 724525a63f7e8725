import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Outgoing } from '../core/notify/match.ts'
import { type DueDelivery, type Fresh, type Outbox, type Settled, startNotifier, type Tried } from './notifier.ts'

const DAY_MS = 86_400_000
const delivery = (lane: string, more: Partial<DueDelivery> = {}): DueDelivery => ({
  id: `${lane}-1`,
  lane,
  tenant: 'acme',
  message: { topic: 'started', title: lane } as DueDelivery['message'],
  address: { kind: 'slack', url: 'https://hooks.example.com/x' },
  tries: 0,
  ageMs: 0,
  ...more,
})

/** An outbox in memory, and a deliverer that does what `answers` says. */
function world(waiting: DueDelivery[], answer: (lane: string) => Promise<Tried> | Tried, epoch: number | null = 1, fresh: Fresh[] = []) {
  const settled: [string, Settled][] = []
  const sent: string[] = []
  const failures: unknown[] = []
  const filled: Outgoing[] = []
  const outbox: Outbox = {
    fresh: async () => fresh[0] ?? null,
    fill: async (_epoch, _piece, outgoing) => {
      fresh.shift()
      filled.push(...outgoing)
    },
    due: async (busy) => {
      const heads = [...new Map(waiting.toReversed().map((it) => [it.lane, it])).values()]
      return { deliveries: heads.filter((it) => !busy.includes(it.lane)), nextInMs: null, reach: 'internet' }
    },
    settle: async (_epoch, id, how) => {
      settled.push([id, how])
      waiting.splice(
        waiting.findIndex((it) => it.id === id),
        1,
      )
    },
  }
  const stop = startNotifier({
    clock: {
      monotonic: () => performance.now(),
      wall: () => Date.now(),
      after: (ms, call) => {
        const timer = setTimeout(call, ms)
        return () => clearTimeout(timer)
      },
    },
    random: { next: () => 0, hex: () => '' },
    outbox,
    epoch: () => epoch,
    eventsChanged: () => () => {},
    deliver: async ({ id }, _reach, signal) => {
      sent.push(id)
      const given = answer(id.split('-')[0] ?? '')
      const broken = new Promise<Tried>((resolve) => signal.addEventListener('abort', () => resolve(failedWith('broken off')), { once: true }))
      return Promise.race([given, broken])
    },
    failed: (error) => failures.push(error),
  })
  return { settled, sent, failures, fresh, filled, stop }
}
const failedWith = (cause: string, isFinal = false): Tried => ({ outcome: 'failed', cause, retryAfterMs: null, isFinal })
const taken: Tried = { outcome: 'delivered' }

test('one target that hangs holds up no other, and its own next message not before its turn', async () => {
  const { settled, sent, stop } = world([delivery('dead'), delivery('dead', { id: 'dead-2' }), delivery('well'), delivery('well', { id: 'well-2' })], (lane) =>
    lane === 'dead' ? new Promise<Tried>(() => {}) : taken,
  )
  await sleep(50)
  assert.deepEqual(
    settled.map(([id]) => id),
    ['well-1', 'well-2'],
  )
  assert.deepEqual(sent.toSorted(), ['dead-1', 'well-1', 'well-2'])
  await stop()
  assert.deepEqual(settled.length, 2, 'what was broken off by the end of the server is not held against the target')
})

test('many targets of one tenant leave room for those of others', async () => {
  const many = Array.from({ length: 40 }, (_, n) => delivery(`m${n}`))
  const { sent, settled, stop } = world([...many, delivery('other', { tenant: 'globex' })], (lane) => (lane === 'other' ? taken : new Promise<Tried>(() => {})))
  await sleep(50)
  assert.deepEqual([sent.length, settled.map(([id]) => id)], [9, ['other-1']])
  await stop()
})

test('a failure waits and grows; after a day, a final answer or a failed test it is given up', async () => {
  const { settled, stop } = world(
    [
      delivery('first'),
      delivery('fourth', { tries: 3 }),
      delivery('old', { ageMs: DAY_MS }),
      delivery('gone'),
      delivery('sealed', { address: null }),
      delivery('tried', { message: { topic: 'test' } as DueDelivery['message'] }),
    ],
    (lane) => failedWith('it answered 500', lane === 'gone'),
  )
  await sleep(50)
  await stop()
  const cause = 'it answered 500'
  assert.deepEqual(Object.fromEntries(settled), {
    'first-1': { outcome: 'waiting', cause, inMs: 1_000 },
    'fourth-1': { outcome: 'waiting', cause, inMs: 64_000 },
    'old-1': { outcome: 'dead', cause },
    'gone-1': { outcome: 'dead', cause },
    'sealed-1': { outcome: 'waiting', cause: 'its address cannot be opened with the key of this installation', inMs: 1_000 },
    'tried-1': { outcome: 'dead', cause },
  })
})

test('who does not lead says nothing and fills nothing', async () => {
  const { sent, filled, fresh, stop } = world([delivery('a')], () => taken, null, [{ from: 0, to: 1, events: [], listeners: [] }])
  await sleep(30)
  await stop()
  assert.deepEqual([sent, filled, fresh.length], [[], [], 1])
})

test('fresh events become messages for those who listen', async () => {
  const place = { tenant: 'acme', app: 'shop', environment: 'production' }
  const started = { ...place, seq: 7, at: '2026-01-02T03:04:05.000Z', kind: 'rollout.started', text: 'v2 takes over', release: 2, data: { base: 1 } }
  const listener = { id: 3, tenant: 'acme', app: null, environment: null, topics: ['started' as const], afterEvent: 0 }
  const { filled, fresh, stop } = world([], () => taken, 1, [{ from: 6, to: 7, events: [started], listeners: [listener] }])
  await sleep(30)
  await stop()
  assert.deepEqual([filled.map((it) => [it.target, it.event, it.message.topic]), fresh.length], [[[3, 7, 'started']], 0])
})
