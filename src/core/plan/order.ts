import type { AppGraph } from '../model/app-graph.ts'

/**
 * Services in stages: everything a service depends on stands in an earlier stage, and each stands as early as it can.
 * Dependencies through services that are not in `subset` still count. Within a stage the order is by name, so equal input gives an equal plan.
 *
 *   level(s) = 1 + max over d in depends_on(s) of level(d)        (longest path, Kahn's order)
 *
 * The graph has no cycle: the manifest refuses them.
 *
 * @example stagesOf(graph, new Set(['api', 'web'])) // [['api'], ['web']] when web depends on api
 */
export function stagesOf(graph: AppGraph, subset: ReadonlySet<string>): readonly (readonly string[])[] {
  const levels = new Map<string, number>()
  const levelOf = (name: string): number => {
    const known = levels.get(name)
    if (known !== undefined) return known
    levels.set(name, 0) // a cycle that slipped through ends here instead of never
    const service = graph.services[name]
    let level = 0
    for (const dependency of Object.keys(service?.dependsOn ?? {})) {
      if (graph.services[dependency]) level = Math.max(level, 1 + levelOf(dependency))
    }
    levels.set(name, level)
    return level
  }
  const byLevel = new Map<number, string[]>()
  for (const name of [...subset].sort()) {
    const level = levelOf(name)
    const stage = byLevel.get(level)
    if (stage) stage.push(name)
    else byLevel.set(level, [name])
  }
  return [...byLevel.entries()].sort(([a], [b]) => a - b).map(([, names]) => names)
}
