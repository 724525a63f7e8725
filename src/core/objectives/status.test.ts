import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bucketOf } from '../model/latency-sketch.ts'
import { type Counts, indicatorsOf } from './indicators.ts'
import { type Objectives, objectiveStatus } from './status.ts'

const NONE: Counts = { requests: 0, errors: 0, rejected4xx: 0, latency: [] }
/** `slow` of the requests took a second, the others 10 ms. */
const counted = (requests: number, { errors = 0, slow = 0 } = {}): Counts => ({
  requests,
  errors,
  rejected4xx: 0,
  latency: [bucketOf(10), requests - slow, bucketOf(1000), slow],
})
const everywhere = (counts: Counts) => ({ short: counts, medium: counts, long: counts, longest: counts })
const one = (objectives: Objectives, counts: Parameters<typeof objectiveStatus>[1]) => {
  const [status] = objectiveStatus(objectives, counts)
  assert.ok(status)
  return status
}

test('nothing asked is not known, neither met nor missed', () => {
  const { actual, met, burn, alarm } = one({ latencyP95: 250 }, everywhere(NONE))
  assert.deepEqual({ actual, met, burn, alarm }, { actual: null, met: null, burn: { short: null, medium: null, long: null, longest: null }, alarm: null })
  assert.equal(indicatorsOf(NONE, 60_000).availability, null)
})

test('burn is bad requests as a share of those that the objective allows', () => {
  assert.equal(one({ availability: 0.99 }, everywhere(counted(1000, { errors: 20 }))).burn.long?.toFixed(6), '2.000000')
  assert.equal(one({ latencyP95: 250 }, everywhere(counted(1000, { slow: 50 }))).burn.long?.toFixed(6), '1.000000')
  assert.equal(one({ latencyP95: 2000 }, everywhere(counted(1000, { slow: 50 }))).burn.long, 0)
})

test('an alarm needs both of its windows: what is over has ended, what has just begun may be nothing', () => {
  const [good, bad] = [counted(1000), counted(1000, { errors: 200 })]
  const alarm = (windows: Partial<ReturnType<typeof everywhere>>) => one({ availability: 0.99 }, { ...everywhere(good), ...windows }).alarm
  assert.equal(alarm({ short: bad, long: bad }), 'fast')
  assert.equal(alarm({ short: good, long: bad }), null)
  assert.equal(alarm({ short: bad, long: good }), null)
  const some = counted(1000, { errors: 70 })
  assert.equal(alarm({ short: some, long: some }), null)
  assert.equal(alarm({ medium: some, longest: some }), 'slow')
})

test('a handful of requests raises no alarm', () => {
  assert.equal(one({ availability: 0.999 }, everywhere(counted(4, { errors: 4 }))).alarm, null)
  assert.equal(one({ availability: 0.999 }, everywhere(counted(5, { errors: 5 }))).alarm, 'fast')
})

test('a median that nine of ten requests miss raises an alarm, though no budget burns faster than twice', () => {
  const status = one({ latencyP50: 100 }, everywhere(counted(1000, { slow: 950 })))
  assert.deepEqual([status.met, status.alarm], [false, 'fast'])
})

test('full availability has no budget: the first errors are too many', () => {
  assert.equal(one({ availability: 1 }, everywhere(counted(1000))).burn.long, 0)
  assert.equal(one({ availability: 1 }, everywhere(counted(1000, { errors: 9 }))).alarm, 'fast')
})

test('throughput is met once it was served, and unknown before', () => {
  assert.equal(one({ throughput: 1 }, everywhere(counted(3600))).met, true)
  assert.equal(one({ throughput: 2 }, everywhere(counted(3600))).met, null)
  assert.equal(one({ throughput: 2 }, everywhere(counted(3600))).alarm, null)
})

test('more bad requests never burn less, and never end an alarm', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.nat(10_000),
      fc.nat(10_000),
      fc.double({ min: 0.5, max: 0.9999, noNaN: true }),
      (requests, a, b, availability) => {
        const [less, more] = [Math.min(a, b, requests), Math.min(Math.max(a, b), requests)]
        const of = (errors: number) => one({ availability }, everywhere(counted(requests, { errors })))
        assert.ok((of(less).burn.long ?? 0) <= (of(more).burn.long ?? 0))
        assert.ok(of(less).alarm === null || of(more).alarm !== null)
      },
    ),
  )
})

test('indicators are shares of what was asked', () => {
  const of = indicatorsOf({ requests: 600, errors: 3, rejected4xx: 60, latency: [bucketOf(20), 600] }, 60_000)
  assert.deepEqual([of.throughput, of.errorShare, of.availability, of.rejected4xxShare], [10, 0.005, 0.995, 0.1])
  assert.ok(Math.abs((of.p95Ms ?? 0) - 20) < 0.3)
})
