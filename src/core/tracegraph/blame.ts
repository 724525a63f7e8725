import { readKey, type Stats } from './bucket.ts'
import { type Cell, meanMs } from './cell.ts'
import type { ServiceGraph, Stretch } from './service-graph.ts'
import { merged, normalQuantile, pooled, type Shift, shiftOf } from './shift.ts'

/**
 * Blame: which service makes requests slower than they were.
 *
 * 1. For each class of requests: how far has each service's own time, and each edge's gap (what the caller waits beyond the callee's work),
 *    shifted from its usual (`shift.ts`)?
 * 2. A service is suspected if its own times, the gaps of the edges into it, the gaps of those out of it, or all three taken together shifted by
 *    more than chance does in 2 % of quiet stretches, with as many questions asked as there are services.
 * 3. A gap has two ends. What at least half of a service's callees show at the same time arises in the service itself; the rest is the callee's.
 * 4. Suspects are ranked by the milliseconds that they can answer for, all visits together, less the slowest single visit; if those are less
 *    than 10 % of what requests that pass the service usually take, nobody is blamed.
 */
export interface Blame {
  readonly service: string
  /** By how many standard deviations it is slower than usual. */
  readonly z: number
  /** Milliseconds that a request which passes the service lost to it. */
  readonly lostMs: number
  readonly kind: 'capacity' | 'code' | 'network' | 'dependency'
  readonly evidence: Evidence
}

export interface Evidence {
  /** Mean time of a visit that the service has to answer for: its own, and what callers waited beyond it. */
  readonly residenceMs: Change
  readonly ownMs: Change
  readonly gapMs: Change
  /** Mean gap of its own calls to others. */
  readonly outgoingGapMs: Change
  readonly visitsPerSecond: Change
  /** How busy a replica is, told from its latency alone: L / (1 + L), L visits at once (processor sharing). */
  readonly utilisation: Change
  /** Share of its visits whose spans never came. */
  readonly lostShare: number
}

export interface Change {
  readonly before: number
  readonly now: number
}

/** In how many quiet stretches somebody may be blamed who did nothing. */
const FALSE_BLAME = 0.02
/** Own times, gaps into, gaps out of a service, and all together. */
const QUESTIONS = 4
const LEAST_VISITS = 3
/** Nobody reads about more; each is measured by a walk over all that is known. */
const MOST_BLAMED = 10
const MATERIAL = 0.1
/** Load that grew by less than this did not grow. */
const GREW = 1.1

interface Element {
  readonly service: string
  readonly caller: string | null
  readonly shift: Shift
  readonly excessMs: number
  readonly visits: number
  readonly maxMs: number
}

interface Suspect {
  lostMs: number
  worstMs: number
  z: number
}

/** Where two stretches of one graph are compared; `below`: only what this service calls, and what that calls. */
export interface BlameOptions {
  readonly below?: string
}

export function blame(graph: ServiceGraph, now: Stretch, before: Stretch, { below }: BlameOptions = {}): Blame[] {
  const reach = below === undefined ? null : reachable(graph, now, below)
  const elements = elementsOf(graph, now, before).filter(
    ({ service, caller }) => reach === null || (reach.has(service) && (caller === null || reach.has(caller) || service === below)),
  )
  const suspects = suspectsOf(elements)
  const passing = passingOf(graph, now, before, suspects)
  return [...suspects]
    .map(([service, suspect]) => ({ service, suspect, passing: passing.get(service) ?? NOBODY }))
    .map(({ service, suspect: { lostMs, worstMs, z }, passing }) => ({ service, z, total: lostMs - worstMs, passing }))
    .filter(({ total, passing }) => total > 0 && total >= MATERIAL * passing.usualMs * passing.requests)
    .sort((a, b) => b.total - a.total)
    .slice(0, MOST_BLAMED)
    .map(({ service, z, total, passing }) => verdict(graph, now, before, { service, z, lostMs: passing.requests === 0 ? 0 : total / passing.requests }))
}

