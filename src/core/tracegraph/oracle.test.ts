import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createAnalyser } from './analyse.ts'
import { columnsOf } from './columns.ts'
import type { Span } from './spans.ts'
import { told } from './testing-oracle.ts'
import { traces } from './testing-traces.ts'

const analyser = createAnalyser()

test('parents, exclusive time, own time and critical path are those of the definition, for overlapping, async, skewed and incomplete traces', () => {
  fc.assert(fc.property(traces, equalsTheDefinition), { numRuns: 2000 })
})

test('the critical times of a trace add up to the time of its root', () => {
  fc.assert(
    fc.property(traces, (spans) => {
      const { columns, rows } = columnsOf(spans)
      const { root, critical, criticalUs, startUs, endUs } = analyser.analyse(columns, rows, spans.length)
      const onPath = spans.map((_, p) => (critical[p] === 1 ? (criticalUs[p] as number) : 0))
      near(
        onPath.reduce((a, b) => a + b, 0),
        (endUs[root] as number) - (startUs[root] as number),
      )
    }),
  )
})

function equalsTheDefinition(spans: readonly Span[]): void {
  const { columns, rows } = columnsOf(spans)
  const found = analyser.analyse(columns, rows, spans.length)
  const wanted = told(spans)
  assert.deepEqual([...found.parents.slice(0, spans.length)], wanted.parents)
  spans.forEach((_, p) => near(found.exclusiveUs[p] as number, wanted.exclusiveUs[p] as number))
  spans.forEach((_, p) => near(found.ownUs[p] as number, wanted.ownUs[p] as number))
  spans.forEach((_, p) => near(found.critical[p] === 1 ? (found.criticalUs[p] as number) : 0, wanted.criticalUs[p] as number))
}

function near(found: number, wanted: number): void {
  assert.ok(Math.abs(found - wanted) < 0.01, `${found} instead of ${wanted}`)
}
