/** C8: our judge and the rules of others on the same requests. */
import { createJudge, NOTHING_BESIDE, STANDARD_ANALYSIS } from '../../src/core/canary/index.ts'
import { createGateway, SERVICE } from './canary/evidence.ts'
import { chance } from './canary/random.ts'
import { createStream, DISTURBANCES, QUIET, type World } from './canary/streams.ts'
import type { Figure, Goal } from './goal.ts'
import { median } from './measured.ts'
import { ARGO, ARGO_TUNED } from './rivals/argo.ts'
import { FLAGGER, FLAGGER_TUNED } from './rivals/flagger.ts'
import { KAYENTA, KAYENTA_TUNED } from './rivals/kayenta.ts'
import { Metrics } from './rivals/metrics.ts'
import { PIPECD, PIPECD_TUNED } from './rivals/pipecd.ts'
import type { Rival } from './rivals/rival.ts'

const DOCUMENTED: readonly Rival[] = [FLAGGER, ARGO, KAYENTA, PIPECD]
const TUNED: readonly Rival[] = [FLAGGER_TUNED, ARGO_TUNED, KAYENTA_TUNED, PIPECD_TUNED]
/** Just beyond the first moment at which Kayenta can fail as documented. */
const FAULTY_S = 3_700
const HEALTHY_S = 3_600

/** The right answer to each is FAIL. */
const FAULTY: Readonly<Record<string, World>> = {
  ...faulty('10 on the canary', QUIET),
  ...faulty('1 on the canary', { ...QUIET, rps: 10, clients: 50 }, ['all fail', '20 % errors', '5 % errors', '× 2']),
  ...faulty('by client', { ...QUIET, unit: 'client' }, ['all fail', '20 % errors', '5 % errors', '× 2', '× 1.5']),
  ...faulty('half of it', { ...QUIET, share: 0.5 }, ['all fail', '5 % errors', '× 1.5']),
  ...faulty('a base of 1 %', { ...QUIET, errors: 0.01 }, ['20 % errors', '5 % errors']),
  ...faulty('with pauses', { ...QUIET, disturbance: 'pauses' }, ['5 % errors', '× 2']),
}

function faulty(circumstances: string, world: World, only: readonly string[] | null = null): Record<string, World> {
  const faults: Record<string, World['fault']> = {
    'all fail': { errors: 1 },
    'half fail': { errors: 0.5 },
    '20 % errors': { errors: 0.2 },
    '10 % errors': { errors: 0.1 },
    '5 % errors': { errors: 0.05 },
    '2 % errors': { errors: 0.02 },
    'one route of ten fails': { errors: 1, route: 4 },
    '× 1.3': { slower: 1.3 },
    '× 1.5': { slower: 1.5 },
    '× 2': { slower: 2 },
    '5 % ten times as slow': { tail: { share: 0.05, factor: 10 } },
    'slow and failing': { slower: 1.5, errors: 0.05 },
  }
  const chosen = Object.entries(faults).filter(([name]) => only === null || only.includes(name))
  return Object.fromEntries(chosen.map(([name, fault]) => [`${name}, ${circumstances}`, { ...world, fault }]))
}

export const goals: readonly Goal[] = [
  {
    id: 'C8',
    title: 'time to a right FAIL and false alarms, beside the rules of others',
    run: async ({ full, seed }) => compare(full ? 25 : 3, full ? 100 : 8, seed),
  },
]

/** Second at which a rule fails; infinite: it passed, or had not decided in the time. */
type Times = ReadonlyMap<string, number>
const OURS = 'Weir'

