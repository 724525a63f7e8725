import type { ServiceGraph } from '../../../packages/client/src/types.ts'

type Node = ServiceGraph['services'][number]
type Edge = ServiceGraph['edges'][number]

/** A call, where it stands in the tree; or what nobody calls, at the left. */
export interface TreeRow {
  /** What leads to it: `│  └─ `. */
  readonly branch: string
  readonly service: string
  /** Its own calls stand further up. */
  readonly repeated: boolean
  readonly node: Node | null
  readonly edge: Edge | null
  readonly calls: number
  readonly errors: number
  readonly p50Ms: number | null
  readonly p95Ms: number | null
  readonly p99Ms: number | null
}

/**
 * A graph as a tree to be read from above: a service's calls stand below it where it comes first, the busiest first. In a circle somebody has to
 * be first: the busiest.
 *
 * @example callTree(graph, true).map((row) => row.branch + row.service) // ['gateway', '└─ web', '   ├─ api', '   └─ db']
 */
export function callTree({ services, edges, classes }: ServiceGraph, unicode: boolean): TreeRow[] {
  const nodes = new Map(services.map((it) => [it.service, it]))
  const callees = Map.groupBy(edges, (it) => it.caller)
  const called = new Set(edges.filter((it) => it.caller !== it.callee).map((it) => it.callee))
  const shown = new Set<string>()
  const rows: TreeRow[] = []
  const [through, last, past, none] = unicode ? ['├─ ', '└─ ', '│  ', '   '] : ['|- ', '`- ', '|  ', '   ']

  const add = (service: string, edge: Edge | null, branch: string, below: string): void => {
    const node = nodes.get(service) ?? null
    const repeated = shown.has(service)
    rows.push({ branch, service, repeated, node, edge, ...(edge ?? begun(classes, service)) })
    if (repeated) return
    shown.add(service)
    const own = (callees.get(service) ?? []).toSorted((a, b) => b.calls - a.calls || a.callee.localeCompare(b.callee))
    own.forEach((it, at) => {
      const isLast = at === own.length - 1
      add(it.callee, it, below + (isLast ? last : through), below + (isLast ? none : past))
    })
  }
  const byCalls = services.toSorted((a, b) => b.calls - a.calls || a.service.localeCompare(b.service))
  for (const { service } of byCalls.filter((it) => !called.has(it.service))) add(service, null, '', '')
  for (const { service } of byCalls) if (!shown.has(service)) add(service, null, '', '')
  return rows
}

/** Of what nobody calls, the requests that began there. */
function begun(classes: ServiceGraph['classes'], service: string) {
  const own = classes.filter((it) => it.service === service)
  const [only] = own.length === 1 ? own : []
  const sum = (of: (it: ServiceGraph['classes'][number]) => number) => own.reduce((total, it) => total + of(it), 0)
  return { calls: sum((it) => it.count), errors: sum((it) => it.errors), p50Ms: only?.p50Ms ?? null, p95Ms: only?.p95Ms ?? null, p99Ms: null }
}
