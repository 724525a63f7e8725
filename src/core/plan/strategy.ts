import type { AnalysisPolicy, AppGraph, CanaryStep, OnInconclusive, ReleaseChecks, Service, ShadowPolicy, Split, Strategy } from '../model/app-graph.ts'
import { isWorker } from '../model/app-graph.ts'
import { breakingMigrations, isReplaced } from './changes.ts'

/** Of a step that says nothing: without a verdict by then, `on_inconclusive` says what happens. */
export const STANDARD_AT_MOST_MS = 60 * 60_000

/** How one release takes over: one strategy, one weight for all of its changed services. */
export interface RolloutShape {
  readonly strategy: Strategy
  readonly steps: readonly CanaryStep[]
  readonly split: Split | null
  /** null: nobody judges. */
  readonly analysis: AnalysisPolicy | null
  readonly onInconclusive: OnInconclusive
  readonly shadow: ShadowPolicy | null
  readonly checks: ReleaseChecks | null
  /** The service whose words these are; null: the strategy needs none. */
  readonly by: string | null
  /** How long the previous release stays warm. */
  readonly keepMs: number
  /** Why it cannot be done as declared; nothing is touched then. */
  readonly refusal: string | null
}

/** The most careful one wins. */
const BESIDE = ['shadow', 'canary', 'blue-green'] as const

/**
 * | changed services                                   | strategy                                        |
 * |----------------------------------------------------|-------------------------------------------------|
 * | first release, nothing that serves changed, or the | rolling, or recreate                            |
 * | stable side is broken (`forward`)                  | (there is nothing to compare with)              |
 * | any with `shadow`                                  | shadow, in the words of the first by name       |
 * | else any with `canary`                             | canary, the same                                |
 * | else any with `blue-green`                         | blue-green, the same                            |
 * | all replaced (volume, `recreate`)                  | recreate                                        |
 * | else                                               | rolling                                         |
 *
 * What is replaced cannot run beside, so its strategy is no word about the release. Any of the three beside a schema that the predecessor may
 * not survive is refused: going back would need the old schema. So is a shadow of a worker: copies cannot be thrown away that it takes itself.
 */
export function shapeOf(graph: AppGraph, changed: readonly string[], isAlone: boolean): RolloutShape {
  const services = changed.map((name) => graph.services[name]).filter((it): it is Service => it !== undefined)
  const keepMs = services.reduce((most, it) => Math.max(most, it.release.keepMs), 0)
  const plain = { steps: [], split: null, analysis: null, onInconclusive: HOLD, shadow: null, checks: null, by: null, keepMs, refusal: null }
  for (const strategy of isAlone ? [] : BESIDE) {
    const service = services.find((it) => it.release.strategy === strategy && !isReplaced(graph, it.name))
    if (!service) continue
    const { release } = service
    const becomesCanary = strategy === 'canary' || (strategy === 'shadow' && release.shadow?.then === 'canary')
    return {
      ...plain,
      strategy,
      by: service.name,
      steps: becomesCanary ? release.steps : [],
      split: becomesCanary ? release.split : null,
      analysis: strategy === 'blue-green' ? null : (release.analysis ?? null),
      onInconclusive: release.onInconclusive ?? HOLD,
      shadow: strategy === 'shadow' ? (release.shadow ?? null) : null,
      checks: strategy === 'blue-green' ? (release.checks ?? null) : null,
      refusal: refusalOf(graph, changed, strategy),
    }
  }
  const recreate = services.length > 0 && services.every((it) => isReplaced(graph, it.name))
  return { ...plain, strategy: recreate ? 'recreate' : 'rolling' }
}

const HOLD: OnInconclusive = { kind: 'hold' }

function refusalOf(graph: AppGraph, changed: readonly string[], strategy: (typeof BESIDE)[number]): string | null {
  const what = strategy === 'blue-green' ? 'a blue-green release' : `a ${strategy}`
  const breaking = breakingMigrations(graph, changed)
  if (breaking.length > 0)
    return `${what} needs pre_start commands that both releases can live with: ${breaking.join(', ')} is not declared \`compatible: true\``
  const worker = strategy === 'shadow' ? changed.find((it) => graph.services[it] && isWorker(graph, it)) : undefined
  return worker ? `${what} throws its answers away, and ${worker} is a worker: beside the old one it would take real work off the queue` : null
}
