import { environmentId } from './environment-id.ts'
import { pageRequest } from './found.ts'
import type { Handlers } from './route.ts'

const DAY_MS = 86_400_000
/** The lowest severity of OTLP for each level, highest first. */
const LEVELS = [
  ['fatal', 21],
  ['error', 17],
  ['warn', 13],
  ['info', 9],
  ['debug', 5],
  ['trace', 1],
  ['unknown', 0],
] as const

export const logSearch: Handlers<'logs.search'> = {
  'logs.search': async (call) => {
    const { words, level, service, release, replica, trace, since, until } = call.query
    const now = call.ports.now()
    const { items, cursor } = await call.ports.kept.logs(
      await environmentId(call),
      {
        fromMs: since === undefined ? now - DAY_MS : Date.parse(since),
        toMs: until === undefined ? now + DAY_MS : Date.parse(until), // clocks of services may be ahead
        words: (words ?? '').split(/\s+/).filter((it) => it !== ''),
        service: service ?? null,
        release: release === undefined ? null : `v${release}`,
        instance: replica ?? null,
        severity: LEVELS.find(([name]) => name === level)?.[1] ?? null,
        trace: trace ?? null,
      },
      pageRequest(call.query),
    )
    return {
      items: items.map(({ atMs, instance, severity, attributes, ...it }) => ({
        ...it,
        at: new Date(atMs).toISOString(),
        replica: instance,
        level: LEVELS.find(([, least]) => severity >= least)?.[0] ?? ('unknown' as const),
        attributes: attributes === null ? null : { ...attributes },
      })),
      cursor,
    }
  },
}
