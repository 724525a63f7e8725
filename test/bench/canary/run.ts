/** One rollout of a made-up world before the judge. */
import { type Analysis, createJudge, NOTHING_BESIDE, STANDARD_ANALYSIS, type Verdict } from '../../../src/core/canary/index.ts'
import { createGateway, SERVICE } from './evidence.ts'
import { createStream, type World } from './streams.ts'

export interface RunOptions {
  readonly forS: number
  /** Between two looks. */
  readonly lookMs: number
  readonly analysis?: Analysis
  readonly designEffect?: number
  /** The verdict that ends it; others are looked past. */
  readonly until: Verdict['kind']
}

export interface Outcome {
  /** Seconds until the verdict that was waited for; infinite: none in the time. */
  readonly seconds: number
  readonly verdict: Verdict
  /** Requests on the canary until then that failed. */
  readonly badAnswers: number
}

export function run(world: World, seed: number, { forS, lookMs, analysis = STANDARD_ANALYSIS, designEffect = 1, until }: RunOptions): Outcome {
  const stream = createStream(world, seed)
  const gateway = createGateway(world, stream)
  const replicas = { [SERVICE]: world.replicas.canary }
  const judge = createJudge(analysis, { unit: world.unit, designEffect, changed: [SERVICE], replicas, thresholds: gateway.thresholds })
  let badAnswers = 0
  for (let now = 0; now < forS * 1000; ) {
    const tick = stream.next(lookMs)
    now = tick.toMs
    for (let i = 0; i < tick.count; i++) badAnswers += (tick.onCanary[i] as number) & (tick.failed[i] as number)
    judge.add(gateway.block(tick))
    if (judge.look(NOTHING_BESIDE, now) === until) return { seconds: now / 1000, verdict: judge.verdict(NOTHING_BESIDE, now), badAnswers }
  }
  return { seconds: Number.POSITIVE_INFINITY, verdict: judge.verdict(NOTHING_BESIDE, forS * 1000), badAnswers }
}
