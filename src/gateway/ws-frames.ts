/**
 * Follows the frame borders of a WebSocket byte stream (RFC 6455 §5.2), so that a close frame of the gateway's own can be put
 * between two frames and never into one. Payloads are not looked at.
 */
export class FrameBorders {
  /** Bytes of the present frame's payload still to come. */
  #payload = 0
  #header: number[] = []

  get atBorder(): boolean {
    return this.#payload === 0 && this.#header.length === 0
  }

  /** Takes note of a chunk that is passed on whole. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) at = this.#advance(chunk, at)
  }

  /** How many bytes of `chunk` belong to the frame that is under way; they are taken note of, the rest is not. */
  finishFrame(chunk: Buffer): number {
    let at = 0
    while (at < chunk.length && !this.atBorder) at = this.#advance(chunk, at)
    return at
  }

  /** Moves to the end of the payload, of the header, or of the chunk. */
  #advance(chunk: Buffer, at: number): number {
    if (this.#payload > 0) {
      const taken = Math.min(this.#payload, chunk.length - at)
      this.#payload -= taken
      return at + taken
    }
    this.#header.push(chunk[at] as number)
    const size = headerSize(this.#header)
    if (size !== null && this.#header.length === size) {
      this.#payload = payloadSize(this.#header)
      this.#header = []
    }
    return at + 1
  }
}

/** null: its second byte is still missing. */
function headerSize(header: readonly number[]): number | null {
  const second = header[1]
  if (second === undefined) return null
  const short = second & 0x7f
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (second & 0x80 ? 4 : 0)
}

function payloadSize(header: readonly number[]): number {
  const short = (header[1] as number) & 0x7f
  if (short < 126) return short
  const bytes = header.slice(2, short === 126 ? 4 : 10)
  return bytes.reduce((size, byte) => size * 256 + byte, 0)
}

/** A close frame with status 1012, service restart. Clients must mask theirs (RFC 6455 §5.3), servers must not. */
export function closeFrame(masked: boolean): Buffer {
  const status = [0x03, 0xf4]
  return masked ? Buffer.from([0x88, 0x82, 0, 0, 0, 0, ...status]) : Buffer.from([0x88, 0x02, ...status])
}
