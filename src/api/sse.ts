import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Problem } from './problem.ts'
import type { ServerEvent } from './route.ts'

export interface StreamOptions {
  readonly heartbeatMs: number
  readonly signal: AbortSignal
  readonly problem: (error: unknown) => Problem
}

/** A reader that takes nothing for so long is gone. */
const STUCK_MS = 60_000

/**
 * Writes events as `text/event-stream`, no faster than they are read. Ends with the event `end`, or `problem` when the source fails;
 * a stream that breaks off without either was cut, and its reader comes back with Last-Event-ID.
 */
export async function writeEvents(response: ServerResponse, source: AsyncIterable<ServerEvent<unknown>>, options: StreamOptions): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  response.write(': weir\n\n')
  const heartbeat = setInterval(() => response.write(':\n\n'), options.heartbeatMs)
  try {
    for await (const { event, id, data } of source) {
      if (options.signal.aborted) return
      await write(response, eventText(event, id, data), options.signal)
    }
    if (!options.signal.aborted) await write(response, eventText('end', null, {}), options.signal)
  } catch (error) {
    if (!options.signal.aborted) response.write(eventText('problem', null, options.problem(error)))
  } finally {
    clearInterval(heartbeat)
    response.end()
  }
}

function eventText(event: string, id: string | null, data: unknown): string {
  return `${id === null ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

async function write(response: ServerResponse, text: string, signal: AbortSignal): Promise<void> {
  if (response.write(text) || response.destroyed) return
  const stuck = AbortSignal.timeout(STUCK_MS)
  await once(response, 'drain', { signal: AbortSignal.any([signal, stuck]) }).catch(() => response.destroy())
}
