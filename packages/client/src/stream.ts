import type { Connection } from './call.ts'
import type { CallOptions, StreamEvent } from './client.ts'
import { ClientError, problemOf, unreachable } from './client-error.ts'
import { backoff, pause } from './retry.ts'
import { eventsOf } from './sse.ts'
import { LostConnection, responseTo, textOf } from './transport.ts'

/** So long without any server is given up. */
const GIVE_UP_AFTER_MS = 60_000
/** The server sends a comment every 15 s; a connection silent for longer than this is dead. */
const SILENCE_MS = 45_000

/**
 * Events of a stream over as many connections as it takes: each begins behind the last event seen. It ends with the server's event
 * `end`; an event `problem` ends it as an error. A connection that ends otherwise was lost.
 */
export async function* streamRoute(
  { transport, timeoutMs, identity }: Connection,
  path: string,
  options: CallOptions & { readonly lastEventId?: string } = {},
): AsyncGenerator<StreamEvent<unknown>> {
  let last = options.lastEventId ?? null
  let connected = false
  let failures = 0
  let lostAt = performance.now()
  for (;;) {
    try {
      const headers = { ...identity, accept: 'text/event-stream', ...(last === null ? {} : { 'last-event-id': last }) }
      const request = await transport.open('GET', path, headers, options.signal)
      const answered = responseTo(request, timeoutMs)
      request.end()
      const response = await answered
      if (response.statusCode !== 200) {
        const problem = problemOf(response.statusCode ?? 0, await textOf(response))
        if (!connected || (problem.status !== 503 && problem.status !== 429)) throw problem
        throw new LostConnection(problem)
      }
      connected = true
      response.setTimeout(SILENCE_MS, () => response.destroy(new Error('silent for too long')))
      try {
        for await (const { event, id, data } of eventsOf(response)) {
          if (event === 'end') return
          if (event === 'problem') throw problemOf((JSON.parse(data) as { status?: number }).status ?? 500, data)
          failures = 0
          last = id ?? last
          yield { event, id, data: JSON.parse(data) as unknown }
        }
      } catch (error) {
        if (error instanceof ClientError) throw error
        throw new LostConnection(error as NodeJS.ErrnoException)
      } finally {
        response.destroy()
        lostAt = performance.now()
      }
    } catch (error) {
      if (options.signal?.aborted) return
      if (!(error instanceof LostConnection)) throw error
      if (!connected || performance.now() - lostAt > GIVE_UP_AFTER_MS) throw unreachable(transport.address, error.message)
    }
    await pause(backoff(failures++), options.signal).catch(() => {})
    if (options.signal?.aborted) return
  }
}
