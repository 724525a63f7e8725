import type { LogRecord } from '../drivers/logs.ts'
import { WeirError } from '../errors.ts'

/** How far a stream of lines was sent: `sent` lines of the millisecond `time`, and all before. As an event id: `1764000000000-3`. */
export interface LineCursor {
  readonly time: number
  readonly sent: number
}

export function lineCursor(text: string | string[] | undefined): LineCursor | null {
  if (text === undefined || text === '') return null
  const match = /^(\d{1,15})-(\d{1,6})$/.exec(String(text))
  if (!match) throw new WeirError('E_USAGE', { message: 'the cursor is none of these lines', cause: String(text).slice(0, 50) })
  return { time: Number(match[1]), sent: Number(match[2]) }
}

export function nextCursor(last: LineCursor | null, time: number): LineCursor {
  return last?.time === time ? { time, sent: last.sent + 1 } : { time, sent: 1 }
}

/** The records behind the cursor, of a source that was asked for those since its time. */
export async function* skipSent<T extends LogRecord>(records: AsyncIterable<T>, from: LineCursor | null): AsyncGenerator<T> {
  let skip = from?.sent ?? 0
  for await (const record of records) {
    if (from !== null && record.time <= from.time && skip > 0) skip--
    else yield record
  }
}

export function streamName(stream: LogRecord['stream']): 'stdout' | 'stderr' | 'weir' {
  return stream === 'out' ? 'stdout' : stream === 'err' ? 'stderr' : 'weir'
}
