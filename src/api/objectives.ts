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
  return declared.flatMap(([service, own]) => {
    const windows = counted.get(service) ?? fromSpans.get(service)
    const counts = (at: number): Counts => windows?.[at] ?? NONE
    const status = objectiveStatus(own, { short: counts(0), medium: counts(1), long: counts(2), longest: counts(3) })
    return status.map((it) => ({
      service,
      ...it,
      setBy: detail.objectives[service]?.[it.objective] === undefined ? ('manifest' as const) : ('hand' as const),
    }))
  })
}

/** What the manifest of the release that serves says, and over it what was set by hand. */
function inForce({ graph, objectives: byHand }: EnvironmentDetail): Readonly<Record<string, Objectives>> {
  const services = graph?.services ?? {}
  return Object.fromEntries(Object.keys(services).map((name) => [name, { ...services[name]?.objectives, ...byHand[name] }]))
}
