import type { Client } from '../../packages/client/src/client.ts'
import type { EventView } from '../../packages/client/src/types.ts'
import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { escapeControl } from './output/escape.ts'

const DEFAULT_ROWS = 30
const PAGE = 200

/** What happened, oldest first; of all apps unless one is named. */
export async function events(session: Session): Promise<undefined> {
  const client = await session.client()
  const [app, environment] = [session.text('app'), session.text('env')]
  const query = { ...(app === undefined ? {} : { app }), ...(environment === undefined ? {} : { environment }) }
  const past = await newest(client, query, session.count('lines') ?? DEFAULT_ROWS)
  if (!session.flag('follow') && (session.format === 'json' || session.format === 'yaml')) return session.print(past, () => []).then(() => undefined)
  for (const event of past) printEvent(session, event)
  if (!session.flag('follow')) return
  const stopped = new AbortController()
  const release = session.terminal.onInterrupt(() => stopped.abort())
  const last = past.at(-1)
  try {
    for await (const { data } of client.stream('events.follow', { query }, { signal: stopped.signal, ...(last ? { lastEventId: String(last.id) } : {}) }))
      printEvent(session, data)
  } catch (error) {
    if (!stopped.signal.aborted) throw error
  } finally {
    release()
  }
}

async function newest(client: Client, filter: { readonly app?: string; readonly environment?: string }, atMost: number): Promise<readonly EventView[]> {
  const limit = Math.min(PAGE, atMost)
  const newestFirst = await everyPage((cursor) => client.call('events.list', { query: { ...filter, limit, ...cursor } }), atMost)
  return newestFirst.reverse()
}

function printEvent({ terminal, format }: Session, event: EventView): void {
  if (format !== 'table' && format !== 'wide') {
    const { kind, ...rest } = event
    terminal.out(`${JSON.stringify({ event: kind, ...rest })}\n`)
    return
  }
  const where = [event.app, event.environment, event.service].filter((it) => it !== null).join('/')
  terminal.out(
    `${terminal.colours.dim(event.at.slice(0, 19))}  ${where}  ${escapeControl(event.text)}${format === 'wide' ? terminal.colours.dim(`  ${event.kind}`) : ''}\n`,
  )
}
