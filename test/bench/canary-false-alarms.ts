/** C5, C6: releases without a fault that are rolled back, however often one looks, and how soon a new error is told from chance. */
import { DesignEffect } from '../../src/core/canary/design-effect.ts'
import { createJudge, NOTHING_BESIDE, STANDARD_ANALYSIS } from '../../src/core/canary/index.ts'
import { commonErrors, errorsSeen } from './canary/errors-seen.ts'
import { createGateway, SERVICE } from './canary/evidence.ts'
import { chance } from './canary/random.ts'
import { createStream, DISTURBANCES, QUIET, type World } from './canary/streams.ts'
import type { Figure, Goal, GoalOptions } from './goal.ts'
import { atMost, percentile } from './measured.ts'

const HOUR_S = 3600
/** Of an A/A before the rollout, as after each promotion. */
const TRIAL_S = 600
const RATES = [10, 30, 60] as const
/** Part of the false alarms that signatures may spend. */
const OF_SIGNATURES = 0.2

export const goals: readonly Goal[] = [
  { id: 'C5', title: 'releases without a fault that are rolled back within an hour, a look every second', run: async (options) => falseAlarms(options) },
  { id: 'C6', title: 'a new error at a flat error rate', run: async (options) => [newError(options), falseSignatures(options)] },
]

function falseAlarms({ full, seed }: GoalOptions): Figure[] {
  const runs = full ? 10_000 : 1000
  const alarms: string[] = []
  for (let i = 0; i < runs; i++) {
    const world = worldOf(i)
    const alarm = judgeHour(world, seed + i)
    if (alarm !== null) alarms.push(`${world.unit} ${world.disturbance}: ${alarm}`)
  }
  const kinds = `${DISTURBANCES.length} kinds of traffic, by request and by client, 50 routes`
  return [atMost(1, '%', (100 * alarms.length) / runs, `${alarms.length} of ${runs} A/A hours; ${kinds}${alarms.map((it) => `; ${it}`).join('')}`)]
}

function worldOf(i: number): World {
  return {
    ...QUIET,
    routes: 50,
    disturbance: DISTURBANCES[i % DISTURBANCES.length] ?? 'none',
    unit: Math.floor(i / DISTURBANCES.length) % 2 === 0 ? 'request' : 'client',
    rps: RATES[i % RATES.length] ?? 30,
    replicas: { canary: 1 + (i % 2), stable: 2 + (i % 4) },
    share: i % 5 === 4 ? 0.5 : 0.1,
  }
}

/** What failed it; null: nothing. */
function judgeHour(world: World, seed: number): string | null {
  const stream = createStream(world, seed)
  const gateway = createGateway(world, stream)
  const random = chance(seed + 1)
  const errors = errorsSeen(world, random, commonErrors)
  const designEffect = world.disturbance === 'pauses' ? measuredDesignEffect(world, seed + 5e8) : 1
  const options = { unit: world.unit, designEffect, changed: [SERVICE], replicas: { [SERVICE]: world.replicas.canary }, thresholds: gateway.thresholds }
  const judge = createJudge(STANDARD_ANALYSIS, options)
  const usage = usageOf(world, random)
  for (let at = 0; at < HOUR_S; at++) {
    const tick = stream.next(1000)
    errors.see(tick)
    judge.add(gateway.block(tick))
    const side = { ...NOTHING_BESIDE, signatures: errors.signatures, usage }
    if (judge.look(side, tick.toMs) === 'fail') return `${at} s, ${judge.verdict(side, tick.toMs).tests[0]?.name}`
  }
  return null
}

function measuredDesignEffect(world: World, seed: number): number {
  const stream = createStream(world, seed)
  const gateway = createGateway(world, stream)
  const effect = new DesignEffect()
  for (let at = 0; at < TRIAL_S; at++) effect.add(gateway.block(stream.next(1000)))
  return effect.value
}

function usageOf({ replicas }: World, random: ReturnType<typeof chance>) {
  return (['canary', 'stable'] as const).flatMap((side) =>
    Array.from({ length: replicas[side] }, (_, i) => ({
      service: SERVICE,
      replica: `${side}-${i}`,
      side,
      memory: 1e8 * Math.exp(0.3 * random.normal()),
      cpu: random.uniform(),
    })),
  )
}

/** One error in 200 on both sides; the canary's are one that the stable side never has. Those of the stable side are known from before, so not in the list. */
function newError({ full, seed }: GoalOptions): Figure {
  const runs = full ? 1000 : 200
  const world: World = { ...QUIET, errors: 0.005 }
  const needed = Array.from({ length: runs }, (_, i) => {
    const stream = createStream(world, seed + i)
    const gateway = createGateway(world, stream)
    const errors = errorsSeen(world, chance(seed + i), (onCanary) => (onCanary ? 'TypeError: cart is undefined' : null))
    const judge = createJudge(STANDARD_ANALYSIS, {
      unit: 'request',
      designEffect: 1,
      changed: [SERVICE],
      replicas: { [SERVICE]: 1 },
      thresholds: gateway.thresholds,
    })
    for (;;) {
      const tick = stream.next(250)
      errors.see(tick)
      judge.add(gateway.block(tick))
      const side = { ...NOTHING_BESIDE, signatures: errors.signatures }
      if (judge.look(side, tick.toMs) === 'fail') return errors.signatures[0]?.canary ?? Number.NaN
      if (tick.toMs > HOUR_S * 1000) return Number.POSITIVE_INFINITY
    }
  })
  const detail = `occurrences at the verdict, p95 of ${runs} runs; median ${percentile(needed, 0.5)}, most ${percentile(needed, 1)}; looks every 250 ms`
  return atMost(4, '', percentile(needed, 0.95), detail)
}

/** Only signatures decide. Errors are 1 %, so that there are many. */
function falseSignatures({ seed }: GoalOptions): Figure {
  const runs = 1000
  const analysis = { ...STANDARD_ANALYSIS, compare: ['signatures'] as const, dryRun: [], routes: [] }
  let alarms = 0
  for (let i = 0; i < runs; i++) {
    const world: World = { ...QUIET, routes: 1, rps: 20, errors: 0.01, share: i % 3 === 0 ? 0.5 : 0.1 }
    const stream = createStream(world, seed + i)
    const errors = errorsSeen(world, chance(seed + i), commonErrors)
    const gateway = createGateway(world, stream)
    const judge = createJudge(analysis, { unit: 'request', designEffect: 1, changed: [SERVICE], replicas: {}, thresholds: {} })
    for (let at = 0; at < HOUR_S / 5; at++) {
      const tick = stream.next(5000)
      errors.see(tick)
      judge.add(gateway.block(tick))
      if (judge.look({ ...NOTHING_BESIDE, signatures: errors.signatures }, tick.toMs) !== 'fail') continue
      alarms++
      break
    }
  }
  const most = 100 * STANDARD_ANALYSIS.falseAlarm * OF_SIGNATURES
  return atMost(most, '%', (100 * alarms) / runs, `${alarms} false alarms in ${runs} A/A hours of 30 errors, looks every 5 s`)
}
