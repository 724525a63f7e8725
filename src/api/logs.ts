import type { LogLine } from '../../packages/client/src/types.ts'
import { originOf as nameOrigin } from '../core/model/replica.ts'
import type { SourcedRecord } from '../drivers/logs.ts'
import type { EnvironmentDetail } from '../store/queries.ts'
import { found, labelOf, refOf } from './found.ts'
import { lineCursor, nextCursor, skipSent, streamName } from './log-cursor.ts'
import type { Call, Handlers, ServerEvent } from './route.ts'

/** As many old lines as are looked through for those that a follower missed. */
const MAX_MISSED_LINES = 5_000

export const logs: Handlers<'logs.list' | 'logs.follow'> = {
  'logs.list': async (call) => {
    const { query, ports } = call
    const detail = await environmentOf(call)
    const before = lineCursor(query.cursor)
    const ids = await sourcesOf(call, detail)
    const until = before?.time ?? msOf(query.until)
    const wanted = query.limit + (before?.sent ?? 0) + 1 // one more, to know whether there are earlier ones
    const read: SourcedRecord[] = []
    for await (const record of ports.logs.read(detail.id, { ids, limit: wanted, ...range(msOf(query.since), until) })) read.push(record)
    const unseen = before ? read.slice(0, Math.max(0, read.length - countAt(read, before.time, before.sent))) : read
    const page = unseen.slice(-query.limit)
    const oldest = page[0]
    const more = unseen.length > page.length && oldest !== undefined
    const sentThere = more ? page.filter((it) => it.time === oldest.time).length + (before?.time === oldest.time ? before.sent : 0) : 0
    return { items: page.map((it) => lineOf(detail, it)), cursor: more ? `${oldest.time}-${sentThere}` : null }
  },

  'logs.follow': async (call) => {
    const detail = await environmentOf(call)
    const from = lineCursor(call.headers['last-event-id'])
    const since = from?.time ?? (await backlogBegin(call, detail))
    const records = call.ports.logs.read(detail.id, { since, limit: MAX_MISSED_LINES, follow: true, signal: call.signal })
    return (async function* (): AsyncGenerator<ServerEvent<LogLine>> {
      let at = from
      for await (const record of skipSent(records, from)) {
        at = nextCursor(at, record.time)
        const line = lineOf(detail, record)
        if (isWanted(call.query, line)) yield { event: 'line', id: `${at.time}-${at.sent}`, data: line }
      }
    })()
  },
}

type Filter = { readonly service?: string | undefined; readonly release?: number | undefined; readonly replica?: string | undefined }

async function environmentOf(call: Pick<Call<'logs.list'>, 'tenant' | 'params' | 'ports'>): Promise<EnvironmentDetail> {
  const ref = refOf(call)
  return found(await call.ports.queries.environment(ref), labelOf(ref))
}

/** null: all. */
async function sourcesOf(
  { query, ports }: { readonly query: Filter; readonly ports: Call<'logs.list'>['ports'] },
  detail: EnvironmentDetail,
): Promise<readonly string[] | null> {
  if (query.service === undefined && query.release === undefined && query.replica === undefined) return null
  const sources = await ports.logs.sources(detail.id)
  return sources.map(({ id }) => id).filter((id) => isWanted(query, { replica: id, ...originOf(detail, id) }))
}

/** Where following begins: at the first of the `backlog` newest lines, or now. */
async function backlogBegin(call: Call<'logs.follow'>, detail: EnvironmentDetail): Promise<number> {
  const given = msOf(call.query.since)
  if (call.query.backlog === 0) return given ?? call.ports.now()
  const ids = await sourcesOf(call, detail)
  for await (const { time } of call.ports.logs.read(detail.id, { ids, limit: call.query.backlog, ...range(given, undefined) })) return time
  return given ?? call.ports.now()
}

function isWanted(filter: Filter, line: Pick<LogLine, 'replica' | 'service' | 'release'>): boolean {
  return (
    (filter.service === undefined || filter.service === line.service) &&
    (filter.release === undefined || filter.release === line.release) &&
    (filter.replica === undefined || filter.replica === line.replica)
  )
}

function lineOf(detail: EnvironmentDetail, { time, stream, text, source }: SourcedRecord): LogLine {
  return { at: new Date(time).toISOString(), replica: source, stream: streamName(stream), text, ...originOf(detail, source) }
}

/** Which service and release printed it: by the state while it knows the id, and by the id itself afterwards. */
function originOf({ state }: EnvironmentDetail, id: string): { service: string; release: number | null } {
  const replica = Object.hasOwn(state.replicas, id) ? state.replicas[id] : undefined
  if (replica) return { service: replica.service, release: replica.origin }
  const task = Object.hasOwn(state.tasks, id) ? state.tasks[id] : undefined
  if (task) return { service: task.service, release: task.release }
  return nameOrigin(id) ?? { service: id, release: null }
}

function countAt(records: readonly SourcedRecord[], time: number, most: number): number {
  return Math.min(most, records.filter((it) => it.time === time).length)
}

function msOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time)
}

function range(since: number | undefined, until: number | undefined): { since?: number; until?: number } {
  return { ...(since === undefined ? {} : { since }), ...(until === undefined ? {} : { until }) }
}
