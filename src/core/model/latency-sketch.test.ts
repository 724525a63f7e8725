import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bucketOf, mergeSketches, quantile, sparse, valueOf } from './latency-sketch.ts'

test('every value is read back within one percent', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 1e7, noNaN: true }), (ms) => {
      assert.ok(Math.abs(valueOf(bucketOf(ms)) - ms) <= ms * 0.0100001)
    }),
  )
})

test('quantiles of a sketch are within one percent of the exact ones', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, q) => {
        const exact = [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))] as number
        assert.ok(Math.abs((quantile(sketchOf(values), q) as number) - exact) <= exact * 0.0100001)
      },
    ),
  )
})

test('a merged sketch equals the sketch of all values', () => {
  const [a, b] = [
    [1, 2, 3, 3],
    [3, 400, 0.5],
  ]
  assert.deepEqual(mergeSketches([sketchOf(a), sketchOf(b)]), sketchOf([...a, ...b]))
})

test('an empty sketch has no quantile', () => {
  assert.equal(quantile([], 0.5), null)
})

function sketchOf(values: readonly number[]): number[] {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(bucketOf(value), (counts.get(bucketOf(value)) ?? 0) + 1)
  return sparse(counts)
}
