/**
 * The wire between Weir's own processes: one JSON object a line over a unix socket of the state folder.
 *
 *   → {"id": 1, "call": "startReplica", "with": {...}}      ← {"id": 1, "ok": {...}}  or  {"id": 1, "error": {code, explanation}}
 *                                                            ← {"event": "changed", "with": {...}}   to everyone connected
 *
 * Lines are bounded: a peer that sends more than MAX_LINE without a line break is cut off.
 */
export const MAX_LINE = 16 * 1024 * 1024

export interface Request {
  readonly id: number
  readonly call: string
  readonly with: unknown
}
export type Reply =
  | { readonly id: number; readonly ok: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly explanation: { readonly message: string } } }
export interface Event {
  readonly event: string
  readonly with: unknown
}

/** Splits a byte stream into lines; throws when one grows over MAX_LINE. */
export function lineSplitter(onLine: (line: string) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let size = 0
  return (chunk) => {
    let from = 0
    for (let at = chunk.indexOf(10, from); at !== -1; at = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, at))
      onLine(Buffer.concat(parts).toString('utf8'))
      parts = []
      size = 0
      from = at + 1
    }
    if (from < chunk.length) {
      const rest = chunk.subarray(from)
      parts.push(rest)
      size += rest.length
      if (size > MAX_LINE) throw new Error(`a line of over ${MAX_LINE} bytes`)
    }
  }
}
