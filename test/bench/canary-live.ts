/** C1, C3: the scenarios on real processes, from the new release's first request to its last, and how many users met it. */
import { type LiveOutcome, LiveScenarios } from '../scenarios/live.ts'
import { type Scenario, scenarios, type Unit } from '../scenarios/scenario.ts'
import { withInstallation } from './deployed.ts'
import type { Figure, Goal } from './goal.ts'
import { atMost, median, percentile } from './measured.ts'

/** Enough requests of most routes for thresholds of their latency. */
const WARM_MS = 20_000
const SHORT: readonly string[] = ['crash', 'five-percent-errors', 'total-outage', 'total-outage-at-half']
const FULL_RUNS = 3
const MEDIAN_S = 10
const P95_S = 30

interface Measured {
  readonly scenario: Scenario
  readonly unit: Unit
  readonly outcomes: readonly LiveOutcome[]
}

export const goals: readonly Goal[] = [
  { id: 'C1', title: 'live: from the first request of a broken release to its last', run: async ({ full }) => durations(await runOnce(full)) },
  { id: 'C3', title: 'live: bad answers of a broken release until it is taken back', run: async ({ full }) => (await runOnce(full)).flatMap(badAnswers) },
]

/** Both goals look at the same runs. */
let runs: Promise<readonly Measured[]> | null = null
const runOnce = (full: boolean) => (runs ??= runAll(full))

async function runAll(full: boolean): Promise<readonly Measured[]> {
  const wanted = scenarios().filter(({ name }) => full || SHORT.includes(name))
  return withInstallation(async (weir) => {
    await weir.weir(['up', '--no-deploy'])
    const live = new LiveScenarios(weir, { warmMs: WARM_MS })
    const all: Measured[] = []
    // by request first: each way to split has an app of its own, which is warmed up once
    for (const unit of ['request', 'client'] as const) {
      for (const scenario of wanted.filter(({ canary }) => canary.split.includes(unit))) {
        const outcomes: LiveOutcome[] = []
        for (let run = 0; run < (full ? FULL_RUNS : 1); run++) outcomes.push(await live.run(scenario, unit))
        all.push({ scenario, unit, outcomes })
      }
    }
    return all
  })
}

function durations(measured: readonly Measured[]): Figure[] {
  const broken = measured.filter(({ scenario }) => scenario.expect.decision === 'fail')
  const seconds = broken.flatMap(secondsOf)
  return [
    atMost(MEDIAN_S, 's', median(seconds), `median of ${seconds.length} runs of all broken releases`),
    atMost(P95_S, 's', percentile(seconds, 0.95), `p95 of the same; never: ${seconds.filter((it) => it === Number.POSITIVE_INFINITY).length}`),
    ...measured.map(ofScenario),
  ]
}

/** What decided otherwise than expected did not decide. */
function secondsOf({ scenario, outcomes }: Measured): number[] {
  return outcomes.map(({ decision, seconds }) => (decision === scenario.expect.decision ? seconds : Number.POSITIVE_INFINITY))
}

function ofScenario(it: Measured): Figure {
  const { scenario, unit, outcomes } = it
  const seconds = secondsOf(it)
  const each = seconds.map((one) => one.toFixed(1)).join(', ')
  return atMost(scenario.expect.medianS, 's', median(seconds), `${scenario.title}, by ${unit}: ${each} s; "${outcomes.at(-1)?.sentence}"`)
}

function badAnswers({ scenario, unit, outcomes }: Measured): Figure[] {
  const { badAnswers: most } = scenario.expect
  if (most === null) return []
  const met = outcomes.map((it) => it.badAnswers)
  return [atMost(most, '', percentile(met, 0.95), `p95 ${scenario.title}, by ${unit}: ${met.join(', ')}`)]
}
