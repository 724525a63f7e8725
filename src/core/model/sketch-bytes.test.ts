import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bucketOf } from './latency-sketch.ts'
import { packSketch, unpackSketch } from './sketch-bytes.ts'

const sketches = (count: fc.Arbitrary<number>) =>
  fc
    .uniqueArray(fc.integer({ min: bucketOf(0), max: 2000 }), { maxLength: 60 })
    .chain((buckets) =>
      fc
        .array(count, { minLength: buckets.length, maxLength: buckets.length })
        .map((counts) => buckets.sort((a, b) => a - b).flatMap((b, i) => [b, counts[i] as number])),
    )

test('a sketch of whole counts comes back as it was', () => {
  fc.assert(fc.property(sketches(fc.integer({ min: 0, max: 2 ** 50 })), (sketch) => assert.deepEqual(unpackSketch(packSketch(sketch)), sketch)))
})

test('fractional counts of sampled spans come back to a 256th', () => {
  fc.assert(
    fc.property(sketches(fc.double({ min: 0, max: 1e9, noNaN: true })), (sketch) => {
      const back = unpackSketch(packSketch(sketch))
      assert.equal(back.length, sketch.length)
      for (const [at, value] of sketch.entries()) assert.ok(Math.abs((back[at] as number) - value) <= 1 / 512 + 1e-9)
    }),
  )
})

test('a hundred buckets around ten milliseconds take little more than two bytes each', () => {
  const sketch = Array.from({ length: 100 }, (_, n) => [100 + n, n]).flat()
  assert.ok(packSketch(sketch).length <= 210, String(packSketch(sketch).length))
})

test('bytes of something else are an empty sketch', () => {
  assert.deepEqual(unpackSketch(new Uint8Array()), [])
  assert.deepEqual(unpackSketch(Uint8Array.from([9, 1, 2])), [])
})
