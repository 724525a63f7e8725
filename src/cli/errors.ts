import { releaseNumber } from './frame/release-name.ts'
import type { Session } from './frame/session.ts'
import { moment } from './frame/wait.ts'
import { escapeControl } from './output/escape.ts'
import { showTable } from './output/show-table.ts'
import { agoText } from './output/units.ts'

/** `weir trace` takes half an id, too. */
const SHORT_ID = 16

/** Errors by their signature, most frequent first. */
export async function errors(session: Session): Promise<undefined> {
  const client = await session.client()
  const [service, release, since, limit] = [session.text('service'), session.text('release'), session.text('since'), session.count('lines')]
  const query = {
    ...(service === undefined ? {} : { service }),
    ...(release === undefined ? {} : { release: releaseNumber(release) }),
    ...(since === undefined ? {} : { since: moment('--since', since, session.terminal.now()) }),
    ...(limit === undefined ? {} : { limit }),
  }
  const { items } = await client.call('errors.show', { params: await session.app(), query })
  const { colours, now } = session.terminal
  const ago = (at: string) => agoText(Date.parse(at), now())
  await showTable(
    session,
    items,
    [
      { title: 'COUNT', value: (it) => String(it.count) },
      { title: 'SERVICE', value: (it) => escapeControl(it.service) },
      {
        title: 'RELEASES',
        value: (it) =>
          it.releases
            .filter(({ count }) => count > 0)
            .map(({ release: of, count }) => `${escapeControl(of) || '-'}: ${count}`)
            .join(' '),
      },
      { title: '', value: (it) => (it.before === 0 ? colours.red('new') : '') },
      { title: 'FIRST', value: (it) => ago(it.firstSeen) },
      { title: 'LAST', value: (it) => ago(it.lastSeen) },
      { title: 'TRACE', value: (it) => it.trace?.slice(0, session.format === 'wide' ? undefined : SHORT_ID) ?? '-' },
      { title: 'ERROR', flexible: true, value: (it) => escapeControl(it.signature) },
    ],
    'no errors in that time',
  )
}