function elementsOf(graph: ServiceGraph, now: Stretch, before: Stretch): Element[] {
  const present = cellsOf(now, false)
  const past = cellsOf(before, true)
  return [...present].flatMap(([key, cells]): Element[] => {
    const known = past.get(key) ?? []
    const shift = shiftOf(cells, known)
    if (shift === null) return []
    const [current, usual] = [merged(cells), merged(known)]
    const { node, edge } = readKey(key)
    const ends = edge === null ? { caller: null, callee: graph.node(node ?? 0).service } : graph.edge(edge)
    const excessMs = meanMs(current) - meanMs(usual)
    return [{ service: ends.callee, caller: ends.caller, shift, excessMs, visits: current.weight, maxMs: current.maxMs - meanMs(usual) }]
  })
}

function cellsOf(stretch: Stretch, withPast: boolean): Map<number, Cell[]> {
  const cells = new Map<number, Cell[]>()
  const add = (key: number, cell: Cell) => {
    const known = cells.get(key)
    if (known === undefined) cells.set(key, [cell])
    else known.push(cell)
  }
  for (const bucket of stretch.buckets) for (const [key, cell] of bucket.cells) add(key, cell)
  if (withPast) for (const [key, cell] of stretch.past) add(key, cell)
  return cells
}

function suspectsOf(elements: readonly Element[]): Map<string, Suspect> {
  const own = groupBy(elements, ({ caller, service }) => (caller === null ? service : null))
  const into = groupBy(elements, ({ caller, service }) => (caller === null ? null : service))
  const outOf = groupBy(elements, ({ caller }) => caller)
  const suspects = new Map<string, Suspect>()
  const charge = (service: string, z: number, ms: number, worstMs: number) => {
    const known = suspects.get(service) ?? { lostMs: 0, worstMs: 0, z }
    suspects.set(service, { lostMs: known.lostMs + ms, worstMs: Math.max(known.worstMs, worstMs), z: Math.max(known.z, z) })
  }
  const sureness = new Map<string, Sureness>()
  const services = new Set(elements.flatMap(({ service, caller }) => (caller === null ? [service] : [service, caller])))
  const sure = normalQuantile(1 - FALSE_BLAME / (QUESTIONS * services.size))
  for (const service of services) {
    sureness.set(service, surenessOf(sure, own.get(service) ?? [], into.get(service) ?? [], outOf.get(service) ?? []))
  }
  const common = new Map([...outOf].map(([caller, edges]) => [caller, sureness.get(caller)?.out === true ? commonExcess(edges) : 0]))
  for (const { service, caller, excessMs, visits, maxMs } of elements) {
    if (excessMs <= 0) continue
    const its = sureness.get(service)
    if (caller === null) {
      if (its?.own === true) charge(service, its.z, excessMs * visits, maxMs)
      continue
    }
    const callers = Math.min(excessMs, common.get(caller) ?? 0)
    if (callers > 0) charge(caller, sureness.get(caller)?.z ?? 0, callers * visits, 0)
    if (its?.into === true) charge(service, its.z, (excessMs - callers) * visits, maxMs)
  }
  return suspects
}

interface Sureness {
  readonly own: boolean
  readonly into: boolean
  readonly out: boolean
  readonly z: number
}

/** Each kind of evidence by itself, or all of it together (Stouffer): a starved service is late in everything it does. */
function surenessOf(sure: number, own: readonly Element[], into: readonly Element[], out: readonly Element[]): Sureness {
  const each = [own, into, out].map((elements) => pooled(elements.map(({ shift }) => shift)))
  const known = each.filter(({ observations }) => observations >= LEAST_VISITS)
  const together = known.length === 0 ? 0 : known.reduce((sum, { z }) => sum + z, 0) / Math.sqrt(known.length)
  const isSure = ({ z, observations }: { z: number; observations: number }) => observations >= LEAST_VISITS && z >= sure
  const all = known.length === 3 && together >= sure && known.every(({ z }) => z > 1)
  const [isOwn = false, isInto = false, isOut = false] = each.map(isSure)
  return { own: all || isOwn, into: all || isInto, out: all || isOut, z: Math.max(together, ...known.map(({ z }) => z), 0) }
}

