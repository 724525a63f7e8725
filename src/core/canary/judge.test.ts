import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Analysis, STANDARD_ANALYSIS } from './analysis.ts'
import type { EvidenceBlock, SideEvidence } from './evidence.ts'
import { createJudge, NOTHING_BESIDE } from './judge.ts'
import type { JudgeOptions } from './ledger.ts'
import { type Traffic, traffic } from './testing-traffic.ts'
import type { Verdict } from './verdict.ts'

const OPTIONS: JudgeOptions = { unit: 'request', designEffect: 1, changed: ['web'], replicas: { web: 1 }, thresholds: {} }

interface Judged extends Partial<Traffic> {
  readonly options?: Partial<JudgeOptions>
  readonly side?: SideEvidence
  readonly analysis?: Analysis
}

function judged(blocks: readonly EvidenceBlock[], { options = {}, side = NOTHING_BESIDE, analysis = STANDARD_ANALYSIS }: Judged = {}): Verdict {
  const judge = createJudge(analysis, { ...OPTIONS, ...options })
  for (const block of blocks) judge.add(block)
  const verdict = judge.verdict(side, (blocks.at(-1)?.toMs ?? 0) + 100)
  assert.equal(judge.look(side, (blocks.at(-1)?.toMs ?? 0) + 100), verdict.kind, 'a look and a verdict agree')
  return verdict
}

const judgedTraffic = (over: Judged): Verdict => judged(traffic(over), over)
const byClient: Judged = { clients: 200, options: { unit: 'client' } }

test('a canary that fails with all its requests is found within a second, by request and by client', () => {
  for (const unit of [{}, byClient]) {
    const verdict = judgedTraffic({ ...unit, blocks: 1, errors: { stable: 0.001, canary: 1 } })
    assert.equal(verdict.kind, 'fail')
    assert.match(verdict.text, /^canary \d+ of \d+ (clients with )?errors, expected [\d.]+; by chance 1 in [\d,⁰¹²³⁴⁵⁶⁷⁸⁹]+/)
  }
})

test('five errors in a hundred are found, and twice as many slow requests', () => {
  const errors = judgedTraffic({ errors: { stable: 0.001, canary: 0.05 } })
  assert.equal(errors.kind, 'fail')
  assert.equal(errors.tests[0]?.indicator, 'errors')
  const slow = judgedTraffic({ slower: 1.9 })
  assert.equal(slow.kind, 'fail')
  assert.equal(slow.tests[0]?.indicator, 'latency')
  assert.equal(judgedTraffic({ ...byClient, blocks: 120, slower: 1.9 }).tests[0]?.indicator, 'latency')
})

test('slow requests that come together say less by the design effect', () => {
  const logE = (designEffect: number) => judgedTraffic({ slower: 1.9, options: { designEffect } }).tests.find(({ name }) => name === 'latency web')?.logE ?? 0
  const ratio = logE(1) / logE(4)
  assert.ok(ratio > 3 && ratio < 5, `divided by ${ratio}`)
})

test('one pause of the only replica fails nobody, and holds no proof up', () => {
  const paused = (pauses: readonly number[]) =>
    traffic({ blocks: 240 }).map((block, at) => {
      if (!pauses.includes(at)) return block
      const slow = <Row extends { side: string; timed: number; slow: readonly number[] }>(row: Row): Row =>
        row.side === 'canary' ? { ...row, slow: row.slow.map(() => row.timed) } : row
      return { ...block, rows: block.rows.map(slow), replicas: block.replicas.map(slow) }
    })
  assert.equal(judged(paused([10]).slice(0, 12)).kind, 'inconclusive')
  assert.equal(judged(paused([10])).kind, 'pass')
})

test('a clean canary passes with proof, and says what is excluded', () => {
  const verdict = judgedTraffic({ blocks: 240 })
  assert.equal(verdict.kind, 'pass', verdict.text)
  assert.match(verdict.text, /0\.5 % more errors and 1\.25 times as many slow requests are excluded after [\d,]+ requests on the canary/)
  assert.equal(judgedTraffic({ ...byClient, blocks: 400 }).kind, 'pass')
})

test('before there is proof it says what is missing and how long it takes', () => {
  const verdict = judgedTraffic({ blocks: 20 })
  assert.equal(verdict.kind, 'inconclusive')
  assert.ok(verdict.needsS !== null && verdict.needsS > 20 && verdict.needsS < 400, `needs ${verdict.needsS}`)
  assert.match(verdict.text, /is not proven yet; about \d+ (s|min) more at this rate/)
  assert.ok(verdict.share !== null && Math.abs(verdict.share - 0.1) < 0.03)
  assert.deepEqual([...verdict.unproven].sort(), ['web GET /0', 'web GET /1', 'web GET /2'])
})

