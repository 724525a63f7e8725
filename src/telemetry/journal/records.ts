/** What a journal is made of: `kind`, length of the head, length of the body; head; body. */
export const RECORD = { request: 1, closed: 2, environments: 3, counted: 4, drawn: 5 } as const

const FRAME = 9
/** Environment and id. */
export const TRACE_BYTES = 20

export interface JournalRecord {
  readonly kind: number
  readonly head: Buffer
  readonly body: Buffer
}

export function frame(kind: number, headLength: number, bodyLength: number): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME)
  bytes.writeUInt8(kind)
  bytes.writeUInt32LE(headLength, 1)
  bytes.writeUInt32LE(bodyLength, 5)
  return bytes
}

/** Up to the end, or to where the writer was killed. */
export function* recordsOf(bytes: Buffer): Generator<JournalRecord> {
  for (let at = 0; at + FRAME <= bytes.length; ) {
    const kind = bytes.readUInt8(at)
    const headEnd = at + FRAME + bytes.readUInt32LE(at + 1)
    const end = headEnd + bytes.readUInt32LE(at + 5)
    if (kind === 0 || end > bytes.length) return
    yield { kind, head: bytes.subarray(at + FRAME, headEnd), body: bytes.subarray(headEnd, end) }
    at = end
  }
}

export function traceInto(bytes: Buffer, at: number, scope: number, words: Uint32Array, from: number): void {
  bytes.writeUInt32LE(scope, at)
  for (let word = 0; word < 4; word++) bytes.writeUInt32LE(words[from + word] as number, at + 4 + 4 * word)
}

/** A trace as a key of a set. */
export function traceKey(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at, at + TRACE_BYTES)
}
