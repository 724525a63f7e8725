import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median, percentile } from '../bench/measured.ts'
import { readScenario, scenarios } from './scenario.ts'
import { simulate } from './simulated.ts'

const RUNS = 20
const all = scenarios()

test('what is broken, and what is not, has its scenarios', () => {
  const kinds = new Set(all.map(({ fault }) => fault?.kind ?? 'none'))
  assert.deepEqual([...kinds].sort(), ['crash', 'dependency', 'errors', 'new-exception', 'none', 'out-of-memory', 'slower'])
})

for (const scenario of all) {
  const { name, title, canary, expect } = scenario
  for (const unit of canary.split) {
    test(`${name}: ${title}; ${expect.decision} in made-up traffic, by ${unit}`, () => {
      const runs = Array.from({ length: RUNS }, (_, seed) => simulate(scenario, { unit, seed: seed + 1, forS: 2 * expect.withinS }))
      const other = runs.filter(({ verdict }) => verdict.kind !== expect.decision && verdict.kind !== 'inconclusive')
      assert.deepEqual(other, [], 'never the opposite')
      const seconds = runs.map((it) => it.seconds)
      assert.ok(median(seconds) <= expect.medianS, `median ${median(seconds)} s, wanted ${expect.medianS}`)
      assert.ok(percentile(seconds, 0.95) <= expect.withinS, `p95 ${percentile(seconds, 0.95)} s, wanted ${expect.withinS}`)
    })
  }
}

const GOOD = `
title: one of twenty requests fails
load: { rate: 100, clients: 200 }
canary: { weight: 10%, split: [request] }
fault: { errors: 5% }
expect: { decision: fail, median: 13s, within: 30s }
`

test('a file is read with its shares and times as numbers', () => {
  assert.deepEqual(readScenario('some', GOOD), {
    name: 'some',
    title: 'one of twenty requests fails',
    load: { rate: 100, clients: 200, errors: 0.001 },
    canary: { weight: 0.1, split: ['request'] },
    fault: { kind: 'errors', share: 0.05, route: null },
    expect: { decision: 'fail', medianS: 13, withinS: 30, badAnswers: null },
  })
})

for (const [what, from, to, problem] of [
  ['a share that is none', '10%', '0.1', /some\.yaml:\n {2}canary\.weight: .*such as 5%/],
  ['a share of everything', '10%', '100%', /canary\.weight: between 0% and 100%/],
  ['a word that nobody knows', 'within:', 'soon:', /expect\.within: .*\n {2}expect: .*soon/],
  ['a fault that is none', '{ errors: 5% }', '{ explode: true }', /fault: one of: none, \{errors: 5%\}/],
  ['a time without a unit', '30s', '30', /expect\.within: /],
] as const) {
  test(`${what} is refused with its place`, () => {
    assert.throws(() => readScenario('some', GOOD.replace(from, to)), problem)
  })
}
