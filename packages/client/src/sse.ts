export interface RawEvent {
  readonly event: string
  readonly id: string | null
  readonly data: string
}

/** A line longer than this is nobody's event. */
const MAX_LINE_CHARS = 8 * 1024 * 1024

/**
 * Events of a `text/event-stream` as they come in; comments and unfinished events are dropped.
 *
 * @example for await (const { event, data } of eventsOf(response)) …
 */
export async function* eventsOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<RawEvent> {
  const decoder = new TextDecoder()
  let rest = ''
  let event = ''
  let id: string | null = null
  let data: string[] = []
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true })
    let from = 0
    for (let at = rest.indexOf('\n', from); at !== -1; at = rest.indexOf('\n', from)) {
      const line = rest.slice(from, rest[at - 1] === '\r' ? at - 1 : at)
      from = at + 1
      if (line === '') {
        if (data.length > 0) yield { event: event || 'message', id, data: data.join('\n') }
        event = ''
        data = []
        continue
      }
      const colon = line.indexOf(':')
      if (colon === 0) continue
      const field = colon === -1 ? line : line.slice(0, colon)
      const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
      if (field === 'event') event = value
      else if (field === 'data') data.push(value)
      else if (field === 'id' && !value.includes('\0')) id = value
    }
    rest = rest.slice(from)
    if (rest.length > MAX_LINE_CHARS) throw new Error('a line that does not end')
  }
}
