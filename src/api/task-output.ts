import { setTimeout as pause } from 'node:timers/promises'
import type { SourcedRecord } from '../drivers/logs.ts'
import { found, labelOf, refOf } from './found.ts'
import { type LineCursor, lineCursor, nextCursor, skipSent, streamName } from './log-cursor.ts'
import type { Handler, ServerEvent } from './route.ts'
import { taskOf } from './task-view.ts'

const LOOK_MS = 250
/** What a task printed last may come after the word that it ended. */
const LATE_LINES_MS = 300
const MAX_LINES = 100_000

/** What a task prints, from its first line, until it has ended. */
export const taskOutput: Handler<'tasks.output'> = async (call) => {
  const ref = refOf(call)
  const look = async () => found(await call.ports.queries.environment(ref), labelOf(ref))
  const detail = await look()
  taskOf(call, detail, call.params.task)

  const over = new AbortController()
  const signal = AbortSignal.any([call.signal, over.signal])
  const untilEnd = async () => {
    for (let phase = 'waiting'; phase === 'waiting' || phase === 'running'; await pause(LOOK_MS, undefined, { signal }))
      phase = taskOf(call, await look(), call.params.task).phase
    await pause(LATE_LINES_MS, undefined, { signal })
  }
  let failure: Error | null = null
  const watching = untilEnd()
    .catch((error: unknown) => (failure = signal.aborted ? null : asError(error)))
    .finally(() => over.abort())

  const from = lineCursor(call.headers['last-event-id'])
  const records = call.ports.logs.read(detail.id, { ids: [call.params.task], limit: MAX_LINES, follow: true, signal, ...(from ? { since: from.time } : {}) })
  return (async function* () {
    yield* outputEvents(records, from, over.signal)
    await watching
    if (failure) throw failure as Error
  })()
}

async function* outputEvents(
  records: AsyncIterable<SourcedRecord>,
  from: LineCursor | null,
  over: AbortSignal,
): AsyncGenerator<ServerEvent<{ stream: 'stdout' | 'stderr' | 'weir'; text: string }>> {
  let at = from
  try {
    for await (const record of skipSent(records, from)) {
      at = nextCursor(at, record.time)
      yield { event: 'output', id: `${at.time}-${at.sent}`, data: { stream: streamName(record.stream), text: record.text } }
    }
  } catch (error) {
    if (!over.aborted) throw error
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