test('an outage of both sides is nobody’s fault', () => {
  for (const unit of [{}, byClient]) assert.notEqual(judgedTraffic({ ...unit, errors: { stable: 0.8, canary: 0.8 } }).kind, 'fail')
})

test('a canary that breaks after an hour of health is found within seconds', () => {
  const healthy = traffic({ blocks: 3600, rps: 50 })
  const broken = traffic({ blocks: 4, rps: 50, errors: { stable: 0.001, canary: 1 }, seed: 2 }).map((it) => ({
    ...it,
    fromMs: it.fromMs + 3_600_000,
    toMs: it.toMs + 3_600_000,
  }))
  assert.equal(judged([...healthy, ...broken]).kind, 'fail')
})

test('a difference that is certain and too small to matter fails nobody', () => {
  const wide = { ...STANDARD_ANALYSIS, margins: { errors: 0.05, latency: 0.1 } }
  const over = { blocks: 200, errors: { stable: 0.001, canary: 0.03 } }
  assert.equal(judgedTraffic(over).kind, 'fail')
  const verdict = judgedTraffic({ ...over, analysis: wide })
  assert.notEqual(verdict.kind, 'fail')
  assert.ok((verdict.tests.find(({ name }) => name === 'errors web')?.logE ?? 0) > 6)
})

test('an indicator that is only shown decides nothing', () => {
  const dry = { ...STANDARD_ANALYSIS, compare: ['latency'] as const, dryRun: ['errors'] as const }
  const verdict = judgedTraffic({ analysis: dry, errors: { stable: 0.001, canary: 0.5 } })
  assert.notEqual(verdict.kind, 'fail')
  assert.deepEqual(
    verdict.tests.filter(({ name }) => name === 'errors web').map(({ state, dryRun }) => [state, dryRun]),
    [['fails', true]],
  )
})

test('a client that fails with each request counts once', () => {
  const blocks = traffic({ clients: 200, blocks: 30 })
  const unlucky = blocks.flatMap(({ clients }) => clients).find(({ side }) => side === 'canary')?.client
  const failing = blocks.map((block) => ({
    ...block,
    clients: block.clients.map((it) => (it.client === unlucky ? { ...it, errors: it.requests, failed: ['web GET /0'] } : { ...it, errors: 0, failed: [] })),
    rows: block.rows.map((it) => ({ ...it, errors: it.side === 'canary' ? 1 : 0 })),
  }))
  const verdict = judged(failing, byClient)
  assert.notEqual(verdict.kind, 'fail')
  assert.equal(verdict.tests.find(({ name }) => name === 'errors')?.canary, 1)
})

test('who was on the canary before the weight grew no longer counts', () => {
  const failing = (stage: number): EvidenceBlock[] =>
    traffic({ clients: 200, blocks: 5, errors: { stable: 0, canary: 1 } }).map((it) => ({
      ...it,
      stage,
      fromMs: it.fromMs + stage * 10_000,
      toMs: it.toMs + stage * 10_000,
    }))
  const counted = (blocks: readonly EvidenceBlock[]) => judged(blocks, byClient).tests.find(({ name }) => name === 'errors')?.canary
  assert.equal(counted([...failing(1), ...failing(2)]), counted(failing(1)))
})

test('processes that die twice on the canary and never beside it fail it at once', () => {
  const death = { service: 'web', replica: 'web-1', side: 'canary' as const, count: 2, cause: 'exited with 1' }
  const verdict = judgedTraffic({ blocks: 1, side: { ...NOTHING_BESIDE, deaths: [death] } })
  assert.equal(verdict.kind, 'fail')
  assert.equal(verdict.text, 'processes of the canary ended by themselves 2 times, of the stable side none: exited with 1')
  assert.equal(verdict.tests[0]?.logE, null)
  const both = judgedTraffic({ blocks: 1, side: { ...NOTHING_BESIDE, deaths: [death, { ...death, side: 'stable', count: 1 }] } })
  assert.notEqual(both.kind, 'fail')
})

test('a canary all of whose replicas are gone fails, and one that is sent requests and never answers', () => {
  assert.equal(judgedTraffic({ blocks: 1, side: { ...NOTHING_BESIDE, gone: ['web'] } }).kind, 'fail')
  const silent = traffic({ blocks: 6 }).map((block) => ({
    ...block,
    rows: block.rows.map((it) => (it.side === 'canary' ? { ...it, requests: 0, errors: 0, timed: 0, slow: [0, 0, 0, 0, 0] } : it)),
    replicas: block.replicas.filter(({ side }) => side === 'stable'),
  }))
  const verdict = judged(silent)
  assert.equal(verdict.kind, 'fail')
  assert.match(verdict.text, /requests in a row were sent to web on the canary and none was answered/)
})

