import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type EvidenceBlock, QUANTILES } from '../core/canary/evidence.ts'
import { type CountedEvidence, THRESHOLDS } from '../core/model/evidence.ts'
import type { Judging, Trial } from '../core/model/routing.ts'
import { Evidence, type EvidenceSheet, LABELS, type Seen } from './evidence.ts'
import { table } from './testing.ts'

const thresholds = { web: { '/a': [10, 20, 30, 40, 50] } }
const judged = (judge: Partial<Judging> = {}, n = 1) =>
  table('e1', n, [], {}, { split: { rollout: 'r1', weight: 10, by: { kind: 'request' }, judge: { stage: 3, unit: 'request', thresholds, ...judge } } })
const seen = (more: Partial<Seen> = {}): Seen => ({ status: 200, aborted: false, broken: false, latencyMs: 5, replica: 'w1', target: 'w1', ...more })
const counts = (more: object = {}) => ({ requests: 1, errors: 0, timed: 0, slow: [0, 0, 0, 0, 0], ...more })
const only = (evidence: Evidence): CountedEvidence => {
  const blocks = evidence.close(0, 250)
  assert.equal(blocks.length, 1)
  return blocks[0] as CountedEvidence
}
function sheetOf(evidence: Evidence, judge: Partial<Judging> = {}, before: EvidenceSheet | null = null): EvidenceSheet {
  return evidence.sheet(judged(judge), before) as EvidenceSheet
}
const warm = (sheet: EvidenceSheet, evidence: Evidence) => {
  for (let i = 0; i < 20; i++) sheet.record('web', '/warm', LABELS.stable, seen())
  evidence.close(0, 0)
}

test('a block says of each route, side and replica what was answered, and the next one begins at zero', () => {
  const evidence = new Evidence()
  const sheet = sheetOf(evidence)
  sheet.send('web', 'stable', true)
  for (let i = 0; i < 4; i++) sheet.send('web', 'canary', true)
  sheet.send('api', 'canary', false)
  sheet.record('web', '/a', LABELS.stable, seen())
  sheet.record('web', '/a', LABELS.canary, seen({ status: 500, replica: 'w2' }))
  sheet.record('web', '/a', LABELS.canary, seen({ status: 404, replica: 'w2' }))
  sheet.record('web', '/a', LABELS.canary, seen({ status: 502, replica: null, target: null }))
  sheet.record('web', '/a', LABELS.canary, seen({ broken: true, replica: 'w2' }))
  sheet.record('api', '/a', LABELS.canary, seen({ replica: 'a1' }))
  const block: EvidenceBlock = only(evidence)
  assert.deepEqual(block, {
    environment: 'e1',
    rollout: 'r1',
    stage: 3,
    fromMs: 0,
    toMs: 250,
    weight: 0.1,
    sent: [
      { service: 'web', side: 'stable', requests: 1, drawn: 1 },
      { service: 'web', side: 'canary', requests: 4, drawn: 4 },
      { service: 'api', side: 'canary', requests: 1, drawn: 0 },
    ],
    rows: [
      { service: 'web', route: '/a', side: 'stable', ...counts({ rejected4xx: 0 }) },
      { service: 'web', route: '/a', side: 'canary', ...counts({ requests: 4, errors: 3, rejected4xx: 1 }) },
      { service: 'api', route: '/a', side: 'canary', ...counts({ rejected4xx: 0 }) },
    ],
    replicas: [
      { service: 'web', replica: 'w1', side: 'stable', ...counts() },
      { service: 'web', replica: 'w2', side: 'canary', ...counts({ requests: 3, errors: 2 }) },
      { service: 'api', replica: 'a1', side: 'canary', ...counts() },
    ],
    clients: [],
  })
  assert.deepEqual(evidence.close(250, 500), [], 'nothing happened since')
  sheet.record('web', '/a', LABELS.stable, seen())
  assert.deepEqual(only(evidence).rows, [{ service: 'web', route: '/a', side: 'stable', ...counts({ rejected4xx: 0 }) }])
})

test('latency is counted by the thresholds that it exceeds, of routes that have some', () => {
  const evidence = new Evidence()
  const sheet = sheetOf(evidence)
  warm(sheet, evidence)
  for (const latencyMs of [10, 11, 35, 51]) sheet.record('web', '/a', LABELS.canary, seen({ latencyMs }))
  sheet.record('web', '/new', LABELS.canary, seen({ latencyMs: 1000 }))
  sheet.record('web', '/a', LABELS.canary, seen({ latencyMs: 1000, replica: null })) // answered by the gateway
  const [known, unknown] = only(evidence).rows
  assert.deepEqual([known?.requests, known?.timed, known?.slow], [5, 4, [3, 2, 2, 1, 1]])
  assert.deepEqual([unknown?.requests, unknown?.timed], [1, 0])
})

