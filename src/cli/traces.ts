import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { moment } from './frame/wait.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText, latencyText, parseDuration } from './output/units.ts'

const DEFAULT_LINES = 20
const PAGE = 200
/** A terminal narrower than this shows half an id, which `weir trace` takes too. */
const WIDE_ENOUGH = 110
const SHORT_ID = 16

/** Traces, newest first: the recent ones and those that were kept. */
export async function traces(session: Session): Promise<undefined> {
  const client = await session.client()
  const params = await session.app()
  const wanted = session.count('lines') ?? DEFAULT_LINES
  const query = filterOf(session)
  let missing: string | null = null
  const items = await everyPage(async (cursor) => {
    const page = await client.call('traces.list', { params, query: { ...query, limit: Math.min(PAGE, wanted), ...cursor } })
    missing = page.missing
    return page
  }, wanted)
  const { colours, now, width } = session.terminal
  const idLength = session.format === 'wide' || (width() ?? WIDE_ENOUGH) >= WIDE_ENOUGH ? undefined : SHORT_ID
  await showTable(
    session,
    items,
    [
      { title: 'TRACE', value: (it) => it.id.slice(0, idLength) },
      { title: 'AT', value: (it) => agoText(Date.parse(it.at), now()) },
      { title: 'TOOK', value: (it) => latencyText(it.durationMs) },
      { title: 'SPANS', value: (it) => String(it.spans) },
      { title: '', value: (it) => (it.failed ? colours.red('failed') : '') },
      { title: 'BEGAN IN', value: (it) => escapeControl(it.service) },
      { title: 'SERVICES', wide: true, value: (it) => escapeControl(it.services.join(' ')) },
      { title: 'OPERATION', flexible: true, value: (it) => escapeControl(it.operation) },
    ],
    'no traces here; send a request, and look again',
  )
  if (missing !== null) session.note(`${colours.yellow('!')} ${MISSING[missing] ?? missing}`)
}

const MISSING: Readonly<Record<string, string>> = {
  recent: 'the telemetry process does not answer: the newest are missing (weir doctor)',
  kept: 'the store does not answer: only recent traces are shown (weir doctor)',
}

function filterOf(session: Session) {
  const service = session.text('service')
  const since = session.text('since')
  const slower = session.text('slowerThan')
  const minMs = slower === undefined ? undefined : parseDuration(slower)
  if (minMs === null) throw usage('--slower-than must be a duration', 'for example 250ms or 2s')
  return {
    ...(service === undefined ? {} : { service }),
    ...(session.flag('errors') ? { errors: true } : {}),
    ...(session.flag('slow') ? { slow: true } : {}),
    ...(minMs === undefined ? {} : { minMs }),
    ...(since === undefined ? {} : { since: moment('--since', since, session.terminal.now()) }),
  }
}
