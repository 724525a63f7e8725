import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WorkerCount } from './worker-count.ts'

test('idle there is the least; each second of load that keeps all busy brings one more, up to the most', () => {
  const workers = new WorkerCount({ min: 1, max: 3 }, 0)
  assert.equal(workers.next({ count: 1, mean: 0.02 }, 1_000), 1)
  assert.equal(workers.next({ count: 1, mean: 0.9 }, 2_000), 2)
  assert.equal(workers.next({ count: 1, mean: 0.95 }, 3_000), 2, 'the second one is still starting')
  assert.equal(workers.next({ count: 2, mean: 0.7 }, 4_000), 3)
  assert.equal(workers.next({ count: 3, mean: 1 }, 5_000), 3, 'not more than the most')
})

test('one leaves after a minute in which the others would do with ease, and a busy moment begins the minute anew', () => {
  const workers = new WorkerCount({ min: 1, max: 3 }, 0)
  workers.next({ count: 1, mean: 0.9 }, 0)
  workers.next({ count: 2, mean: 0.9 }, 1_000)
  const idle = (now: number) => workers.next({ count: workers.wanted, mean: 0.05 }, now)
  assert.equal(idle(60_000), 3)
  assert.equal(workers.next({ count: 3, mean: 0.3 }, 60_500), 3, 'two would be at 45 %')
  assert.equal(idle(120_000), 3)
  assert.equal(idle(120_501), 2)
  assert.equal(idle(180_000), 2, 'the next minute has just begun')
  assert.equal(idle(180_502), 1)
  assert.equal(idle(999_999), 1, 'not less than the least')
})

test('where the number is fixed it never changes', () => {
  const workers = new WorkerCount({ min: 2, max: 2 }, 0)
  assert.equal(workers.next({ count: 2, mean: 1 }, 1_000), 2)
  assert.equal(workers.next({ count: 2, mean: 0 }, 100_000), 2)
})