test('the first twenty requests of a fresh replica are left out of latency, and of nothing else; over two workers ten each', () => {
  for (const [workers, left] of [
    [1, 20],
    [2, 10],
    [3, 7],
  ] as const) {
    const evidence = new Evidence()
    evidence.workers = workers
    const sheet = sheetOf(evidence)
    for (let i = 0; i < 30; i++) sheet.record('web', '/a', LABELS.canary, seen({ status: 500, latencyMs: 100 }))
    const [row] = only(evidence).rows
    assert.deepEqual([row?.requests, row?.errors, row?.timed], [30, 30, 30 - left])
    const next = sheetOf(evidence, { stage: 4 }, sheet)
    next.record('web', '/a', LABELS.canary, seen())
    next.record('web', '/a', LABELS.canary, seen({ replica: 'w9' }))
    assert.deepEqual([only(evidence).rows[0]?.timed], [1], 'w1 is not fresh again with another weight; w9 is')
  }
})

test('who went away before an answer is none of the requests, and was slow if it had waited longer than the slowest threshold', () => {
  const evidence = new Evidence()
  const sheet = sheetOf(evidence)
  const gone = (latencyMs: number) => seen({ aborted: true, replica: null, latencyMs })
  const row = (timed: number) => ({
    ...counts({ requests: 0, rejected4xx: 0, timed, slow: Array(5).fill(timed), abandoned: 1 }),
    service: 'web',
    side: 'canary',
  })
  sheet.record('web', '/a', LABELS.canary, gone(1000))
  assert.deepEqual(only(evidence).rows, [{ ...row(0), route: '/a' }], 'the replica is fresh')
  warm(sheet, evidence)
  sheet.record('web', '/a', LABELS.canary, gone(45))
  sheet.record('web', '/new', LABELS.canary, gone(1000))
  sheet.record('web', '/a', LABELS.canary, seen({ aborted: true, latencyMs: 1000 })) // its answer had begun
  assert.deepEqual(only(evidence).rows, [
    { ...row(0), route: '/a' },
    { ...row(0), route: '/new' },
  ])
  sheet.record('web', '/a', LABELS.canary, gone(51))
  assert.deepEqual(only(evidence).rows, [{ ...row(1), route: '/a' }])
})

test('a request counts for the stage of the table that it was routed by', () => {
  const evidence = new Evidence()
  const first = sheetOf(evidence)
  const second = sheetOf(evidence, { stage: 4 }, first)
  second.record('web', '/a', LABELS.canary, seen())
  first.record('web', '/a', LABELS.canary, seen({ status: 500 }))
  assert.deepEqual(
    evidence.close(0, 1).map(({ stage, rows }) => [stage, rows[0]?.errors]),
    [
      [4, 0],
      [3, 1],
    ],
  )
})

test('clients are told of one by one, with what each has failed on', () => {
  const evidence = new Evidence()
  const sheet = sheetOf(evidence, { unit: 'client' })
  const [a, b] = ['00000000aaaaaaaa', '10000000bbbbbbbb']
  for (const route of ['/a', '/a', '/b']) sheet.record('web', route, { side: 'canary', client: a }, seen({ status: 500 }))
  sheet.record('api', '/a', { side: 'canary', client: a }, seen({ status: 404 }))
  sheet.record('web', '/a', { side: 'stable', client: b }, seen())
  sheet.record('web', '/a', { side: 'stable', client: null }, seen())
  const block = only(evidence)
  assert.deepEqual(block.clients, [
    { client: a, side: 'canary', ...counts({ requests: 4, errors: 3, rejected4xx: 1 }), failed: ['web /a', 'web /b'] },
    { client: b, side: 'stable', ...counts({ rejected4xx: 0 }), failed: [] },
  ])
  assert.equal(
    block.rows.reduce((sum, row) => sum + row.requests, 0),
    6,
    'an inner hop whose client is not known is one of the route, and of no client',
  )
})

test('of more than 2,000 clients a sample is kept, the same in each stage', () => {
  const evidence = new Evidence()
  const sheet = sheetOf(evidence, { unit: 'client' })
  const clients = Array.from(
    { length: 5000 },
    (_, i) =>
      `${Math.floor((i / 5000) * 2 ** 32)
        .toString(16)
        .padStart(8, '0')}00000000`,
  )
  for (const client of clients) sheet.record('web', '/a', { side: 'canary', client }, seen())
  const kept = only(evidence).clients.map(({ client }) => client)
  assert.equal(kept.length, 1250)
  const next = sheetOf(evidence, { unit: 'client', stage: 4 }, sheet)
  for (const client of clients) next.record('web', '/a', { side: 'canary', client }, seen())
  assert.deepEqual(
    only(evidence).clients.map(({ client }) => client),
    kept,
  )
})

test('a trial is counted as stage 0 of its own id, and not while a split is there', () => {
  const evidence = new Evidence()
  const trial: Trial = { id: 'aa-1', weight: 10, unit: 'request', thresholds }
  assert.equal(evidence.sheet(table('e1', 1, [], {}), null), null)
  assert.equal(evidence.sheet(table('e1', 1, [], {}, { split: { rollout: 'r', weight: 1, by: { kind: 'request' }, judge: null }, trial }), null), null)
  const { rollout, stage } = (evidence.sheet(table('e1', 1, [], {}, { trial }), null) as EvidenceSheet).judged
  assert.deepEqual([rollout, stage], ['aa-1', 0])
})

test('there are as many thresholds as quantiles', () => {
  assert.equal(THRESHOLDS, QUANTILES.length)
})
