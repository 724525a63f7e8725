import type { Counts } from '../core/objectives/indicators.ts'
import { OBJECTIVE_WINDOWS_MS, type Objectives, objectiveStatus } from '../core/objectives/status.ts'
import { WeirError } from '../errors.ts'
import type { EnvironmentDetail, EnvironmentRef } from '../store/queries.ts'
import { tracedOver } from './counted-spans.ts'
import { found, labelOf, refOf } from './found.ts'
import type { ApiPorts } from './ports.ts'
import type { Handlers } from './route.ts'

const MOST_SERVICES = 1_000
const NONE: Counts = { requests: 0, errors: 0, rejected4xx: 0, latency: [] }
const WINDOWS = ['short', 'medium', 'long', 'longest'] as const

export const objectives: Handlers<'objectives.show' | 'objectives.set'> = {
  'objectives.show': async (call) => {
    const ref = refOf(call)
    const detail = found(await call.ports.queries.environment(ref), labelOf(ref))
    return { items: await objectivesOf(call.ports, ref, detail) }
  },
  'objectives.set': async (call) => {
    const ref = refOf(call)
    const { service } = call.params
    const detail = found(await call.ports.queries.environment(ref), labelOf(ref))
    if (detail.graph && !Object.hasOwn(detail.graph.services, service)) {
      const known = Object.keys(detail.graph.services).join(', ')
      throw new WeirError('E_NOT_FOUND', { message: `no service ${service} in ${labelOf(ref)}`, cause: `there are ${known}`, next: 'weir status' })
    }
    const changes = Object.fromEntries(Object.entries(call.body).filter(([, value]) => value !== undefined))
    return call.write(async (write) => {
      await write.setObjectives(ref, service, changes)
      const own = Object.entries({ ...detail.objectives[service], ...changes }).filter(([, value]) => value !== null)
      return { service, objectives: { ...detail.graph?.services[service]?.objectives, ...Object.fromEntries(own) } }
    })
  },
}

/**
 * How each service stands to its objectives. Without any, nothing is counted. What gets nothing through the gateway, as a worker that reads a queue,
 * is counted by its spans.
 */
export async function objectivesOf(ports: Pick<ApiPorts, 'queries' | 'kept' | 'now'>, ref: EnvironmentRef, detail: EnvironmentDetail) {
  const declared = Object.entries(inForce(detail)).filter(([, own]) => Object.keys(own).length > 0)
  if (declared.length === 0) return []
  const windowsMs = WINDOWS.map((it) => OBJECTIVE_WINDOWS_MS[it])
  const rows = await ports.queries.indicators(ref, { windowsMs, by: 'service', limit: MOST_SERVICES })
  const counted = new Map(rows.map((it) => [it.service, it.windows]))
  const fromSpans = new Map(
    await Promise.all(
      declared
        .filter(([service]) => !counted.has(service))
        .map(async ([service]) => [service, await tracedOver(ports, detail.id, service, windowsMs)] as const),
    ),
  )
  const probed = await probesOf(ports, ref, detail, windowsMs)
  return declared.flatMap(([service, own]) => {
    const gateway = counted.get(service)
    const windows = gateway ?? fromSpans.get(service)
    const { availability } = own
    const byProbes = availability === undefined ? undefined : probed.get(service)
    const all = [
      ...statusOver(own, windows ?? []).map((it) => ({ ...it, source: gateway || !windows?.length ? ('gateway' as const) : ('traces' as const) })),
      ...(byProbes === undefined || availability === undefined
        ? []
        : statusOver({ availability }, byProbes).map((it) => ({ ...it, source: 'probes' as const }))),
    ]
    return all.map((it) => ({
      service,
      ...it,
      setBy: detail.objectives[service]?.[it.objective] === undefined ? ('manifest' as const) : ('hand' as const),
    }))
  })
}

function statusOver(own: Objectives, windows: readonly Counts[]) {
  const counts = (at: number): Counts => windows[at] ?? NONE
  return objectiveStatus(own, { short: counts(0), medium: counts(1), long: counts(2), longest: counts(3) })
}

/** What declared requests to each service that has any say of its availability. */
async function probesOf({ queries }: Pick<ApiPorts, 'queries'>, ref: EnvironmentRef, { graph }: EnvironmentDetail, windowsMs: readonly number[]) {
  const declared = (service: string) => graph?.services[service]?.probes
  const services = Object.keys(graph?.services ?? {}).filter(declared)
  if (services.length === 0) return new Map<string, Counts[]>()
  const found = await Promise.all(windowsMs.map((windowMs) => queries.probes(ref, windowMs)))
  const countsOf = (service: string) =>
    found.map((rows) => {
      const own = rows.filter((it) => it.service === service && Object.hasOwn(declared(service) ?? {}, it.probe))
      const sum = (of: (counts: Counts) => number) => own.reduce((total, it) => total + of(it.counts), 0)
      return { ...NONE, requests: sum((it) => it.requests), errors: sum((it) => it.errors) }
    })
  return new Map(services.map((service) => [service, countsOf(service)]))
}

/** What the manifest of the release that serves says, and over it what was set by hand. */
function inForce({ graph, objectives: byHand }: EnvironmentDetail): Readonly<Record<string, Objectives>> {
  const services = graph?.services ?? {}
  return Object.fromEntries(Object.keys(services).map((name) => [name, { ...services[name]?.objectives, ...byHand[name] }]))
}
