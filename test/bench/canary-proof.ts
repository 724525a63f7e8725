/** C7, C10: how soon a release without a fault passes with proof, and that none passes without evidence. */
import { createJudge, type EvidenceBlock, NOTHING_BESIDE, STANDARD_ANALYSIS } from '../../src/core/canary/index.ts'
import { createGateway, SERVICE } from './canary/evidence.ts'
import { chance } from './canary/random.ts'
import { run } from './canary/run.ts'
import { createStream, QUIET, type World } from './canary/streams.ts'
import type { Figure, Goal, GoalOptions } from './goal.ts'
import { atMost, percentile } from './measured.ts'

export const goals: readonly Goal[] = [
  {
    id: 'C7',
    title: 'a release without a fault passes with proof',
    run: async (options) => [...proof(100, [180, 480], options), ...proof(1000, [60, null], options)],
  },
  { id: 'C10', title: 'releases that pass without evidence', run: async (options) => [withoutEvidence(options)] },
]

function proof(rps: number, [medianS, p95S]: readonly [number, number | null], { full, seed }: GoalOptions): Figure[] {
  const runs = full ? 500 : 60
  const seconds = Array.from({ length: runs }, (_, i) => run({ ...QUIET, rps }, seed + rps * 1000 + i, { forS: 1800, lookMs: 500, until: 'pass' }).seconds)
  const detail = `${rps / 10}/s on the canary: p50 ${percentile(seconds, 0.5)} s, p95 ${percentile(seconds, 0.95)} s of ${runs} runs`
  const figures = [atMost(medianS, 's', percentile(seconds, 0.5), `median; ${detail}`)]
  if (p95S !== null) figures.push(atMost(p95S, 's', percentile(seconds, 0.95), `p95; ${detail}`))
  return figures
}

/** What becomes of the blocks of a release without a fault on their way. Each would pass, were it believed. */
const BROKEN: Readonly<Record<string, (block: EvidenceBlock, at: number, all: EvidenceBlock[]) => EvidenceBlock | null>> = {
  'canary absent': (block) => ({
    ...block,
    rows: block.rows.filter(({ side }) => side === 'stable'),
    replicas: block.replicas.filter(({ side }) => side === 'stable'),
  }),
  'not a number': (block) => ({ ...block, rows: block.rows.map((row) => (row.side === 'canary' ? { ...row, errors: Number.NaN } : row)) }),
  'latency not a number': (block) => ({ ...block, rows: block.rows.map((row) => ({ ...row, slow: row.slow.map(() => Number.NaN) })) }),
  stale: (_, at, all) => all[Math.min(at, 3)] ?? null,
  'the first blocks again and again': (_, at, all) => all[at % 10] ?? null,
  doubled: (block) => ({ ...block, rows: [...block.rows, ...block.rows] }),
  'one replica silent': (block) => ({ ...block, replicas: block.replicas.filter(({ replica }) => replica !== `web-${REPLICAS.stable}`) }),
  'no traffic': (block) => ({ ...block, rows: [], replicas: [] }),
  'nothing comes': () => null,
  'columns absent': ({ rows: _, ...block }) => block as unknown as EvidenceBlock,
}
const REPLICAS = { canary: 2, stable: 4 }

function withoutEvidence({ seed }: GoalOptions): Figure {
  const trials = 1000
  const kinds = Object.entries(BROKEN)
  let passed = 0
  const which = new Set<string>()
  for (let i = 0; i < trials; i++) {
    const [kind, breakIt] = kinds[i % kinds.length] as (typeof kinds)[number]
    const random = chance(seed + i)
    const world: World = { ...QUIET, rps: [10, 50, 200][random.below(3)] ?? 50, replicas: REPLICAS, routes: 5 }
    const stream = createStream(world, seed + i)
    const gateway = createGateway(world, stream)
    const options = { unit: 'request' as const, designEffect: 1, changed: [SERVICE], replicas: { [SERVICE]: REPLICAS.canary }, thresholds: gateway.thresholds }
    const judge = createJudge(STANDARD_ANALYSIS, options)
    const seen: EvidenceBlock[] = []
    for (let at = 0; at < 300; at++) {
      const tick = stream.next(2000)
      seen.push(gateway.block(tick))
      const block = breakIt(seen[at] as EvidenceBlock, at, seen)
      if (block !== null) judge.add(block)
      if (judge.look(NOTHING_BESIDE, tick.toMs) !== 'pass') continue
      passed++
      which.add(kind)
      break
    }
  }
  return atMost(
    0,
    '',
    passed,
    `of ${trials} trials of ten minutes, ${kinds.length} ways in which metrics break${which.size === 0 ? '' : `: ${[...which].join(', ')}`}`,
  )
}
