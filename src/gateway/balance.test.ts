import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chooseTarget, recordFailure, recordSuccess } from './balance.ts'

const target = (inflight: number, ejectedUntil = 0) => ({ inflight, ejectedUntil })

test('of two targets the one with fewer requests in flight is taken', () => {
  const [busy, free] = [target(5), target(1)]
  for (const random of [0, 0.3, 0.99])
    assert.equal(
      chooseTarget([busy, free], [], 0, () => random),
      free,
    )
})

test('ejected and tried targets are passed over while there are others', () => {
  const [ejected, tried, left] = [target(0, 100), target(0), target(9)]
  assert.equal(chooseTarget([ejected, tried, left], [tried], 50, Math.random), left)
  assert.equal(chooseTarget([ejected, tried], [tried], 50, Math.random), ejected, 'an ejected one is better than none')
  assert.equal(chooseTarget([tried], [tried], 50, Math.random), null)
  assert.equal(chooseTarget([], [], 0, Math.random), null)
})

test('two different targets are drawn, every one sometimes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 9 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (count, a, b) => {
        const draws = [a, b]
        const targets = Array.from({ length: count }, () => target(1))
        const first = targets[Math.floor(a * count)] as { inflight: number }
        first.inflight = 100 // were it drawn twice, it would be chosen
        assert.notEqual(
          chooseTarget(targets, [], 0, () => draws.shift() as number),
          first,
        )
      },
    ),
  )
})

test('five failures in a row eject, a refusal at once, each time for longer; success forgives', () => {
  const health = { failures: 0, ejections: 0, ejectedUntil: 0 }
  for (let i = 0; i < 4; i++) recordFailure(health, false, 0)
  assert.equal(health.ejectedUntil, 0)
  recordFailure(health, false, 0)
  assert.equal(health.ejectedUntil, 500)
  recordFailure(health, true, 1000)
  assert.equal(health.ejectedUntil, 2000)
  for (let i = 0; i < 30; i++) recordFailure(health, true, 0)
  assert.equal(health.ejectedUntil, 30_000)
  recordSuccess(health)
  assert.deepEqual(health, { failures: 0, ejections: 0, ejectedUntil: 0 })
})
