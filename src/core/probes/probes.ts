import type { AppGraph } from '../model/app-graph.ts'
import { wayTo } from '../model/probe-way.ts'

/** What is known of an environment that may have probes. */
export interface ProbedEnvironment {
  readonly id: string
  /** Of an app without routes: where it is reached. */
  readonly port: number | null
  readonly graph: AppGraph
  /** Services that were stopped by hand; `*` is all of them. */
  readonly stopped: readonly string[]
}

/** One declared request and where it goes. */
export interface DueProbe {
  readonly environment: string
  readonly service: string
  readonly probe: string
  /** null: the shared listener. */
  readonly port: number | null
  /** For the `host` header; null: whatever the listener is called. */
  readonly host: string | null
  readonly path: string
  readonly expect: number
  readonly timeoutMs: number
}

export interface ProbeResult {
  readonly environment: string
  readonly service: string
  readonly probe: string
  readonly ok: boolean
  readonly durationMs: number
  /** Why it is not what was expected. */
  readonly cause: string | null
}

/**
 * The probes whose moment lies in (fromMs, toMs]. Each has a moment of its own within its period, so that many do not ask at once; however
 * many periods went by, it is due once.
 *
 * @example dueProbes(environments, lastLookMs, nowMs) // [{ environment: 'e1', service: 'web', probe: 'home', path: '/api/home', … }]
 */
export function dueProbes(environments: readonly ProbedEnvironment[], fromMs: number, toMs: number): readonly DueProbe[] {
  return environments.flatMap(({ id, port, graph, stopped }) =>
    Object.values(graph.services).flatMap((service) => {
      if (stopped.includes('*') || stopped.includes(service.name)) return []
      return Object.entries(service.probes ?? {}).flatMap(([name, probe]) => {
        const offsetMs = spread(`${id}/${service.name}/${name}`) % probe.everyMs
        const turn = (atMs: number) => Math.floor((atMs - offsetMs) / probe.everyMs)
        if (turn(toMs) <= turn(fromMs)) return []
        const way = wayTo(graph, service, probe)
        if (way === null || (way === 'port' && port === null)) return []
        const to = way === 'port' ? { port, host: null } : { port: null, host: way.host?.replace(/^\*\./, 'probe.') ?? null }
        return [{ environment: id, service: service.name, probe: name, ...to, path: probe.path, expect: probe.expect, timeoutMs: probe.timeoutMs }]
      })
    }),
  )
}

/** What to tell of a result, given the one before it: only what changed. */
export function turnOf(before: boolean | null, { ok }: Pick<ProbeResult, 'ok'>): 'probe.failing' | 'probe.recovered' | null {
  if (ok) return before === false ? 'probe.recovered' : null
  return before === false ? null : 'probe.failing'
}

/** FNV-1a: names that are alike are far apart. */
function spread(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}