function compare(runs: number, healthyRuns: number, seed: number): Figure[] {
  const rivals = [...DOCUMENTED, ...TUNED]
  const scenarios = Object.entries(FAULTY).map(([name, world]) => ({
    name,
    times: Array.from({ length: runs }, (_, run) => race(world, rivals, seed + run, FAULTY_S)),
  }))
  const healthy = DISTURBANCES.flatMap((disturbance) =>
    Array.from({ length: healthyRuns }, (_, run) => race({ ...QUIET, disturbance }, rivals, seed + 1000 + run, HEALTHY_S)),
  )
  const alarms = (name: string) => healthy.filter((times) => Number.isFinite(times.get(name))).length / healthy.length
  const ratios = scenarios.flatMap(({ times }) => times.flatMap((it) => DOCUMENTED.map((rival) => ratio(it, rival.name))))
  const sooner = median(ratios.filter((it) => !Number.isNaN(it)))

  const documented = DOCUMENTED.map((rival): Figure => {
    const later = scenarios.filter(({ times }) => median(times.map((it) => ratio(it, rival.name)).map((it) => (Number.isNaN(it) ? 1 : it))) < 1)
    const detail = `scenarios of ${scenarios.length} in which it was sooner${later.length === 0 ? '' : ` (${later.map((it) => it.name).join('; ')})`}; false alarms ${share(alarms(OURS))} against ${share(alarms(rival.name))} of ${healthy.length}; it failed ${caught(scenarios, rival.name)} of the faulty, Weir ${caught(scenarios, OURS)}`
    return { value: later.length, target: '≤0', unit: '', pass: later.length === 0 && alarms(OURS) <= alarms(rival.name), detail: `${rival.name}: ${detail}` }
  })
  const tuned = TUNED.map((rival): Figure => {
    const pairs = scenarios.flatMap(({ times }) => times.map((it) => ratio(it, rival.name))).filter((it) => !Number.isNaN(it))
    const value = median(pairs)
    const detail = `${rival.name}: its time over ours, paired median of ${pairs.length}; false alarms ${share(alarms(OURS))} against ${share(alarms(rival.name))} of ${healthy.length}; it failed ${caught(scenarios, rival.name)} of the faulty, Weir ${caught(scenarios, OURS)}`
    return { value, target: '≥1', unit: '×', pass: value >= 1 && alarms(OURS) < alarms(rival.name), detail }
  })
  return [
    ...documented,
    { value: sooner, target: '≥10', unit: '×', pass: sooner >= 10, detail: `as documented: their time over ours, paired median of ${ratios.length}` },
    ...tuned,
  ]
}

/** Everybody sees the same requests; who has decided looks no more. */
function race(world: World, rivals: readonly Rival[], seed: number, seconds: number): Times {
  const random = chance(seed)
  const stream = createStream(world, seed)
  const gateway = createGateway(world, stream)
  const judge = createJudge(STANDARD_ANALYSIS, {
    unit: world.unit,
    designEffect: 1,
    changed: [SERVICE],
    replicas: { [SERVICE]: world.replicas.canary },
    thresholds: gateway.thresholds,
  })
  const metrics = new Metrics(random.uniform())
  const runs = new Map(rivals.map((rival) => [rival.name, rival.create(random.uniform())]))
  const times = new Map<string, number>()
  let isOpen = true
  for (let second = 1; second <= seconds && (isOpen || runs.size > 0); second++) {
    const tick = stream.next(1000)
    if (runs.size > 0) metrics.add(tick)
    if (isOpen) {
      judge.add(gateway.block(tick))
      const found = judge.look(NOTHING_BESIDE, second * 1000)
      if (found !== 'inconclusive') {
        isOpen = false
        times.set(OURS, found === 'fail' ? second : Number.POSITIVE_INFINITY)
      }
    }
    for (const [name, run] of runs) {
      const found = second < run.nextAt ? null : run.look(metrics)
      if (found === null) continue
      runs.delete(name)
      times.set(name, found === 'fail' ? second : Number.POSITIVE_INFINITY)
    }
  }
  return times
}

/** Not a number where neither failed. */
function ratio(times: Times, rival: string): number {
  return (times.get(rival) ?? Number.POSITIVE_INFINITY) / (times.get(OURS) ?? Number.POSITIVE_INFINITY)
}

function caught(scenarios: readonly { readonly times: readonly Times[] }[], name: string): string {
  const all = scenarios.flatMap(({ times }) => times)
  return share(all.filter((times) => Number.isFinite(times.get(name))).length / all.length)
}

function share(value: number): string {
  return `${Math.round(1000 * value) / 10} %`
}
