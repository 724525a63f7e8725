import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Span } from '../../core/tracegraph/index.ts'
import { columnsOf, createAnalyser } from '../../core/tracegraph/index.ts'
import type { ClosedTrace } from '../window/closed-trace.ts'
import { EPOCH_MS, traceId } from '../window/testing.ts'
import { Rollups } from './rollups.ts'
import { TailSampler, type TraceBudget } from './tail-sampler.ts'

const MB = 2 ** 20
const DAY_MS = 86_400_000
const RICH: TraceBudget = { environmentBytes: 1024 * MB, totalBytes: 4096 * MB, keepMs: 3 * DAY_MS }
const BYTES = 10_000

/** Decides about traces of one span each, a millisecond apart. */
function decider(budget: TraceBudget) {
  const { columns, names, rows } = columnsOf([span(), ...['GET /a', 'GET /b', 'GET /c'].map((operation) => span({ operation }))])
  const rollups = new Rollups({ names, other: 0 })
  const sampler = new TailSampler(budget)
  const analyser = createAnalyser()
  let n = 0
  const decide = ({ ms = 10, failed = false, operation = 1, scope = 12, atMs = EPOCH_MS + n } = {}) => {
    n++
    const row = operation
    // any bits: the chance of a trace follows from them
    columns.trace[4 * row + 3] = Math.imul(n, 0x9e3779b1)
    columns.trace[4 * row + 2] = n
    columns.durationUs[row] = ms * 1000
    columns.failed[row] = failed ? 1 : 0
    const its = rows.subarray(row, row + 1)
    const analysis = analyser.analyse(columns, its, 1)
    const closed = { scope, rows: its, count: 1, counted: 0, late: false, columns, analysis, rawOf: () => null } as unknown as ClosedTrace
    rollups.add(closed, atMs)
    return sampler.decide(closed, BYTES, rollups, atMs)
  }
  return { decide, sampler }
}

function span(more: Partial<Span> = {}): Span {
  return { trace: traceId(1), id: '1', service: 'web', operation: 'GET /', kind: 'server', startUs: EPOCH_MS * 1000, durationUs: 0, ...more }
}

/** So that the sample is small and what is kept has another reason. */
function flood(decide: ReturnType<typeof decider>['decide'], count = 20_000) {
  const kept = { error: 0, slow: 0, rare: 0, sampled: 0, late: 0 }
  for (let n = 0; n < count; n++) {
    const because = decide({ ms: 10 + (n % 5) })
    if (because !== null) kept[because]++
  }
  return kept
}

test('failed traces and those far slower than their kind are kept while most of the others are not', () => {
  const { decide } = decider(RICH)
  flood(decide)
  const kept = flood(decide)
  assert.ok(kept.sampled < 2_000, `${kept.sampled} sampled`)
  assert.equal(decide({ failed: true }), 'error')
  assert.equal(decide({ ms: 400 }), 'slow')
})

test('an operation that nobody asked for lately has its trace kept, and once a minute again', () => {
  const { decide } = decider(RICH)
  flood(decide)
  const at = EPOCH_MS + 100_000
  assert.equal(decide({ operation: 2, atMs: at }), 'rare')
  assert.notEqual(decide({ operation: 2, atMs: at + 100 }), 'rare')
  assert.equal(decide({ operation: 2, atMs: at + 60_200 }), 'rare')
})

test('an outage of one operation keeps its first failures, a share of the rest, and leaves room for others', () => {
  const { decide } = decider(RICH)
  let errors = 0
  for (let n = 0; n < 30_000; n++) if (decide({ failed: true }) === 'error') errors++
  assert.ok(errors >= 20 && errors <= 40, `${errors} kept as errors within half a minute`)
  assert.equal(decide({ failed: true, operation: 3 }), 'error')
})

test('an environment that floods spends what is its own and nothing of its neighbour', () => {
  const small = { environmentBytes: 8 * MB, totalBytes: 1024 * MB, keepMs: DAY_MS }
  const { decide, sampler } = decider(small)
  let bytes = 0
  for (let n = 0; n < 50_000; n++)
    if (decide({ failed: n % 2 === 0, ms: n % 1000, operation: 1 + (n % 3), atMs: EPOCH_MS + n * 70 }) !== null) bytes += BYTES * 0.4
  // an eighth at once, and an hour's share
  assert.ok(bytes <= small.environmentBytes / 8 + small.environmentBytes / 24 + BYTES, `${bytes} bytes`)
  assert.ok(bytes > small.environmentBytes / 16)
  assert.ok(sampler.unpaid > 0)
  assert.equal(decide({ scope: 13, failed: true, atMs: EPOCH_MS + 3_500_001 }), 'error')
})

test('after a restart what lies on disk counts against the budget', () => {
  const { decide, sampler } = decider(RICH)
  sampler.measured(new Map([[12, (RICH.environmentBytes / 0.4) * 2]]))
  assert.equal(decide({ failed: true, atMs: EPOCH_MS }), 'error', 'what was saved up before is spent first')
  assert.equal(decide({ failed: true, atMs: EPOCH_MS + 10 }), null)
  assert.equal(decide({ scope: 13, failed: true, atMs: EPOCH_MS + 20 }), 'error')
})
