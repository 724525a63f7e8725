import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createStream, QUIET, type World } from '../canary/streams.ts'
import { ARGO, ARGO_TUNED } from './argo.ts'
import { FLAGGER, FLAGGER_TUNED } from './flagger.ts'
import { KAYENTA_TUNED } from './kayenta.ts'
import { shiftAt, shiftZ } from './mann-whitney.ts'
import { Metrics } from './metrics.ts'
import { PIPECD, PIPECD_TUNED } from './pipecd.ts'
import type { Rival } from './rival.ts'

const ALL_FAIL: World = { ...QUIET, fault: { errors: 1 } }

/** Second at which it decides, and what. */
function decided(rival: Rival, world: World, phase: number, seconds: number): readonly [number, 'fail' | 'pass'] | null {
  const stream = createStream(world, 7)
  const metrics = new Metrics(0)
  const run = rival.create(phase)
  for (let second = 1; second <= seconds; second++) {
    metrics.add(stream.next(1000))
    if (second < run.nextAt) continue
    const verdict = run.look(metrics)
    if (verdict) return [second, verdict]
  }
  return null
}

test('Flagger rolls back at the start of the tick after the one that saw the failure', () => {
  assert.deepEqual(decided(FLAGGER, ALL_FAIL, 0, 600), [70, 'fail'])
  assert.deepEqual(decided(FLAGGER, ALL_FAIL, 0.5, 600), [90, 'fail'])
  assert.deepEqual(decided(FLAGGER_TUNED, ALL_FAIL, 0, 60), [15, 'fail'])
})

test('Flagger promotes after ten good looks, and takes no requests for failures', () => {
  assert.deepEqual(decided(FLAGGER, { ...QUIET, errors: 0 }, 0, 900), [550, 'pass'])
  assert.deepEqual(decided(FLAGGER, { ...QUIET, share: 0 }, 0, 900), [70, 'fail'])
})

test('Argo aborts at the fourth failed measurement by its example, at the first where the limit is none', () => {
  assert.deepEqual(decided(ARGO, ALL_FAIL, 0, 1800), [911, 'fail'])
  assert.deepEqual(decided(ARGO_TUNED, ALL_FAIL, 0, 60), [11, 'fail'])
})

test('Argo aborts a canary that gets no requests after five empty answers', () => {
  assert.deepEqual(decided(ARGO, { ...QUIET, share: 0 }, 0, 600), [41, 'fail'])
})

test('PipeCD fails at the second failed interval by its example, and promotes at its end', () => {
  assert.deepEqual(decided(PIPECD, ALL_FAIL, 0, 1800), [600, 'fail'])
  assert.deepEqual(decided(PIPECD_TUNED, ALL_FAIL, 0, 60), [20, 'fail'])
  assert.deepEqual(decided(PIPECD, { ...QUIET, errors: 0 }, 0, 1800), [1800, 'pass'])
})

test('Kayenta’s judge needs two of three metrics to be well, so one that is high fails it', () => {
  assert.deepEqual(decided(KAYENTA_TUNED, ALL_FAIL, 0, 60), [15, 'fail'])
})

test('Mann–Whitney as R has it', () => {
  const x = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
  const y = [1.15, 0.88, 0.9, 0.74, 1.21]
  // W = 35, mean 25, σ = √(10·5/12·16)
  assert.ok(Math.abs(shiftZ(x, y, 0) - 9.5 / Math.sqrt((50 / 12) * 16)) < 1e-12)
  // Three against three collapses to the least difference that there is.
  assert.equal(shiftAt([5, 6, 7], [1, 2, 3], 2.326348), 2)
})
