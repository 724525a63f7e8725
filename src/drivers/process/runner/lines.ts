/** Longer lines are cut, and end in a mark that says so. */
const MAX_LINE_BYTES = 16 * 1024
const CUT_MARK = ' …[cut]'

/** Cuts a stream of bytes into lines of text; a line without an end is given out when the stream ends. */
export class LineCutter {
  readonly #onLine: (line: string) => void
  #held: Buffer[] = []
  #heldBytes = 0
  #overlong = false

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(chunk: Buffer): void {
    let from = 0
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      this.#hold(chunk.subarray(from, at))
      this.#giveOut()
      from = at + 1
    }
    this.#hold(chunk.subarray(from))
  }

  end(): void {
    if (this.#heldBytes > 0) this.#giveOut()
  }

  #hold(part: Buffer): void {
    const room = MAX_LINE_BYTES - this.#heldBytes
    if (part.length > room) this.#overlong = true
    const kept = part.subarray(0, Math.max(0, room))
    if (kept.length === 0) return
    this.#held.push(Buffer.from(kept)) // a copy: the chunk is a slice of a large shared buffer
    this.#heldBytes += kept.length
  }

  #giveOut(): void {
    const text = Buffer.concat(this.#held).toString('utf8').replace(/\r$/, '')
    this.#onLine(this.#overlong ? text + CUT_MARK : text)
    this.#held = []
    this.#heldBytes = 0
    this.#overlong = false
  }
}
