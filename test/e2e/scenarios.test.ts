import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { LiveScenarios } from '../scenarios/live.ts'
import { scenarios } from '../scenarios/scenario.ts'
import { installation } from './installation.ts'

const weir = await installation()
after(() => weir.remove())
/** Errors and ends of processes need no past. */
const live = new LiveScenarios(weir, { warmMs: 2_000 })
/** On a machine that does other things too; how fast it is, is measured by `npm run goals -- canary`. */
const WITHIN_S = 60

test('Weir starts', async () => {
  const { code, stderr } = await weir.weir(['up', '--no-deploy'])
  assert.equal(code, 0, stderr)
})

for (const { name, unit } of [
  { name: 'crash', unit: 'request' },
  { name: 'total-outage', unit: 'client' },
] as const) {
  test(`live, ${name}: taken back, by ${unit}`, async () => {
    const scenario = scenarios().find((it) => it.name === name) ?? assert.fail(`no test/scenarios/${name}.yaml`)
    const { decision, seconds, badAnswers, sentence } = await live.run(scenario, unit)
    assert.equal(decision, scenario.expect.decision, sentence)
    assert.ok(seconds <= WITHIN_S, `${seconds} s: ${sentence}`)
    assert.ok(badAnswers > 0, 'the fault was there')
    assert.match(sentence, /canary|error/)
  })
}
