import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../core/model/world.ts'
import { Loop } from './loop.ts'

const clock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}
const random = { next: () => 0, hex: () => '' }

test('a key asked for many times while it runs, runs once more and never twice at once', async () => {
  let runs = 0
  let atOnce = 0
  const loop = new Loop({
    clock,
    random,
    concurrency: 4,
    failed: () => assert.fail(),
    reconcile: async () => {
      runs++
      atOnce++
      assert.equal(atOnce, 1)
      await sleep(10)
      atOnce--
      return null
    },
  })
  for (let i = 0; i < 50; i++) loop.enqueue('a')
  await sleep(2)
  for (let i = 0; i < 50; i++) loop.enqueue('a')
  await sleep(40)
  assert.equal(runs, 2)
  await loop.stop()
})

test('attended to is only who would otherwise not be looked at', async () => {
  const runs: string[] = []
  const loop = new Loop({
    clock,
    random,
    concurrency: 4,
    failed: () => assert.fail(),
    reconcile: async (key) => (runs.push(key), key === 'timed' ? 10_000 : null),
  })
  for (let i = 0; i < 3; i++) {
    loop.attend('timed')
    loop.attend('idle')
    await sleep(5)
  }
  await loop.stop()
  assert.deepEqual(runs, ['timed', 'idle', 'idle', 'idle'])
})

test('a failure is tried again later, longer each time, and success forgets it', async () => {
  const waits: number[] = []
  let left = 3
  const loop = new Loop({
    clock,
    random,
    concurrency: 1,
    failed: (_key, _error, ms) => waits.push(ms),
    reconcile: async () => (left-- > 0 ? Promise.reject(new Error('no')) : null),
  })
  loop.enqueue('a')
  await sleep(500)
  assert.deepEqual(waits, [50, 100, 200])
  await loop.stop()
})

test('stop waits for the pass under way and starts no other', async () => {
  let ended = false
  const loop = new Loop({ clock, random, concurrency: 1, failed: () => {}, reconcile: async () => sleep(20).then(() => ((ended = true), 0)) })
  loop.enqueue('a')
  await loop.stop()
  assert.equal(ended, true)
})
