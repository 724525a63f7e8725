import { originOf } from '../core/model/replica.ts'
import { type Counts, indicatorsOf } from '../core/objectives/indicators.ts'
import type { UsageSummary } from '../store/queries.ts'
import { cameIn, sumOf } from './counted-spans.ts'
import { environmentId } from './environment-id.ts'
import { found, labelOf, refOf } from './found.ts'
import type { Call, Handlers } from './route.ts'

const MOST_SERIES = 500

type List = Call<'indicators.show'>

export const indicators: Handlers<'indicators.show' | 'usage.show'> = {
  'indicators.show': async (call) => {
    const { by, minutes, service, limit } = call.query
    const ref = refOf(call)
    const { id } = found(await call.ports.queries.environment(ref), labelOf(ref))
    const windowMs = minutes * 60_000
    if (by === 'probe') {
      const probes = (await call.ports.queries.probes(ref, windowMs)).filter((it) => service === undefined || it.service === service)
      const items = probes.map((it) => shown({ ...it, release: null, route: null, source: 'probes' }, windowMs))
      return { minutes, items: items.slice(0, limit), missing: null }
    }
    const counted = await call.ports.queries.indicators(ref, { windowsMs: [windowMs], by, limit: MOST_SERIES })
    const taken = by === 'route' ? [] : await call.ports.queries.usage(ref, { windowMs, by })
    const traced = await fromTraces(call, id, new Set(counted.map((it) => it.service))).catch(() => null)
    const rows = [...counted.map((it) => ({ ...it, source: 'gateway' as const, counts: it.windows[0] as Counts })), ...(traced ?? [])]
    const items = rows.filter((it) => service === undefined || it.service === service).map((it) => shown({ ...it, probe: null }, windowMs, taken))
    return { minutes, items: items.sort((a, b) => b.requests - a.requests).slice(0, limit), missing: traced === null ? 'traces' : null }
  },
  'usage.show': async (call) => {
    const usage = await call.ports.live.usage(await environmentId(call))
    return {
      items: usage.flatMap(({ id, cpuMs, memoryBytes, limits }) => {
        const origin = originOf(id)
        return origin ? [{ replica: id, ...origin, cpuSeconds: cpuMs / 1000, memoryBytes, cpuLimit: limits.cpu, memoryLimitBytes: limits.memoryBytes }] : []
      }),
    }
  },
}

interface Counted {
  readonly service: string
  readonly release: number | null
  readonly route: string | null
  readonly probe: string | null
  readonly source: 'gateway' | 'traces' | 'probes'
  readonly counts: Counts
}
function shown({ service, release, route, probe, source, counts }: Counted, windowMs: number, taken: readonly UsageSummary[] = []) {
  const usage = taken.find((it) => it.service === service && it.release === release)
  const machine = { cpu: usage?.cpu ?? null, memoryBytes: usage?.memoryBytes ?? null, memoryPeakBytes: usage?.memoryPeakBytes ?? null }
  return { service, release, route, probe, source, requests: counts.requests, ...indicatorsOf(counts, windowMs), ...machine }
}

/** What comes by other ways than the gateway, as messages off a queue: counted by roll-ups of its spans. */
async function fromTraces({ ports, query }: List, environment: string, seen: ReadonlySet<string>) {
  const toMs = ports.now()
  const asked = { kind: 'operation', service: query.service ?? null, operation: null, peer: null, release: null } as const
  const range = { fromMs: toMs - query.minutes * 60_000, toMs }
  const { series } = await ports.kept.rollups(environment, { ...asked, ...range, widthMs: query.minutes * 60_000, limit: MOST_SERIES })
  const incoming = series.filter((it) => cameIn(it) && !seen.has(it.service) && it.service !== 'gateway')
  const keyOf = (it: (typeof incoming)[number]) =>
    JSON.stringify([it.service, query.by === 'release' ? releaseNumber(it.release) : null, query.by === 'route' ? it.operation : null])
  return [...Map.groupBy(incoming, keyOf)].map(([key, its]) => {
    const [service, release, route] = JSON.parse(key) as [string, number | null, string | null]
    const counts = sumOf(its.flatMap((it) => it.points))
    return { service, release, route, source: 'traces' as const, counts }
  })
}

function releaseNumber(text: string): number | null {
  const match = /^v(\d{1,9})$/.exec(text)
  return match ? Number(match[1]) : null
}
