import { WeirError } from '../errors.ts'
import type { StoredTrace, TraceSummary } from '../store/telemetry-queries.ts'
import type { TraceLine } from '../telemetry/telemetry.ts'
import { environmentId } from './environment-id.ts'
import { found } from './found.ts'
import type { Call, Handlers } from './route.ts'

const DAY_MS = 86_400_000
/** What is usual for a kind of request is taken from the requests of so long. */
const USUAL_MS = 60 * 60_000
/** Slow ones are looked for among so many; a page may end before its limit. */
const LOOKED_THROUGH = 200

type List = Call<'traces.list'>

export const traces: Handlers<'traces.list' | 'traces.show'> = {
  'traces.list': async (call) => {
    const { service, errors, minMs, since, slow, limit, cursor } = call.query
    const environment = await environmentId(call)
    const filter = { service, errors, minMs, slow, since: sinceMs(call, since), before: cursor === undefined ? undefined : beforeOf(cursor) }
    const [wanted, limits] = slow ? [LOOKED_THROUGH, await usualMs(call, environment)] : [limit, null]
    const [recent, kept] = await Promise.allSettled([recentOnes(call, environment, filter, wanted), keptOnes(call, environment, filter, wanted)])
    if (kept.status === 'rejected' && recent.status === 'rejected') throw kept.reason
    const all = merged(valueOf(recent), valueOf(kept)).slice(0, wanted)
    const fitting = limits === null ? all : all.filter((it) => it.wasSlow || it.durationMs > (limits.get(kindOf(it)) ?? Number.POSITIVE_INFINITY))
    const page = fitting.slice(0, limit)
    const last = fitting.length > limit ? page.at(-1) : all.length === wanted ? all.at(-1) : undefined
    return {
      items: page.map(({ wasSlow: _, ...it }) => ({ ...it, at: new Date(it.at).toISOString(), services: [...it.services] })),
      cursor: last ? String(last.at) : null,
      missing: recent.status === 'rejected' ? 'recent' : kept.status === 'rejected' ? 'kept' : null,
    }
  },
  'traces.show': async (call) => {
    const { trace: id } = call.params
    const { telemetry, kept } = call.ports
    const environment = await environmentId(call)
    const [recent, stored] = await Promise.allSettled([telemetry.trace(environment, id), kept.trace(environment, id)])
    const trace = valueOf(recent) ?? (await viewOf(call, valueOf(stored) ?? null)) ?? notFound(id, recent, stored)
    return {
      ...trace,
      at: new Date(trace.at).toISOString(),
      services: [...trace.services],
      tree: trace.tree.map((it) => ({ ...it, attributes: { ...it.attributes } })),
    }
  },
}

/** A trace is missing only where both places say so. */
function notFound(id: string, ...places: readonly PromiseSettledResult<unknown>[]): never {
  for (const place of places) if (place.status === 'rejected') throw place.reason
  return found<never>(null, `trace ${id}`, 'weir traces')
}

interface Filter {
  readonly service: string | undefined
  readonly errors: boolean | undefined
  readonly minMs: number | undefined
  readonly slow: boolean | undefined
  readonly since: number
  readonly before: number | undefined
}
type Listed = TraceLine & { readonly wasSlow: boolean }

async function recentOnes({ ports }: List, environment: string, { since, ...filter }: Filter, limit: number): Promise<Listed[]> {
  const lines = await ports.telemetry.traces(environment, { ...filter, limit })
  return lines.filter((it) => it.at >= since).map((it) => ({ ...it, wasSlow: false }))
}

async function keptOnes({ ports }: List, environment: string, filter: Filter, limit: number): Promise<Listed[]> {
  const { service, errors, minMs, since, before } = filter
  const page = await ports.kept.traces(
    environment,
    {
      fromMs: since,
      toMs: before ?? ports.now() + DAY_MS, // clocks of services may be ahead
      service: service ?? null,
      operation: null,
      minDurationMs: minMs ?? null,
      maxDurationMs: null,
      failed: errors ? true : null,
    },
    { limit, cursor: null },
  )
  return page.items.map(lineOf)
}

function lineOf({ trace, atMs, release: _, kept, ...rest }: TraceSummary): Listed {
  return { id: trace, at: atMs, ...rest, wasSlow: kept === 'slow' }
}

/** Newest first; a trace that is in both places is there once, as the process shows it, which knows the late spans too. */
function merged(recent: readonly Listed[] = [], kept: readonly Listed[] = []): Listed[] {
  const slow = new Set(kept.filter((it) => it.wasSlow).map((it) => it.id))
  const ids = new Set(recent.map((it) => it.id))
  const all = [...recent.map((it) => ({ ...it, wasSlow: slow.has(it.id) })), ...kept.filter((it) => !ids.has(it.id))]
  return all.sort((a, b) => b.at - a.at)
}

/** The 95th percentile of each kind of request; empty while the process does not answer: then what was kept for being slow is all that counts. */
async function usualMs({ ports }: List, environment: string): Promise<ReadonlyMap<string, number>> {
  const graph = await ports.telemetry.graph(environment, { windowMs: USUAL_MS }).catch(() => null)
  return new Map(graph?.classes.flatMap((it) => (it.p95Ms === null ? [] : [[kindOf(it), it.p95Ms] as const])))
}

function kindOf({ service, operation }: { readonly service: string; readonly operation: string }): string {
  return `${service} ${operation}`
}

async function viewOf({ ports }: Pick<List, 'ports'>, stored: StoredTrace | null) {
  return stored === null ? null : ports.kept.viewOf(stored)
}

function valueOf<T>(result: PromiseSettledResult<T>): T | undefined {
  return result.status === 'fulfilled' ? result.value : undefined
}

function sinceMs({ ports }: List, since: string | undefined): number {
  return since === undefined ? ports.now() - DAY_MS : Date.parse(since)
}

function beforeOf(cursor: string): number {
  const ms = Number(cursor)
  if (!Number.isFinite(ms))
    throw new WeirError('E_USAGE', { message: 'no cursor that was given out', cause: JSON.stringify(cursor), next: 'begin without one' })
  return ms
}