/** What at least half of the callees have in common. With one callee it cannot be told apart from that one's own. */
function commonExcess(edges: readonly Element[]): number {
  const byCallee = [...groupBy(edges, ({ service }) => service).values()].map((its) => {
    const visits = its.reduce((sum, it) => sum + it.visits, 0)
    return Math.max(0, its.reduce((sum, it) => sum + it.excessMs * it.visits, 0) / visits)
  })
  if (byCallee.length < 2) return 0
  return byCallee.sort((a, b) => a - b)[Math.floor((byCallee.length - 1) / 2)] ?? 0
}

interface Passing {
  readonly requests: number
  readonly usualMs: number
}
const NOBODY: Passing = { requests: 0, usualMs: 0 }

/** Of each suspect: how many requests pass it now, and what those that pass it take as a rule. */
function passingOf(graph: ServiceGraph, now: Stretch, before: Stretch, suspects: ReadonlyMap<string, Suspect>): Map<string, Passing> {
  const present = passingIn(graph, now, suspects)
  const past = passingIn(graph, before, suspects)
  return new Map(
    [...suspects.keys()].map((service) => {
      const known = past.get(service)
      return [service, { requests: present.get(service)?.requests ?? 0, usualMs: known ? known.sumMs / known.requests : 0 }]
    }),
  )
}

function passingIn(graph: ServiceGraph, { buckets }: Stretch, suspects: ReadonlyMap<string, Suspect>): Map<string, { requests: number; sumMs: number }> {
  const sums = new Map<string, { requests: number; sumMs: number }>()
  for (const bucket of buckets) {
    for (const [key, { requests, sumMs }] of bucket.passing) {
      const { service } = graph.node(readKey(key).node ?? 0)
      if (!suspects.has(service) || requests === 0) continue
      const sum = sums.get(service) ?? { requests: 0, sumMs: 0 }
      sums.set(service, { requests: sum.requests + requests, sumMs: sum.sumMs + sumMs })
    }
  }
  return sums
}

function verdict(graph: ServiceGraph, now: Stretch, before: Stretch, { service, z, lostMs }: { service: string; z: number; lostMs: number }): Blame {
  const { evidence, replicas, isPeer } = evidenceOf(graph, now, before, service)
  return { service, z, lostMs, kind: isPeer ? 'dependency' : kindOf(evidence, replicas), evidence }
}

/**
 * | visits a second and replica | work of a visit, S = W / (1 + x·W) | own time | gap | kind |
 * |---|---|---|---|---|
 * | grew | the same: it is W, with the waiting, that grew | | | capacity |
 * | nearly full before, and no fewer | | | | capacity |
 * | the same | | the same | grew | network |
 * | the same | | grew | | code |
 */
function kindOf({ residenceMs, ownMs, gapMs, outgoingGapMs, visitsPerSecond, utilisation }: Evidence, replicas: Change): Blame['kind'] {
  const rate = { before: visitsPerSecond.before / replicas.before, now: visitsPerSecond.now / replicas.now }
  const work = ({ ms, perSecond }: { ms: number; perSecond: number }) => ms / (1 + (perSecond * ms) / 1000)
  const grownWork = work({ ms: residenceMs.now, perSecond: rate.now }) / work({ ms: residenceMs.before, perSecond: rate.before })
  const grownTime = residenceMs.now / residenceMs.before
  const waits = grownTime > 1 && Math.log(grownWork) < Math.log(grownTime) / 2
  if (rate.before > 0 && rate.now >= GREW * rate.before && waits) return 'capacity'
  if (utilisation.before > 0.8 && rate.now >= rate.before && waits) return 'capacity'
  const grownOwn = ownMs.now - ownMs.before
  const grownOut = outgoingGapMs.now - outgoingGapMs.before
  return gapMs.now - gapMs.before > Math.max(grownOwn, grownOut) ? 'network' : 'code'
}