test('a canary that does not answer for some seconds is no silence', () => {
  const paused = traffic({ blocks: 9 }).map((block, at) => {
    if (at < 4 || at > 6) return block
    return { ...block, rows: block.rows.filter(({ side }) => side === 'stable'), replicas: block.replicas.filter(({ side }) => side === 'stable') }
  })
  assert.equal(judged(paused.slice(0, 7)).kind, 'inconclusive')
  assert.equal(judged(paused).kind, 'inconclusive')
})

test('requests whose clients gave up are found where more of them do so on the canary', () => {
  const leaving = (side: string) =>
    traffic({ blocks: 30 }).map((block) => ({ ...block, rows: block.rows.map((row) => (row.side === side ? { ...row, abandoned: row.requests } : row)) }))
  const verdict = judged(leaving('canary'))
  assert.equal(verdict.kind, 'fail')
  assert.equal(verdict.tests[0]?.indicator, 'throughput')
  assert.notEqual(judged(leaving('stable')).kind, 'fail')
})

test('a new signature fails at its fourth occurrence, and one that both sides have does not', () => {
  const seen = (canary: number, stable: number) =>
    judgedTraffic({ side: { ...NOTHING_BESIDE, signatures: [{ signature: 'TypeError', service: 'web', canary, stable }] } }).kind
  assert.deepEqual(
    [1, 2, 3, 4].map((canary) => seen(canary, 0)),
    ['inconclusive', 'inconclusive', 'inconclusive', 'fail'],
  )
  assert.equal(seen(8, 60), 'inconclusive')
})

test('a limit of the team’s own fails what is over it, unless the stable side is over it too; unread, nothing passes', () => {
  const analysis: Analysis = {
    ...STANDARD_ANALYSIS,
    custom: [{ name: 'queue', source: { kind: 'promql', url: 'http://p', query: 'q' }, max: 10, min: null, dryRun: false }],
  }
  const at = (canary: number | null, stable: number | null) => {
    const side = { ...NOTHING_BESIDE, custom: [{ name: 'queue', canary, stable, problem: canary === null ? 'timed out' : null }] }
    return judgedTraffic({ blocks: 240, analysis, side })
  }
  assert.equal(at(12, 3).kind, 'fail')
  assert.notEqual(at(12, 13).kind, 'fail')
  assert.equal(at(4, 3).kind, 'pass')
  assert.equal(at(null, 3).text, 'queue could not be read')
})

test('memory of few replicas is shown and decides nothing; of many it can', () => {
  const usage = (replicas: number) =>
    (['canary', 'stable'] as const).flatMap((side) =>
      Array.from({ length: replicas }, (_, i) => ({ service: 'web', replica: `${side}-${i}`, side, memory: side === 'canary' ? 200e6 : 100e6, cpu: 0.1 })),
    )
  const few = judgedTraffic({ side: { ...NOTHING_BESIDE, usage: usage(2) } })
  assert.notEqual(few.kind, 'fail')
  assert.equal(
    few.tests.find(({ name }) => name === 'memory web')?.text,
    '2 times as much memory a replica as the stable side; 2 replicas are too few to tell from chance',
  )
  assert.equal(judgedTraffic({ side: { ...NOTHING_BESIDE, usage: usage(16) } }).kind, 'fail')
})

test('requests that go elsewhere than they are sent are no fault of the canary, and no pass', () => {
  const verdict = judged(traffic({ blocks: 240, share: 0.2 }).map((it) => ({ ...it, weight: 0.1 })))
  assert.equal(verdict.kind, 'inconclusive')
  assert.match(verdict.text, /^routing: the canary has 2\d|^routing: the canary has 1\d/)
})

