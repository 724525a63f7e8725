import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Cell, createCell, observe, packCell, unpackCell } from './cell.ts'
import { normalQuantile, pooled, shiftOf } from './shift.ts'

test('nothing is known of what was seen fewer than five times', () => {
  assert.equal(shiftOf([cell(10)], [cell(10, 10, 10, 10)]), null)
  assert.equal(shiftOf([], [cell(10, 10, 10, 10, 10)]), null)
})

test('a tenfold time is far out, the same is not, and one slow visit among many says little', () => {
  const past = Array.from({ length: 12 }, (_, at) => cell(9 + (at % 3), 10, 11, 10, 9))
  assert.ok(zOf(cell(100, 98, 103), past) > 4)
  assert.ok(Math.abs(zOf(cell(10, 9, 11), past)) < 1)
  assert.ok(zOf(cell(...Array.from({ length: 40 }, () => 10), 5000), past) < 2)
})

test('what moves from bucket to bucket on any day is no news', () => {
  const steady = Array.from({ length: 12 }, () => cell(10, 10, 10, 10, 10))
  const restless = Array.from({ length: 12 }, (_, at) => cell(...Array.from({ length: 5 }, () => (at % 2 === 0 ? 5 : 20))))
  const slower = cell(...Array.from({ length: 30 }, () => 20))
  assert.ok(zOf(slower, steady) > 4)
  assert.ok(zOf(slower, restless) < 2)
})

test('of sampled traces each stands for many, but was seen once', () => {
  const sampled = createCell()
  for (let at = 0; at < 3; at++) observe(sampled, 12, 100)
  assert.equal(shiftOf([sampled], [cell(10, 10, 10, 10, 10)])?.observations, 3)
})

test('shifts taken together are surer than each, but not than what they drift together', () => {
  const shift = { observations: 10, shift: 2, sampling: 0.4, drift: 0.1 }
  const one = pooled([shift]).z
  const four = pooled([shift, shift, shift, shift]).z
  assert.ok(four > one)
  assert.ok(four < 2 / Math.sqrt(0.1))
})

test('quantiles of the normal distribution', () => {
  for (const [p, z] of [
    [0.5, 0],
    [0.975, 1.96],
    [0.99995, 3.891],
  ] as const) {
    assert.ok(Math.abs(normalQuantile(p) - z) < 0.001, `${p}: ${normalQuantile(p)}`)
  }
})

test('a cell that is packed and unpacked is the same', () => {
  const before = cell(0, 1, 2.5, 1e9)
  assert.deepEqual(unpackCell(packCell(before)), before)
})

function zOf(now: Cell, past: readonly Cell[]): number {
  const shift = shiftOf([now], past)
  assert.ok(shift)
  return pooled([shift]).z
}

function cell(...times: number[]): Cell {
  const made = createCell()
  for (const ms of times) observe(made, ms, 1)
  return made
}
