import type { IndicatorView } from '../../packages/client/src/types.ts'
import { minutesOf } from './frame/look-back.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { bytesText, latencyText, rateText, shareText } from './output/units.ts'

type Row = IndicatorView

/** Of a replica, in the mean. */
const CPU = { title: 'CPU', value: ({ cpu }: Row) => (cpu === null ? '-' : cpu.toFixed(2)) }
const MEMORY = { title: 'MEMORY', value: ({ memoryBytes }: Row) => (memoryBytes === null ? '-' : bytesText(memoryBytes)) }
const BY = ['service', 'release', 'route', 'probe'] as const

/** Requests, errors and latencies, by service or finer, the busiest first. */
export async function indicators(session: Session): Promise<undefined> {
  const by = BY.find((it) => it === (session.text('by') ?? 'service'))
  if (by === undefined) throw usage('--by must be service, release, route or probe')
  const client = await session.client()
  const service = session.text('service')
  const query = { by, ...(service === undefined ? {} : { service }), ...minutesOf(session) }
  const { items, minutes, missing } = await client.call('indicators.show', { params: await session.app(), query })
  const { colours } = session.terminal
  const share = (part: number | null) => (part === null ? '-' : shareText(part, 1))
  await showTable(
    session,
    items,
    [
      { title: 'SERVICE', value: (it) => escapeControl(it.service) },
      ...(by === 'release' ? [{ title: 'RELEASE', value: (it: (typeof items)[number]) => (it.release === null ? '-' : `v${it.release}`) }] : []),
      ...(by === 'route' ? [{ title: 'ROUTE', flexible: true, value: (it: (typeof items)[number]) => escapeControl(it.route ?? '-') }] : []),
      ...(by === 'probe' ? [{ title: 'PROBE', value: (it: (typeof items)[number]) => escapeControl(it.probe ?? '-') }] : []),
      { title: 'RATE', value: (it) => rateText(it.requests, minutes * 60_000) },
      { title: 'ERRORS', value: (it) => (it.errorShare ? colours.red(share(it.errorShare)) : share(it.errorShare)) },
      { title: '4XX', value: (it) => share(it.rejected4xxShare) },
      { title: 'P50', value: (it) => latencyText(it.p50Ms) },
      { title: 'P95', value: (it) => latencyText(it.p95Ms) },
      { title: 'P99', value: (it) => latencyText(it.p99Ms) },
      ...(by === 'service' || by === 'release' ? [CPU, MEMORY] : []),
      { title: 'REQUESTS', wide: true, value: (it) => String(Math.round(it.requests)) },
      { title: 'FROM', wide: true, value: (it) => it.source },
    ],
    by === 'probe' ? `no probe was made in the last ${minutes} minutes (declare them in weir.yaml: probes)` : `no requests in the last ${minutes} minutes`,
  )
  if (missing !== null) session.note(`${colours.yellow('!')} counts from traces are missing: only what the gateway carried is shown (weir doctor)`)
}

/** Processor time and memory of the replicas that run. */
export async function usageOfReplicas(session: Session): Promise<undefined> {
  const client = await session.client()
  const { items } = await client.call('usage.show', { params: await session.app() })
  const service = session.text('service')
  await showTable(
    session,
    items.filter((it) => service === undefined || it.service === service),
    [
      { title: 'REPLICA', value: (it) => it.replica },
      { title: 'MEMORY', value: (it) => bytesText(it.memoryBytes) },
      { title: 'OF', value: (it) => shareText(it.memoryBytes, it.memoryLimitBytes) },
      { title: 'CPU TIME', value: (it) => `${it.cpuSeconds.toFixed(1)} s` },
      { title: 'CPU LIMIT', value: (it) => String(it.cpuLimit) },
    ],
    'no replicas run',
  )
}