test('nothing passes without evidence', () => {
  const clean = traffic({ blocks: 240 })
  const broken: Record<string, readonly EvidenceBlock[]> = {
    nothing: [],
    'only stable': clean.map(({ sent: _, ...it }) => ({ ...it, rows: it.rows.filter(({ side }) => side === 'stable') })),
    'not a number': clean.map((it, i) => (i === 7 ? { ...it, rows: it.rows.map((row) => ({ ...row, errors: Number.NaN })) } : it)),
    negative: clean.map((it) => ({ ...it, rows: it.rows.map((row) => ({ ...row, requests: -row.requests })) })),
    'more errors than requests': clean.map((it) => ({ ...it, rows: it.rows.map((row) => ({ ...row, errors: row.requests + 1 })) })),
    absent: clean.map(({ rows: _, ...it }) => it as unknown as EvidenceBlock),
    'no blocks': clean.map(() => null as unknown as EvidenceBlock),
    'each of the first ten again and again': Array.from({ length: 240 }, (_, i) => clean[i % 10] as EvidenceBlock),
    'rows twice': clean.map((it) => ({ ...it, rows: [...it.rows, ...it.rows] })),
  }
  for (const [name, blocks] of Object.entries(broken)) assert.equal(judged(blocks).kind, 'inconclusive', name)
  assert.match(judged(clean, { options: { replicas: { web: 2 } } }).text, /1 of 2 replicas of web on the canary silent/)
  assert.match(judged(clean, { options: { changed: ['web', 'pay'] } }).text, /no answer of pay/)
  const judge = createJudge(STANDARD_ANALYSIS, OPTIONS)
  for (const block of clean) judge.add(block)
  assert.match(judge.verdict(NOTHING_BESIDE, 300_000).text, /the last counts are 60 s old/)
  assert.equal(judge.look(NOTHING_BESIDE, Number.NaN), 'inconclusive')
})

test('the same blocks give the same verdict: looked at on the way or not, with rows in another order, split or added up', () => {
  const arbitrary = fc.record({
    seed: fc.integer({ min: 1, max: 1e6 }),
    rps: fc.integer({ min: 5, max: 60 }),
    bad: fc.constantFrom(0.001, 0.02, 0.3),
    clients: fc.constantFrom(0, 40),
  })
  const property = fc.property(arbitrary, ({ seed, rps, bad, clients }) => {
    const blocks = traffic({ seed, rps, clients, blocks: 40, errors: { stable: 0.001, canary: bad } })
    const options = { unit: clients > 0 ? ('client' as const) : ('request' as const) }
    const wanted = judged(blocks, { options })
    const watched = createJudge(STANDARD_ANALYSIS, { ...OPTIONS, ...options })
    for (const block of blocks) {
      watched.add(JSON.parse(JSON.stringify(block)) as EvidenceBlock)
      watched.add(block)
      watched.verdict(NOTHING_BESIDE, block.toMs)
    }
    assert.deepEqual(watched.verdict(NOTHING_BESIDE, (blocks.at(-1)?.toMs ?? 0) + 100), wanted)
    const split = blocks.map((it) => ({ ...it, rows: it.rows.flatMap(halves) }))
    assert.deepEqual(judged(split, { options }), wanted)
  })
  fc.assert(property, { numRuns: 30 })
})

test('rubbish never throws', () => {
  const value = fc.oneof(fc.integer(), fc.double(), fc.string(), fc.constant(null), fc.constant(undefined))
  const row = fc.record({
    service: value,
    route: value,
    replica: value,
    client: value,
    side: fc.oneof(value, fc.constantFrom('canary', 'stable')),
    requests: value,
    errors: value,
    rejected4xx: value,
    timed: value,
    slow: fc.oneof(value, fc.array(value)),
    failed: value,
  })
  const block = fc.record({
    rollout: value,
    stage: value,
    fromMs: value,
    toMs: value,
    weight: value,
    rows: fc.oneof(value, fc.array(row)),
    replicas: fc.oneof(value, fc.array(row)),
    clients: fc.oneof(value, fc.array(row)),
  })
  const property = fc.property(fc.array(fc.oneof(block, value)), fc.constantFrom('request' as const, 'client' as const), (blocks, unit) => {
    const judge = createJudge(STANDARD_ANALYSIS, { ...OPTIONS, unit, designEffect: Number.NaN })
    for (const it of blocks) judge.add(it as unknown as EvidenceBlock)
    assert.notEqual(judge.verdict(NOTHING_BESIDE, 1000).kind, 'pass')
  })
  fc.assert(property, { numRuns: 200 })
})

/** One request of the row, and the others. */
function halves(row: EvidenceBlock['rows'][number]): EvidenceBlock['rows'] {
  if (row.requests < 2) return [row]
  const rest = {
    ...row,
    requests: row.requests - 1,
    errors: Math.max(0, row.errors - 1),
    timed: row.timed - 1,
    slow: row.slow.map((it) => Math.max(0, it - 1)),
  }
  const one = { ...row, requests: 1, errors: Math.min(1, row.errors), timed: 1, slow: row.slow.map((it) => Math.min(1, it)) }
  return [rest, one]
}
