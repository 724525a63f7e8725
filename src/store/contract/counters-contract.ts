import assert from 'node:assert/strict'
import { EVIDENCE_AT_ONCE } from '../../controllers/journal.ts'
import { STANDARD_ANALYSIS } from '../../core/canary/analysis.ts'
import type { CounterBlock } from '../../core/model/routing.ts'
import { isWeirError } from '../../errors.ts'
import { block, type Contract, changes, leader, must, SHOP } from './testing.ts'

/** What the gateway counted. */
export function countersContract(contract: Contract): void {
  contract('a block of counters counts once', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const blocks = [block('w1', 1, id, 5), block('w1', 2, id, 7), block('w2', 1, id, 1)]
    await journal.commitCounters(epoch, blocks.slice(0, 2))
    await journal.commitCounters(epoch, blocks)
    await journal.commitCounters(epoch, [...blocks, ...blocks])
    await journal.commitCounters(epoch, [])
    assert.equal(await fixture.requests(SHOP), 13)
  })

  contract('evidence is stored with the block that brought it, in order and once, and read on from a cursor', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const seen = async (rollout: string, after = 0) => journal.loadEvidence(id, rollout, after)
    const first = { ...block('w1', 1, id, 5), evidence: [evidence(id, 'r1', 1), evidence(id, 'r1', 2), evidence(id, 'r2', 1)] }
    const second = { ...block('w2', 1, id, 5), evidence: [evidence(id, 'r1', 3), evidence('e999', 'r1', 9)] }
    await journal.commitCounters(epoch, [first])
    await journal.commitCounters(epoch, [first, second])
    await journal.commitCounters(epoch, [second, second])
    const stored = await seen('r1')
    assert.deepEqual(
      stored.map((it) => it.block.stage),
      [1, 2, 3],
    )
    const { environment: _, ...same } = evidence(id, 'r1', 1)
    assert.deepEqual(stored[0]?.block, same)
    assert.deepEqual(
      (await seen('r1', must(stored[1]).seq)).map((it) => it.block.stage),
      [3],
    )
    assert.deepEqual(await seen('r1', must(stored[2]).seq), [])
    assert.equal((await seen('r2')).length, 1)
    assert.deepEqual(await journal.loadEvidence('e999', 'r1', 0), [], 'of an environment that is not there, none')
    await assert.rejects(journal.commitCounters(epoch - 1, [{ ...block('w3', 1, id, 1), evidence: [evidence(id, 'r1', 4)] }]), (error: unknown) =>
      isWeirError(error, 'E_STALE_EPOCH'),
    )
    assert.equal((await seen('r1')).length, 3)
  })

  contract('evidence is read in pieces', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const many = Array.from({ length: EVIDENCE_AT_ONCE + 3 }, (_, at) => evidence(id, 'r1', at + 1))
    await journal.commitCounters(epoch, [{ ...block('w1', 1, id, 5), evidence: many }])
    const piece = await journal.loadEvidence(id, 'r1', 0)
    assert.equal(piece.length, EVIDENCE_AT_ONCE)
    const rest = await journal.loadEvidence(id, 'r1', must(piece.at(-1)).seq)
    assert.deepEqual(
      rest.map((it) => it.block.stage),
      [EVIDENCE_AT_ONCE + 1, EVIDENCE_AT_ONCE + 2, EVIDENCE_AT_ONCE + 3],
    )
  })

  contract('latencies are known by service, release and route', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    await journal.commitCounters(epoch, [
      block('w1', 1, id, 5, { latency: [10, 3, 20, 2] }),
      block('w1', 2, id, 7, { latency: [20, 6], aborted: 1, errors: 2 }),
      block('w1', 3, id, 1, { origin: 2 }),
      block('w1', 4, id, 2, { route: '/other' }),
      block('w1', 5, 'e999', 2),
    ])
    const routes = (await journal.loadLatencies(id, 3_600_000)).toSorted((a, b) => a.origin - b.origin || a.requests - b.requests).toReversed()
    assert.deepEqual(
      routes.map((it) => [it.service, it.origin, it.route, it.requests]),
      [
        ['web', 2, '/', 1],
        ['web', 1, '/', 11],
        ['web', 1, '/other', 2],
      ],
    )
    assert.deepEqual([routes[1]?.latency, routes[1]?.errors, routes[0]?.errors], [[10, 3, 20, 8], 2, 0])
  })

  contract('the newest look at a rollout stays until there is a newer one', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const rollout = { id: 'r1', kind: 'deploy', target: 1, base: null, by: 'ann', strategy: 'canary', phase: 'splitting', weight: 5, because: null } as const
    const verdict = {
      kind: 'inconclusive',
      text: 'no "é" yet',
      tests: [],
      unproven: [],
      needsS: 3,
      share: 0.1,
      counted: { canary: 1, stable: 9, unit: 'requests' },
    } as const
    const rules = { analysis: STANDARD_ANALYSIS, unit: 'request', designEffect: 1.5, changed: ['web'], replicas: { web: 2 }, thresholds: {} } as const
    const side = { deaths: [], signatures: [], usage: [], custom: [] }
    const look = { verdict, rules, isSplit: true, cursor: 7, side, at: 12, deathsBefore: { 'e1-web-v1-1': 2 } }
    assert.equal(await journal.loadLook(id, 'r1'), null)
    await journal.commitEnvironment(epoch, id, changes({}, { rollouts: [{ ...rollout, outcome: null, look }] }))
    await journal.commitEnvironment(epoch, id, changes({}, { rollouts: [{ ...rollout, outcome: 'failed', look: null }] }))
    assert.deepEqual(await journal.loadLook(id, 'r1'), look)
    await journal.commitEnvironment(epoch, id, changes({}, { rollouts: [{ ...rollout, outcome: 'failed', look: { ...look, cursor: 9 } }] }))
    assert.equal((await journal.loadLook(id, 'r1'))?.cursor, 9)
    assert.equal(await journal.loadLook('e999', 'r1'), null)
  })

  contract('what slow requests come together is known from the newest trials', async (fixture) => {
    const { journal, epoch } = await leader(fixture)
    const id = await fixture.ensureEnvironment(SHOP)
    const effect = async () => must(await journal.loadEnvironment(id)).designEffect
    assert.equal(await effect(), 1)
    const trial = (number: number, designEffect: number, ended = true) => ({
      id: `aa-${number}`,
      release: 1,
      requests: 10,
      maxLogE: 0.5,
      alarm: false,
      designEffect,
      ended,
    })
    await journal.commitEnvironment(epoch, id, changes({}, { trials: [trial(1, 9, false)] }))
    assert.equal(await effect(), 1, 'one that is not over says nothing')
    await journal.commitEnvironment(epoch, id, changes({}, { trials: [trial(1, 9), trial(2, 2)] }))
    assert.equal(await effect(), 9)
    await journal.commitEnvironment(epoch, id, changes({}, { trials: [3, 4, 5, 6].map((number) => trial(number, 1.5)) }))
    assert.equal(await effect(), 2)
  })
}

function evidence(environment: string, rollout: string, stage: number): CounterBlock['evidence'][number] {
  const row = { service: 'web', route: '/', side: 'canary', requests: 3, errors: 1, rejected4xx: 0, timed: 2, slow: [2, 1, 0, 0, 0] } as const
  return { environment, rollout, stage, fromMs: 0, toMs: 250, rows: [row], replicas: [], clients: [] }
}
