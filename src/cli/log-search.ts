import type { Client } from '../../packages/client/src/client.ts'
import type { RequestOf } from '../../packages/client/src/types.ts'
import type { AppContext } from './frame/context.ts'
import { everyPage } from './frame/pages.ts'
import type { Session } from './frame/session.ts'
import { usage } from './frame/usage.ts'
import { recordLine } from './output/log-line.ts'

const PAGE = 200
const DEFAULT_LINES = 100
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

type Search = NonNullable<RequestOf<'logs.search'>['query']>

/** What `--grep`, `--level` and `--trace` look for; null: nothing is searched for, lines are shown as they were printed. */
export function searchOf(session: Session): Search | null {
  const [words, level, trace] = [session.text('grep'), session.text('level'), session.text('trace')?.toLowerCase()]
  if (words === undefined && level === undefined && trace === undefined) return null
  if (session.flag('follow')) throw usage('-f cannot be searched', 'a search goes through what was kept', 'leave out -f, or the search')
  if (trace !== undefined && !/^[0-9a-f]{32}$/.test(trace)) throw usage('--trace must be the id of a trace', 'an id has 32 hex digits', 'weir traces -o wide')
  const known = LEVELS.find((it) => it === level)
  if (level !== undefined && known === undefined) throw usage(`--level ${level} is none`, `the levels are ${LEVELS.join(', ')}`)
  return { ...(words === undefined ? {} : { words }), ...(known === undefined ? {} : { level: known }), ...(trace === undefined ? {} : { trace }) }
}

/** The newest records that fit, oldest of them first. */
export async function showFound(session: Session, client: Client, params: AppContext, query: Search): Promise<undefined> {
  const atMost = session.count('lines') ?? DEFAULT_LINES
  const newest = await everyPage((cursor) => client.call('logs.search', { params, query: { ...query, limit: Math.min(PAGE, atMost), ...cursor } }), atMost)
  const found = newest.reverse()
  await session.print(found, () =>
    found.length === 0 ? ['nothing like it was logged in that time'] : found.map((it) => recordLine(session.terminal.colours, it)),
  )
}
