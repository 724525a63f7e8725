import type { AppGraph, Strategy } from '../model/app-graph.ts'
import type { Release } from '../model/release.ts'
import { breakingMigrations, changesBetween, isReplaced, notWarmBecause, type ServiceChange } from './changes.ts'
import { judgedBy, notJudged } from './judged.ts'
import { stagesOf } from './order.ts'
import { shapeOf } from './strategy.ts'

/** What a deploy would do, before anything is done. Pure data: the CLI prints it, the API returns it. */
export interface Plan {
  readonly base: number | null
  readonly strategy: Strategy
  readonly steps: readonly number[]
  /** How it is judged, a sentence a line; empty: it is not. */
  readonly judged: readonly string[]
  /** What of it cannot be judged, and why. */
  readonly notJudged: readonly string[]
  readonly changes: readonly ServiceChange[]
  readonly untouched: readonly string[]
  readonly stages: readonly { readonly services: readonly PlannedService[] }[]
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly action: 'create' | 'keep' | 'detach' }[]
  readonly routes: { readonly added: readonly string[]; readonly removed: readonly string[] }
  /** Hops on which a canary depends on baggage being passed on, and what happens where it is not. */
  readonly breaks: readonly string[]
  readonly notWarm: readonly { readonly service: string; readonly because: string }[]
  readonly keepMs: number
  /** Not null: the deploy would be refused with this. */
  readonly refusal: string | null
}

export interface PlannedService {
  readonly service: string
  readonly manner: 'beside' | 'replace'
  readonly preStart: readonly { readonly name: string; readonly compatible: boolean }[]
}

/**
 * The plan for `target` taking over from `base` (null: first release). Equal input gives an equal plan. `forward`: the base is broken, and
 * nothing is compared with it.
 *
 * @example planFor(v42, v43).changes // [{ service: 'web', kind: 'changed', reasons: ['code'] }]
 */
export function planFor(base: Release | null, target: Release, { forward = false }: { readonly forward?: boolean } = {}): Plan {
  const changes = changesBetween(base, target)
  const started = changes.filter((it) => it.kind !== 'removed').map((it) => it.service)
  const shape = shapeOf(target.graph, started, base === null || forward)
  const stages = stagesOf(target.graph, new Set(started))
  return {
    base: base?.number ?? null,
    strategy: shape.strategy,
    steps: shape.steps.map((it) => it.weight),
    judged: judgedBy(shape, target.graph, changes, base?.number ?? null),
    notJudged: notJudged(shape, target.graph, changes, forward && base ? { over: base.number } : null),
    changes,
    untouched: Object.keys(target.graph.services)
      .filter((it) => !started.includes(it))
      .sort(),
    stages: stages.map((services) => ({ services: services.map((service) => plannedService(target.graph, service, base !== null)) })),
    resources: resourcesBetween(base?.graph ?? null, target.graph),
    routes: routesBetween(base?.graph ?? null, target.graph),
    breaks: shape.steps.length > 0 || shape.shadow ? baggageBreaks(target.graph, started) : [],
    notWarm: base ? notWarm(base, target, changes) : [],
    keepMs: shape.keepMs,
    refusal: shape.refusal,
  }
}

function plannedService(graph: AppGraph, service: string, hasBase: boolean): PlannedService {
  return {
    service,
    manner: hasBase && isReplaced(graph, service) ? 'replace' : 'beside',
    preStart: (graph.services[service]?.preStart ?? []).map(({ name, compatible }) => ({ name, compatible })),
  }
}

function notWarm(base: Release, target: Release, changes: readonly ServiceChange[]): Plan['notWarm'] {
  const changed = changes.filter((it) => it.kind === 'changed').map((it) => it.service)
  const started = changes.filter((it) => it.kind !== 'removed').map((it) => it.service)
  const breaking = breakingMigrations(target.graph, started)
  return changed.flatMap((service) => {
    const because = notWarmBecause(base.graph, breaking, service)
    return because ? [{ service, because }] : []
  })
}

/**
 * A changed caller reaches its own track without any header. Only an *unchanged* caller of a changed service has to pass baggage on;
 * where it does not, its calls stay on stable. One changed service without routes, and nothing else: such calls are split by request.
 */
function baggageBreaks(graph: AppGraph, changed: readonly string[]): readonly string[] {
  const alone = changed.length === 1 && graph.services[changed[0] as string]?.routes.length === 0 && graph.entry?.service !== changed[0]
  const breaks: string[] = []
  for (const caller of Object.values(graph.services)) {
    if (changed.includes(caller.name)) continue
    for (const callee of caller.calls) {
      if (!changed.includes(callee)) continue
      breaks.push(
        alone
          ? `${caller.name} → ${callee}: calls without baggage are split by request, because ${callee} alone changes`
          : `${caller.name} → ${callee}: ${caller.name} does not change, so it must pass the baggage header on; calls without it go to stable`,
      )
    }
  }
  return breaks.sort()
}

function resourcesBetween(base: AppGraph | null, target: AppGraph): Plan['resources'] {
  const names = new Set([...Object.keys(base?.resources ?? {}), ...Object.keys(target.resources)])
  return [...names].sort().map((name) => {
    const resource = target.resources[name] ?? base?.resources[name]
    const action = !target.resources[name] ? 'detach' : base?.resources[name] ? 'keep' : 'create'
    return { name, kind: resource?.kind ?? 'unknown', action }
  })
}

function routesBetween(base: AppGraph | null, target: AppGraph): Plan['routes'] {
  const before = new Set(base ? routeTexts(base) : [])
  const after = new Set(routeTexts(target))
  return { added: [...after].filter((it) => !before.has(it)).sort(), removed: [...before].filter((it) => !after.has(it)).sort() }
}

function routeTexts(graph: AppGraph): readonly string[] {
  return Object.values(graph.services).flatMap((service) => service.routes.map((route) => `${route.host ?? '*'}${route.path} → ${service.name}`))
}
