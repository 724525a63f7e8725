import type { EdgeRecord, EnvironmentState } from '../rollout/state.ts'
import { type Group, groupKey, type Releases } from './desired.ts'

/** Ports of an app's edges on its own loopback address. They go round, so that a number just freed is the last to come back. */
const FIRST_PORT = 10_000
const LAST_PORT = 19_999

/**
 * One edge for every (caller, release that started it, callee, port): it exists as long as replicas of that caller do, so a draining
 * caller keeps the addresses that it was given.
 */
export function decideEdges(
  environment: string,
  state: EnvironmentState,
  groups: readonly Group[],
  releases: Releases,
): { readonly edges: readonly EdgeRecord[]; readonly nextEdgePort: number } {
  const alive = new Set(groups.filter((it) => it.count > 0).map((it) => groupKey(it.service, it.origin)))
  for (const record of Object.values(state.replicas)) alive.add(groupKey(record.service, record.origin))
  const kept = state.edges.filter((edge) => alive.has(groupKey(edge.caller, edge.origin)))
  const known = new Set(kept.map((edge) => edge.id))
  const taken = new Set(kept.map((edge) => edge.listen))
  const edges = [...kept]
  let next = state.nextEdgePort
  const open = (caller: string, origin: number, service: string, port: string) => {
    const id = edgeId(environment, caller, origin, service, port)
    if (known.has(id)) return
    while (taken.has(next)) next = after(next)
    edges.push({ id, caller, origin, service, port, listen: next })
    known.add(id)
    taken.add(next)
    next = after(next)
  }
  for (const group of groups) {
    if (group.count === 0) continue
    const release = releases[group.release]
    for (const callee of release?.graph.services[group.service]?.calls ?? []) {
      for (const [port, { protocol }] of Object.entries(release?.graph.services[callee]?.ports ?? {})) {
        if (protocol !== 'tcp') open(group.service, group.origin, callee, port)
      }
    }
  }
  return { edges, nextEdgePort: next }
}

export function edgeId(environment: string, caller: string, origin: number, callee: string, port: string): string {
  return `${environment}:${caller}@${origin}>${callee}.${port}`
}

function after(port: number): number {
  return port >= LAST_PORT ? FIRST_PORT : port + 1
}
