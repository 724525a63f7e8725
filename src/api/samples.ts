import { environmentId } from './environment-id.ts'
import { pageRequest } from './found.ts'
import type { Call, Handlers } from './route.ts'

const HOUR_MS = 3_600_000
/** Clocks of services may be ahead. */
const AHEAD_MS = 24 * HOUR_MS

/** What services count themselves and send by OTLP or StatsD. */
export const samples: Handlers<'samples.names' | 'samples.list'> = {
  'samples.names': async (call) => {
    const { items, cursor } = await call.ports.kept.metrics(await environmentId(call), filterOf(call), pageRequest(call.query))
    return { items: items.map(({ atMs, services, ...it }) => ({ ...it, services: [...services], lastAt: new Date(atMs).toISOString() })), cursor }
  },
  'samples.list': async (call) => {
    const { items, cursor } = await call.ports.kept.samples(await environmentId(call), { ...filterOf(call), name: call.query.name }, pageRequest(call.query))
    return {
      items: items.map(({ atMs, instance, attributes, ...it }) => ({
        ...it,
        at: new Date(atMs).toISOString(),
        replica: instance,
        attributes: { ...attributes },
      })),
      cursor,
    }
  },
}

function filterOf({ query, ports }: Call<'samples.names'> | Call<'samples.list'>) {
  const now = ports.now()
  return { fromMs: query.since === undefined ? now - HOUR_MS : Date.parse(query.since), toMs: now + AHEAD_MS, service: query.service ?? null }
}
