import type { Client } from '../../packages/client/src/client.ts'
import type { LogRecord, Trace } from '../../packages/client/src/types.ts'
import { WeirError } from '../errors.ts'
import type { AppContext } from './frame/context.ts'
import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { escapeControl } from './output/escape.ts'
import { recordLine } from './output/log-line.ts'
import { rowsAsTable } from './output/show-table.ts'
import { latencyText, shareText } from './output/units.ts'
import { waterfall } from './output/waterfall.ts'

const LOOKED_THROUGH = 1000
const MOST_LOGS = 1000
/** From this width on there is room for the replicas and a longer bar. */
const ROOMY = 110

/** One trace as a waterfall; what the whole request waited for is marked. */
export async function trace(session: Session): Promise<undefined> {
  const given = session.args[0]?.toLowerCase() ?? ''
  if (!/^[0-9a-f]{4,32}$/.test(given)) throw usage('which trace?', 'an id has 32 hex digits, of which the first few will do', 'weir traces')
  const client = await session.client()
  const params = await session.app()
  const id = given.length === 32 ? given : await idThatBegins(client, params, given)
  const answer = await client.call('traces.show', { params: { ...params, trace: id } })
  const logs = session.flag('logs') ? await logsOf(client, params, answer) : null
  await session.print(logs === null ? answer : { ...answer, logs }, () => [...traceLines(session, answer), ...logLines(session, logs)])
}

async function idThatBegins(client: Client, params: AppContext, digits: string): Promise<string> {
  const lines = await everyPage((cursor) => client.call('traces.list', { params, query: { limit: 200, ...cursor } }), LOOKED_THROUGH)
  const [first, second] = lines.filter((it) => it.id.startsWith(digits))
  if (!first) {
    throw new WeirError('E_NOT_FOUND', {
      message: `no trace ${digits}…`,
      cause: `none of the last ${lines.length} traces begins with it`,
      next: 'give all 32 digits, or find it with weir traces',
    })
  }
  if (second) throw usage(`${digits} is not enough`, `${first.id} and ${second.id} begin with it`)
  return first.id
}

/** Oldest first. */
async function logsOf(client: Client, params: AppContext, { id, at }: Trace): Promise<LogRecord[]> {
  const since = new Date(Date.parse(at) - 60_000).toISOString() // clocks of services differ
  return (await everyPage((cursor) => client.call('logs.search', { params, query: { trace: id, since, limit: 200, ...cursor } }), MOST_LOGS)).reverse()
}

function traceLines(session: Session, answer: Trace): string[] {
  const { colours, unicode, width } = session.terminal
  const { id, at, operation, service, durationMs, failed, orphans, tree } = answer
  const isRoomy = session.format === 'wide' || (width() ?? ROOMY) >= ROOMY
  const bar = waterfall(durationMs, { width: isRoomy ? 32 : 16, unicode })
  return [
    `${colours.bold(escapeControl(`${service} ${operation}`))}  ${latencyText(durationMs)}${failed ? `  ${colours.red('failed')}` : ''}`,
    colours.dim(`${id}  ${at}`),
    ...(orphans === 0
      ? []
      : [`${colours.yellow('!')} ${orphans === 1 ? 'a span has' : `${orphans} spans have`} a parent that never came: the trace has holes`]),
    '',
    ...rowsAsTable(session, tree, [
      { title: '', value: (it) => (it.criticalMs > 0 ? '*' : '') },
      { title: 'SPAN', flexible: true, value: (it) => `${'  '.repeat(Math.min(it.depth, 20))}${escapeControl(`${it.service}: ${it.operation}`)}` },
      { title: 'KIND', wide: true, value: (it) => it.kind },
      isRoomy
        ? { title: 'REPLICA', value: (it) => escapeControl(it.instance ?? it.release ?? '-') }
        : { title: 'FROM', value: (it) => escapeControl(it.release ?? '-') },
      { title: 'START', wide: true, value: (it) => latencyText(it.startMs) },
      { title: 'TOOK', value: (it) => latencyText(it.durationMs) },
      { title: 'OWN', value: (it) => latencyText(it.exclusiveMs) },
      ...(failed ? [{ title: '', value: (it: Trace['tree'][number]) => (it.failed ? colours.red('failed') : '') }] : []),
      { title: '', value: (it) => (it.criticalMs > 0 ? colours.yellow(bar(it)) : colours.dim(bar(it))) },
    ]),
    '',
    `${colours.dim('* what the whole request waited for:')} ${waitedFor(answer)}`,
  ]
}

/** Whose own time the critical path was, the most first. */
function waitedFor({ tree, durationMs }: Trace): string {
  const byService = new Map<string, number>()
  for (const { service, criticalMs } of tree) byService.set(service, (byService.get(service) ?? 0) + criticalMs)
  const parts = [...byService].filter(([, ms]) => ms > 0).sort((a, b) => b[1] - a[1])
  return parts.map(([service, ms]) => `${escapeControl(service)} ${latencyText(ms)} (${shareText(ms, durationMs)})`).join(', ') || '-'
}

function logLines(session: Session, logs: readonly LogRecord[] | null): string[] {
  if (logs === null) return []
  return ['', ...(logs.length === 0 ? ['no log records carry this trace’s id'] : logs.map((it) => recordLine(session.terminal.colours, it)))]
}
