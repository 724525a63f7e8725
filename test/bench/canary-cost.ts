/** C9, the judge's part: what a thousand analyses at once cost. */
import { createJudge, NOTHING_BESIDE, STANDARD_ANALYSIS } from '../../src/core/canary/index.ts'
import { createGateway, SERVICE } from './canary/evidence.ts'
import { createStream, QUIET, type World } from './canary/streams.ts'
import type { Figure, Goal, GoalOptions } from './goal.ts'
import { atMost } from './measured.ts'

const ANALYSES = 1000
/** Latency and errors of 24 routes, and of the service. */
const WORLD: World = { ...QUIET, routes: 24, rps: 50 }

export const goals: readonly Goal[] = [{ id: 'C9', title: '1,000 analyses of 50 tests, judged every second', run: async (options) => [cost(options)] }]

function cost({ full, seed }: GoalOptions): Figure {
  const rounds = full ? 60 : 15
  const stream = createStream(WORLD, seed)
  const gateway = createGateway(WORLD, stream)
  const options = { unit: 'request' as const, designEffect: 1, changed: [SERVICE], replicas: { [SERVICE]: 1 }, thresholds: gateway.thresholds }
  const judges = Array.from({ length: ANALYSES }, () => createJudge(STANDARD_ANALYSIS, options))
  const warmUp = 5
  let cpuMs = 0
  let tests = 0
  for (let at = 0; at < rounds + warmUp; at++) {
    const blocks = Array.from({ length: 10 }, () => gateway.block(stream.next(1000)))
    const nowMs = blocks.at(-1)?.toMs ?? 0
    const before = process.cpuUsage()
    judges.forEach((judge, i) => {
      judge.add(blocks[i % blocks.length] as (typeof blocks)[number])
      tests = judge.verdict(NOTHING_BESIDE, nowMs).tests.length
    })
    const { user, system } = process.cpuUsage(before)
    if (at >= warmUp) cpuMs += (user + system) / 1000
  }
  return atMost(1, ' cores', cpuMs / 1000 / rounds, `a block of ${WORLD.rps} requests and a verdict of ${tests} tests with its sentences each, ${rounds} s`)
}
