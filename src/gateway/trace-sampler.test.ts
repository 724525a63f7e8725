import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hexId } from './ids.ts'
import { TraceSampler } from './trace-sampler.ts'

test('few traces are all kept, and nothing is said of a threshold', () => {
  let now = 0
  const sampler = new TraceSampler(100, () => now)
  for (let n = 0; n < 300; n++) {
    now += 20
    assert.ok(sampler.keeps(hexId(16)))
    assert.equal(sampler.threshold, null)
  }
})

test('of many, about as many a second are kept as are wanted, and their weights make up for the others', () => {
  let now = 0
  const sampler = new TraceSampler(500, () => now)
  let [kept, weighted] = [0, 0]
  for (let n = 0; n < 200_000; n++) {
    now += 0.1 // 10,000 a second
    if (!sampler.keeps(hexId(16)) || n < 10_000) continue
    kept++
    weighted += 65_536 / (65_536 - Number.parseInt((sampler.threshold ?? '0').padEnd(4, '0'), 16))
  }
  assert.ok(kept > 8500 && kept < 10_500, `${kept} in 19 s`)
  assert.ok(Math.abs(weighted / 190_000 - 1) < 0.05, `${weighted}`)
})

test('an id that was made to be kept does not break the rate', () => {
  let now = 0
  const sampler = new TraceSampler(10, () => now)
  let kept = 0
  for (let n = 0; n < 10_000; n++) {
    now += 0.5
    if (sampler.keeps('f'.repeat(32))) kept++
  }
  assert.ok(kept <= 120, `${kept} in 5 s`)
})
