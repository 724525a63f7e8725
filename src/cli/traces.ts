import type { Trace } from '../../packages/client/src/types.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { msText } from './map.ts'
import { escapeControl } from './output/escape.ts'
import { rowsAsTable, showTable } from './output/show-table.ts'
import { agoText, parseDuration } from './output/units.ts'

/** Recent traces, newest first. */
export async function traces(session: Session): Promise<undefined> {
  const client = await session.client()
  const params = await session.app()
  const { items } = await client.call('traces.list', { params, query: filterOf(session) })
  const now = session.terminal.now()
  const { colours } = session.terminal
  await showTable(
    session,
    items,
    [
      { title: 'TRACE', value: (it) => it.id },
      { title: 'AT', value: (it) => agoText(Date.parse(it.at), now) },
      { title: 'TOOK', value: (it) => msText(it.durationMs) },
      { title: 'SPANS', value: (it) => String(it.spans) },
      { title: 'FAILED', value: (it) => (it.failed ? colours.red('yes') : '') },
      { title: 'BEGAN IN', value: (it) => escapeControl(it.service) },
      { title: 'OPERATION', flexible: true, value: (it) => escapeControl(it.operation) },
    ],
    'no traces lately; send a request, and look again',
  )
}

/** One trace as a waterfall; what the whole request waited for is marked. */
export async function trace(session: Session): Promise<undefined> {
  const id = session.args[0]?.toLowerCase() ?? ''
  if (!/^[0-9a-f]{32}$/.test(id)) throw usage('which trace?', 'an id has 32 hex digits; weir traces lists them')
  const client = await session.client()
  const answer = await client.call('traces.show', { params: { ...(await session.app()), trace: id } })
  await session.print(answer, () => traceLines(session, answer))
}

function traceLines(session: Session, { operation, service, durationMs, failed, orphans, tree }: Trace): string[] {
  const { colours } = session.terminal
  return [
    `${colours.bold(escapeControl(`${service} ${operation}`))}  ${msText(durationMs)}${failed ? `  ${colours.red('failed')}` : ''}`,
    ...(orphans === 0 ? [] : [`${colours.yellow('!')} ${orphans} spans whose parent never came: the trace has holes`]),
    '',
    ...rowsAsTable(session, tree, [
      { title: '', value: (it) => (it.criticalMs > 0 ? '*' : ' ') },
      { title: 'START', value: (it) => msText(it.startMs) },
      { title: 'TOOK', value: (it) => msText(it.durationMs) },
      { title: 'OWN', value: (it) => msText(it.exclusiveMs) },
      { title: 'SPAN', flexible: true, value: (it) => `${'  '.repeat(Math.min(it.depth, 20))}${escapeControl(`${it.service}: ${it.operation}`)}` },
      { title: 'KIND', wide: true, value: (it) => it.kind },
      { title: 'REPLICA', wide: true, value: (it) => escapeControl(it.instance ?? '-') },
      { title: 'FAILED', value: (it) => (it.failed ? colours.red('failed') : '') },
    ]),
    '',
    colours.dim('* on the critical path: what the whole request waited for'),
  ]
}

function filterOf(session: Session) {
  const service = session.text('service')
  const slower = session.text('slower-than')
  const minMs = slower === undefined ? undefined : parseDuration(slower)
  if (minMs === null) throw usage('--slower-than must be a duration', 'for example 250ms or 2s')
  return {
    ...(service === undefined ? {} : { service }),
    ...(session.flag('errors') ? { errors: 'true' as const } : {}),
    ...(minMs === undefined ? {} : { minMs }),
    ...(session.count('lines') === undefined ? {} : { limit: Math.min(200, session.count('lines') ?? 50) }),
  }
}