function evidenceOf(graph: ServiceGraph, now: Stretch, before: Stretch, service: string): { evidence: Evidence; replicas: Change; isPeer: boolean } {
  const [present, past] = [measure(graph, now, service), measure(graph, before, service)]
  const change = (of: (measured: Measured) => number): Change => ({ before: of(past), now: of(present) })
  const busy = ({ visits, residenceMs, ms, replicas }: Measured) => (ms === 0 ? 0 : (visits * residenceMs) / ms / replicas)
  return {
    evidence: {
      residenceMs: change((it) => it.residenceMs),
      ownMs: change((it) => it.ownMs),
      gapMs: change((it) => it.gapMs),
      outgoingGapMs: change((it) => it.outgoingGapMs),
      visitsPerSecond: change(({ visits, ms }) => (ms === 0 ? 0 : (visits / ms) * 1000)),
      utilisation: change((it) => busy(it) / (1 + busy(it))),
      lostShare: present.visits + present.lost === 0 ? 0 : present.lost / (present.visits + present.lost),
    },
    replicas: change((it) => it.replicas),
    isPeer: present.isPeer,
  }
}

interface Measured {
  readonly ms: number
  readonly visits: number
  readonly residenceMs: number
  readonly ownMs: number
  readonly gapMs: number
  readonly outgoingGapMs: number
  readonly replicas: number
  readonly lost: number
  readonly isPeer: boolean
}

function measure(graph: ServiceGraph, stretch: Stretch, service: string): Measured {
  const [own, into, out]: [Cell[], Cell[], Cell[]] = [[], [], []]
  const nodes: Stats[] = []
  let isPeer = false
  for (const bucket of stretch.buckets) {
    for (const [key, cell] of bucket.cells) {
      const { node, edge } = readKey(key)
      if (node !== null && graph.node(node).service === service) own.push(cell)
      if (edge === null) continue
      const ends = graph.edge(edge)
      if (ends.callee === service) into.push(cell)
      if (ends.caller === service) out.push(cell)
    }
    for (const [id, stats] of bucket.nodes) {
      if (graph.node(id).service !== service) continue
      nodes.push(stats)
      isPeer ||= graph.node(id).kind === 'peer'
    }
  }
  const [ownMs, gapMs, outgoingGapMs] = [own, into, out].map((cells) => meanMs(merged(cells))) as [number, number, number]
  const replicas = Math.max(1, new Set(nodes.flatMap(({ instances }) => [...instances])).size)
  const visits = nodes.reduce((sum, { calls }) => sum + calls, 0)
  const lost = nodes.reduce((sum, it) => sum + it.lost, 0)
  return { ms: stretch.ms, visits, residenceMs: ownMs + gapMs, ownMs, gapMs, outgoingGapMs, replicas, lost, isPeer }
}

/** The service and everything that it calls, or what it calls does. */
function reachable(graph: ServiceGraph, stretch: Stretch, from: string): Set<string> {
  const callees = new Map<string, Set<string>>()
  for (const bucket of stretch.buckets) {
    for (const id of bucket.edges.keys()) {
      const { caller, callee } = graph.edge(id)
      const known = callees.get(caller)
      if (known === undefined) callees.set(caller, new Set([callee]))
      else known.add(callee)
    }
  }
  const found = new Set([from])
  for (const service of found) for (const callee of callees.get(service) ?? []) found.add(callee)
  return found
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string | null): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    if (key === null) continue
    const known = groups.get(key)
    if (known === undefined) groups.set(key, [item])
    else known.push(item)
  }
  return groups
}
