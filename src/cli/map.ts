import type { ServiceGraph } from '../../packages/client/src/types.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { rowsAsTable } from './output/show-table.ts'

/** Services and who calls whom, as the traces of the last minutes show them. */
export async function map(session: Session): Promise<undefined> {
  const client = await session.client()
  const graph = await client.call('graph.show', { params: await session.app(), query: minutesOf(session) })
  await session.print(graph, () => mapLines(session, graph))
}

/** The service that makes requests slow or fail, in one sentence, with its evidence. */
export async function why(session: Session): Promise<undefined> {
  const client = await session.client()
  const service = session.args[0]
  if (service === undefined) throw usage('which service?', 'weir why SERVICE')
  const answer = await client.call('why.show', { params: await session.app(), query: { service, ...minutesOf(session) } })
  await session.print(answer, () => [
    escapeControl(answer.sentence),
    ...answer.ranked.flatMap((it) => [`${it.service}  ${it.kind}`, ...it.evidence.map((line) => `  ${escapeControl(line)}`)]),
  ])
}

function minutesOf(session: Session): { readonly minutes?: number } {
  const minutes = session.count('minutes')
  return minutes === undefined ? {} : { minutes }
}

function mapLines(session: Session, { services, edges, minutes }: ServiceGraph): string[] {
  if (services.length === 0) return [`no traces in the last ${minutes} minutes; send a request, and look again`]
  return [
    ...rowsAsTable(session, services, [
      { title: 'SERVICE', value: (it) => escapeControl(it.service) },
      { title: 'KIND', wide: true, value: (it) => it.kind },
      { title: 'CALLS', value: (it) => countText(it.calls) },
      { title: 'ERRORS', value: (it) => countText(it.errors) },
      { title: 'P50', value: (it) => msText(it.p50Ms) },
      { title: 'P95', value: (it) => msText(it.p95Ms) },
      { title: 'P99', wide: true, value: (it) => msText(it.p99Ms) },
      { title: 'OWN TIME', value: (it) => msText(it.exclusiveMs) },
      { title: 'LOST', wide: true, value: (it) => countText(it.lostSpans) },
    ]),
    '',
    ...rowsAsTable(session, edges, [
      { title: 'CALLER', value: (it) => escapeControl(it.caller) },
      { title: 'CALLEE', value: (it) => escapeControl(it.callee) },
      { title: 'CALLS', value: (it) => countText(it.calls) },
      { title: 'ERRORS', value: (it) => countText(it.errors) },
      { title: 'P50', value: (it) => msText(it.p50Ms) },
      { title: 'P95', value: (it) => msText(it.p95Ms) },
      { title: 'RETRIES', wide: true, value: (it) => countText(it.retries) },
      { title: 'AT ONCE', wide: true, value: (it) => it.concurrency.toFixed(1) },
    ]),
  ]
}

function countText(count: number): string {
  return String(Math.round(count))
}

/** @example msText(12.345) // '12 ms' */
export function msText(ms: number | null): string {
  if (ms === null) return '-'
  return ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`
}
