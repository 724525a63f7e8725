/** C4: how soon what is broken is found, in made-up traffic. */
import { run } from './canary/run.ts'
import { QUIET, type World } from './canary/streams.ts'
import type { Figure, Goal, GoalOptions } from './goal.ts'
import { atMost, percentile } from './measured.ts'

interface Case {
  readonly name: string
  readonly world: Partial<World>
  readonly mostS: number
}

/** Requests a second are the canary's; it has a tenth. */
const CASES: readonly Case[] = [
  { name: 'total outage at 10/s', world: { rps: 100, fault: { errors: 1 } }, mostS: 5 },
  { name: 'total outage at 1/s', world: { rps: 10, fault: { errors: 1 } }, mostS: 20 },
  { name: '0.1 to 5 % errors at 10/s', world: { rps: 100, fault: { errors: 0.05 } }, mostS: 25 },
  { name: '0.1 to 1 % errors at 10/s', world: { rps: 100, fault: { errors: 0.01 } }, mostS: 180 },
  { name: '0.1 to 1 % errors at 100/s', world: { rps: 1000, fault: { errors: 0.01 } }, mostS: 20 },
  { name: 'latency ×1.5 at 10/s', world: { rps: 100, fault: { slower: 1.5 } }, mostS: 30 },
  { name: 'latency ×1.2 at 10/s', world: { rps: 100, fault: { slower: 1.2 } }, mostS: 200 },
  { name: '5 % of requests ×10 at 10/s', world: { rps: 100, fault: { tail: { share: 0.05, factor: 10 } } }, mostS: 90 },
]
const LOOK_MS = 500

export const goals: readonly Goal[] = [
  { id: 'C4', title: 'what is broken is found, p95', run: async (options) => CASES.map((it, at) => measure(it, at, options)) },
]

function measure({ name, world, mostS }: Case, at: number, { full, seed }: GoalOptions): Figure {
  const runs = full ? 1000 : 100
  const options = { forS: 6 * mostS, lookMs: LOOK_MS, until: 'fail' } as const
  const seconds = Array.from({ length: runs }, (_, i) => run({ ...QUIET, ...world }, seed + 100_000 * at + i, options).seconds)
  const missed = seconds.filter((it) => it === Number.POSITIVE_INFINITY).length
  const detail = `${name}: p50 ${percentile(seconds, 0.5)} s, p95 ${percentile(seconds, 0.95)} s of ${runs} runs; never within ${options.forS} s: ${missed}`
  return atMost(mostS, 's', percentile(seconds, 0.95), detail)
}
