import type { EnvironmentRef } from '../store/queries.ts'
import { exposition, type Family } from './exposition.ts'
import type { ApiPorts } from './ports.ts'
import type { Call, Handlers } from './route.ts'

const MOST_APPS = 1_000

/** What the telemetry process says of itself. */
export const PLATFORM_FAMILIES = [
  'weir_telemetry_up',
  'weir_telemetry_spans_total',
  'weir_telemetry_lost_total',
  'weir_telemetry_capped_total',
  'weir_telemetry_unjournaled_total',
  'weir_telemetry_memory_bytes',
  'weir_telemetry_storage_up',
] as const

export const metricsPage: Handlers<'system.metrics' | 'metrics.show'> = {
  'system.metrics': async ({ metrics, ports }) => metrics.text() + exposition(await telemetryFamilies(ports)),
  'metrics.show': async (call) => call.metrics.apps.text(call.ports, await environmentsOf(call)),
}

/** Those of the tenant that the asker may see. */
async function environmentsOf({ ports, tenant, principal }: Call<'metrics.show'>): Promise<EnvironmentRef[]> {
  const refs: EnvironmentRef[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<ApiPorts['queries']['apps']>> = await ports.queries.apps(tenant, { limit: 200, cursor })
    for (const { app, environments } of page.items) refs.push(...environments.map(({ environment }) => ({ tenant, app, environment })))
    cursor = page.cursor
  } while (cursor !== null && refs.length < MOST_APPS)
  const bound = principal?.environment ?? null
  return bound === null ? refs : refs.filter(({ app, environment }) => `${app}/${environment}` === bound)
}

async function telemetryFamilies({ telemetry }: ApiPorts): Promise<Family[]> {
  const health = await telemetry.health().catch(() => null)
  const up: Family = { name: 'weir_telemetry_up', type: 'gauge', help: 'Whether the telemetry process answers.', samples: [[{}, health ? 1 : 0]] }
  if (!health) return [up]
  const lost = Object.entries(health.lost).map(([cause, count]) => [{ cause }, count] as const)
  return [
    up,
    {
      name: 'weir_telemetry_spans_total',
      type: 'counter',
      help: 'Spans taken in since the telemetry process was started.',
      samples: [[{}, health.spans.accepted]],
    },
    { name: 'weir_telemetry_lost_total', type: 'counter', help: 'What was lost or turned away, by cause.', samples: lost },
    {
      name: 'weir_telemetry_capped_total',
      type: 'counter',
      help: 'Values of a label that were counted as other, because it has too many.',
      samples: health.capped.map(({ count, ...labels }) => [{ ...labels }, count] as const),
    },
    {
      name: 'weir_telemetry_unjournaled_total',
      type: 'counter',
      help: 'Requests that the journal had no room for: a kill at that moment would have lost them.',
      samples: [[{}, health.unjournaled]],
    },
    { name: 'weir_telemetry_memory_bytes', type: 'gauge', help: 'Memory of the telemetry process.', samples: [[{}, health.memoryBytes]] },
    { name: 'weir_telemetry_storage_up', type: 'gauge', help: 'Whether telemetry is written to the store.', samples: [[{}, health.storage === null ? 1 : 0]] },
  ]
}
