/**
 * Frames of the exec stream: one byte channel, four bytes length (big endian), payload.
 *
 * | channel | from   | carries                                                                  |
 * |---------|--------|--------------------------------------------------------------------------|
 * | stdin   | client | bytes; an empty frame: no more                                           |
 * | stdout  | server | bytes                                                                    |
 * | stderr  | server | bytes                                                                    |
 * | control | both   | JSON: first `{argv, tty}`, then `{resize}`; the server's last is `{exit}` or `{problem}` |
 */
export const CHANNELS = { stdin: 0, stdout: 1, stderr: 2, control: 3 } as const
export type Channel = keyof typeof CHANNELS

const NAMES = Object.keys(CHANNELS) as readonly Channel[]
const HEAD_BYTES = 5
const MAX_FRAME_BYTES = 1024 * 1024

export function frame(channel: Channel, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt8(CHANNELS[channel], 0)
  head.writeUInt32BE(payload.length, 1)
  return Buffer.concat([head, payload])
}

export function controlFrame(message: unknown): Buffer {
  return frame('control', Buffer.from(JSON.stringify(message)))
}

/** Calls `onFrame` for each whole frame of a byte stream; throws on an unknown channel or a frame that is too long. */
export function frameSplitter(onFrame: (channel: Channel, payload: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= HEAD_BYTES) {
      const channel = NAMES[rest.readUInt8(0)]
      const length = rest.readUInt32BE(1)
      if (channel === undefined) throw new Error('a frame of an unknown channel')
      if (length > MAX_FRAME_BYTES) throw new Error(`a frame of over ${MAX_FRAME_BYTES} bytes`)
      if (rest.length < HEAD_BYTES + length) return
      const payload = rest.subarray(HEAD_BYTES, HEAD_BYTES + length)
      rest = rest.subarray(HEAD_BYTES + length)
      onFrame(channel, payload)
    }
  }
}
