import type { AppGraph, CanaryStep, Service, Split } from '../model/app-graph.ts'
import { breakingMigrations, isReplaced } from './changes.ts'

/** How one release takes over: one strategy, one weight for all of its changed services. */
export interface RolloutShape {
  readonly strategy: 'rolling' | 'recreate' | 'canary'
  readonly steps: readonly CanaryStep[]
  readonly split: Split | null
  /** How long the previous release stays warm. */
  readonly keepMs: number
  /** Why it cannot be done as declared; nothing is touched then. */
  readonly refusal: string | null
}

/**
 * | changed services                                   | strategy                                    |
 * |----------------------------------------------------|---------------------------------------------|
 * | first release, or nothing that serves changed      | rolling (there is nothing to compare with)  |
 * | any with `canary`                                  | canary, by the steps of the first by name   |
 * | all replaced (volume, `recreate`)                  | recreate                                    |
 * | else                                               | rolling                                     |
 *
 * A canary beside a schema that its predecessor may not survive is refused: going back would need the old schema.
 */
export function shapeOf(graph: AppGraph, changed: readonly string[], first: boolean): RolloutShape {
  const services = changed.map((name) => graph.services[name]).filter((it): it is Service => it !== undefined)
  const keepMs = services.reduce((most, it) => Math.max(most, it.release.keepMs), 0)
  const canary = services.find((it) => it.release.strategy === 'canary' && !isReplaced(graph, it.name))
  if (canary && !first) {
    const breaking = breakingMigrations(graph, changed)
    const refusal =
      breaking.length > 0
        ? `a canary needs pre_start commands that both releases can live with: ${breaking.join(', ')} is not declared \`compatible: true\``
        : null
    return { strategy: 'canary', steps: canary.release.steps, split: canary.release.split, keepMs, refusal }
  }
  const recreate = services.length > 0 && services.every((it) => isReplaced(graph, it.name))
  return { strategy: recreate ? 'recreate' : 'rolling', steps: [], split: null, keepMs, refusal: null }
}
