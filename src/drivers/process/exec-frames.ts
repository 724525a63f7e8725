/**
 * What passes over an exec session's socket, either way: a kind (1 byte), a length (4 bytes), so many bytes.
 *
 * | kind | way        | bytes                     |
 * |------|------------|---------------------------|
 * | 0    | to command | standard input            |
 * | 1, 2 | from it    | stdout, stderr            |
 * | 3    | from it    | ExitStatus as JSON; last  |
 * | 4    | to command | none: the input has ended |
 * | 5    | to command | a signal's name           |
 */
export const FRAME = { input: 0, out: 1, err: 2, exit: 3, endOfInput: 4, signal: 5 } as const
const HEAD = 5
const MAX_BYTES = 1024 * 1024

export function frame(kind: number, bytes: Uint8Array): Buffer {
  const all = Buffer.allocUnsafe(HEAD + bytes.length)
  all.writeUInt8(kind, 0)
  all.writeUInt32BE(bytes.length, 1)
  all.set(bytes, HEAD)
  return all
}

/** Cuts a byte stream into frames; throws when one claims to be over a MiB. */
export function frameReader(onFrame: (kind: number, bytes: Buffer) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0)
  return (chunk) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    while (held.length >= HEAD) {
      const length = held.readUInt32BE(1)
      if (length > MAX_BYTES) throw new Error(`a frame of ${length} bytes`)
      if (held.length < HEAD + length) return
      onFrame(held.readUInt8(0), held.subarray(HEAD, HEAD + length))
      held = held.subarray(HEAD + length)
    }
  }
}
