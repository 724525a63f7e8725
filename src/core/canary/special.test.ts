import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tilt } from './odds.ts'
import { betaInc, logBeta, logBetaIncUpper, logGamma } from './special.ts'

type Golden = {
  readonly logGamma: readonly (readonly [number, number])[]
  readonly betaInc: readonly (readonly [number, number, number, number])[]
  readonly logBetaIncUpper: readonly (readonly [number, number, number, number])[]
  readonly tilt: readonly (readonly [number, number, number, number, number, number])[]
}
const golden = JSON.parse(readFileSync(join(import.meta.dirname, 'testdata/special.json'), 'utf8')) as Golden

test('log gamma is what SciPy says', () => {
  for (const [x, wanted] of golden.logGamma) near(logGamma(x), wanted, 1e-13, `logGamma(${x})`)
})

test('the incomplete beta function is what SciPy says, in its far tails too', () => {
  for (const [a, b, x, wanted] of golden.betaInc) near(betaInc(a, b, x), wanted, 1e-10, `betaInc(${a}, ${b}, ${x})`)
  for (const [a, b, x, wanted] of golden.logBetaIncUpper) near(logBetaIncUpper(a, b, x), wanted, 1e-10, `logBetaIncUpper(${a}, ${b}, ${x})`)
})

test('the tilt of a batch is what SciPy says of the noncentral hypergeometric distribution', () => {
  for (const [canaryTrials, stableTrials, events, odds, canaryEvents, wanted] of golden.tilt) {
    const batch = { canaryTrials, stableTrials, canaryEvents, stableEvents: events - canaryEvents }
    near(tilt(batch, odds) - tilt(batch, 1), wanted, 1e-9, JSON.stringify({ batch, odds }))
  }
})

test('outside of their range the functions are at their ends, and nothing throws', () => {
  assert.ok(Number.isNaN(logGamma(0)))
  assert.equal(betaInc(2, 3, 0), 0)
  assert.equal(betaInc(2, 3, 1), 1)
  assert.equal(logBetaIncUpper(2, 3, 1), Number.NEGATIVE_INFINITY)
  near(logBeta(2, 3), Math.log(1 / 12), 1e-13, 'logBeta')
})

function near(actual: number, wanted: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `${what} is ${actual}, not ${wanted}`)
}
