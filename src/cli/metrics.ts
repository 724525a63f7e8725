import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { moment } from './frame/wait.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText } from './output/units.ts'

const DEFAULT_LINES = 50
const PAGE = 200

/** Without a name, which metrics services send; with one, its points, newest first. */
export async function metrics(session: Session): Promise<undefined> {
  const [name] = session.args
  if (name === undefined) await names(session)
  else await points(session, name)
}

async function names(session: Session): Promise<void> {
  const client = await session.client()
  const params = await session.app()
  const query = filterOf(session)
  const items = await everyPage((cursor) => client.call('samples.names', { params, query: { ...query, limit: PAGE, ...cursor } }), session.count('lines'))
  await showTable(
    session,
    items,
    [
      { title: 'METRIC', value: (it) => escapeControl(it.name) },
      { title: 'UNIT', value: (it) => escapeControl(it.unit) },
      { title: 'LAST', value: (it) => agoText(Date.parse(it.lastAt), session.terminal.now()) },
      { title: 'SERVICES', flexible: true, value: (it) => escapeControl(it.services.join(' ')) },
    ],
    'no metrics were sent (by OTLP, or by StatsD to STATSD_HOST and STATSD_PORT)',
  )
}

async function points(session: Session, name: string): Promise<void> {
  const client = await session.client()
  const params = await session.app()
  const wanted = session.count('lines') ?? DEFAULT_LINES
  const query = { name, ...filterOf(session), limit: Math.min(PAGE, wanted) }
  const items = await everyPage((cursor) => client.call('samples.list', { params, query: { ...query, ...cursor } }), wanted)
  await showTable(
    session,
    items,
    [
      { title: 'AT', value: (it) => agoText(Date.parse(it.at), session.terminal.now()) },
      { title: 'VALUE', value: (it) => numberText(it.value) },
      { title: 'OF', value: (it) => (it.count === null ? '-' : numberText(it.count)) },
      { title: 'SERVICE', value: (it) => escapeControl(it.service) },
      { title: 'REPLICA', wide: true, value: (it) => escapeControl(it.replica) },
      { title: 'ATTRIBUTES', flexible: true, value: (it) => escapeControl(attributesText(it.attributes)) },
    ],
    `no points of ${name} (weir metrics lists what there is)`,
  )
}

function filterOf(session: Session): { readonly service?: string; readonly since?: string } {
  const [service, since] = [session.text('service'), session.text('since')]
  return {
    ...(service === undefined ? {} : { service }),
    ...(since === undefined ? {} : { since: moment('--since', since, session.terminal.now()) }),
  }
}

function numberText(value: number): string {
  return String(Number(value.toPrecision(6)))
}

function attributesText(attributes: Readonly<Record<string, unknown>>): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}
