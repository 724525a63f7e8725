import type { ServiceGraph } from '../../packages/client/src/types.ts'
import { minutesOf } from './frame/look-back.ts'
import type { Session } from './frame/session.ts'
import { callTree, type TreeRow } from './output/call-tree.ts'
import { escapeControl } from './output/escape.ts'
import { rowsAsTable } from './output/show-table.ts'
import { agoText, latencyText, rateText, shareText } from './output/units.ts'

/** Services and who calls whom, as the traces of the last minutes show them. */
export async function map(session: Session): Promise<undefined> {
  const client = await session.client()
  const graph = await client.call('graph.show', { params: await session.app(), query: minutesOf(session) })
  await session.print(graph, () => mapLines(session, graph))
}

function mapLines(session: Session, graph: ServiceGraph): string[] {
  const { colours, unicode, now } = session.terminal
  if (graph.services.length === 0) return [`no traces in the last ${graph.minutes} minutes; send a request, and look again`]
  const windowMs = graph.minutes * 60_000
  const errors = ({ calls, errors }: TreeRow) => (errors > 0 ? colours.red(shareText(errors, calls)) : shareText(errors, calls))
  return [
    ...rowsAsTable(session, callTree(graph, unicode), [
      { title: 'SERVICE', flexible: true, value: (it) => `${it.branch}${escapeControl(it.service)}${it.repeated ? (unicode ? ' ↑' : ' ^') : ''}` },
      { title: 'RATE', value: (it) => rateText(it.calls, windowMs) },
      { title: 'ERRORS', value: errors },
      { title: 'P50', value: (it) => latencyText(it.p50Ms) },
      { title: 'P95', value: (it) => latencyText(it.p95Ms) },
      { title: 'P99', wide: true, value: (it) => latencyText(it.p99Ms) },
      { title: 'OWN TIME', value: (it) => (it.repeated ? '' : latencyText(it.node?.exclusiveMs ?? null)) },
      { title: 'RETRIES', wide: true, value: (it) => shareText(it.edge?.retries ?? 0, it.calls) },
      { title: 'AT ONCE', wide: true, value: (it) => it.edge?.concurrency.toFixed(1) ?? '-' },
      { title: 'KIND', wide: true, value: (it) => it.node?.kind ?? '-' },
      { title: 'RELEASES', wide: true, value: (it) => escapeControl(it.node?.releases.join(' ') ?? '') || '-' },
      { title: 'LAST CALL', wide: true, value: (it) => (it.edge ? agoText(Date.parse(it.edge.lastSeen), now()) : '-') },
    ]),
    ...graph.services
      .filter((it) => it.lostSpans > 0)
      .map((it) => `${colours.yellow('!')} ${escapeControl(it.service)}: ${it.lostSpans} spans never came, so its part has holes`),
    '',
    colours.dim(`the last ${graph.minutes} minutes; own time: the mean without that of its calls`),
  ]
}
