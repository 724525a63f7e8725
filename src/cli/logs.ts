import type { Client } from '../../packages/client/src/client.ts'
import type { LogLine } from '../../packages/client/src/types.ts'
import type { AppContext } from './frame/context.ts'
import { releaseNumber } from './frame/release-name.ts'
import type { Session } from './frame/session.ts'
import { moment } from './frame/wait.ts'
import { searchOf, showFound } from './log-search.ts'
import { escapeControl, padEnd } from './output/escape.ts'

const DEFAULT_LINES = 100
const PAGE = 1000
const MOST_BACKLOG = 5000
const MOST_LINES = 100_000

/** What the services printed, merged by time, one colour a service. */
export async function logs(session: Session): Promise<undefined> {
  const filter = filterOf(session)
  const params = await session.app('argument')
  const client = await session.client()
  const search = searchOf(session)
  if (search !== null) return showFound(session, client, params, { ...filter, ...search })
  const printer = new LinePrinter(session)
  if (session.flag('follow')) {
    await follow(session, client, params, filter, printer)
    return
  }
  const lines = await earlier(session, client, params, filter)
  if (session.format === 'json' || session.format === 'yaml') await session.print(lines, () => [])
  else for (const line of lines) printer.print(line)
}

type Filter = { readonly service?: string; readonly release?: number; readonly since?: string; readonly until?: string }

function filterOf(session: Session): Filter {
  const now = session.terminal.now()
  const [service, release, since, until] = [session.text('service'), session.text('release'), session.text('since'), session.text('until')]
  return {
    ...(service === undefined ? {} : { service }),
    ...(release === undefined ? {} : { release: releaseNumber(release) }),
    ...(since === undefined ? {} : { since: moment('--since', since, now) }),
    ...(until === undefined ? {} : { until: moment('--until', until, now) }),
  }
}

/** The last lines, or with `--since` all from then on: the server's pages go back in time. */
async function earlier(session: Session, client: Client, params: AppContext, filter: Filter): Promise<readonly LogLine[]> {
  const atMost = session.count('lines') ?? (filter.since === undefined ? DEFAULT_LINES : MOST_LINES)
  const pages: LogLine[][] = []
  let missing = atMost
  let cursor: string | null = null
  do {
    const page: { items: LogLine[]; cursor: string | null } = await client.call('logs.list', {
      params,
      query: { ...filter, limit: Math.min(PAGE, missing), ...(cursor === null ? {} : { cursor }) },
    })
    pages.push(page.items)
    missing -= page.items.length
    cursor = page.cursor
  } while (cursor !== null && missing > 0)
  return pages.reverse().flat().slice(-atMost)
}

async function follow(session: Session, client: Client, params: AppContext, filter: Filter, printer: LinePrinter): Promise<void> {
  const stopped = new AbortController()
  const release = session.terminal.onInterrupt(() => stopped.abort())
  const { until: _, ...query } = filter
  const backlog = Math.min(MOST_BACKLOG, session.count('lines') ?? (filter.since === undefined ? DEFAULT_LINES : MOST_BACKLOG))
  try {
    for await (const { data } of client.stream('logs.follow', { params, query: { ...query, backlog } }, { signal: stopped.signal })) printer.print(data)
  } catch (error) {
    if (!stopped.signal.aborted) throw error
  } finally {
    release()
  }
}

const SERVICE_COLOURS = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'] as const

class LinePrinter {
  readonly #session: Session
  readonly #colours = new Map<string, (typeof SERVICE_COLOURS)[number]>()
  #width = 0

  constructor(session: Session) {
    this.#session = session
  }

  print(line: LogLine): void {
    const { terminal, format } = this.#session
    if (format !== 'table' && format !== 'wide') {
      terminal.out(`${JSON.stringify(line)}\n`)
      return
    }
    this.#width = Math.max(this.#width, line.service.length)
    const who = format === 'wide' ? `${line.replica} ` : ''
    const time = terminal.colours.dim(timeText(line.at, terminal.interactive))
    const text = escapeControl(line.text)
    terminal.out(
      `${time} ${terminal.colours[this.#colourOf(line.service)](padEnd(line.service, this.#width))} ${who}| ${line.stream === 'stderr' ? terminal.colours.red(text) : text}\n`,
    )
  }

  /** In order of appearance, so that neighbours differ. */
  #colourOf(service: string): (typeof SERVICE_COLOURS)[number] {
    const known = this.#colours.get(service)
    if (known) return known
    const colour = SERVICE_COLOURS[this.#colours.size % SERVICE_COLOURS.length] ?? 'cyan'
    this.#colours.set(service, colour)
    return colour
  }
}

/** Time of day where a person looks now; the whole time where it is kept. */
function timeText(at: string, interactive: boolean): string {
  return interactive ? at.slice(11, 19) : at
}
