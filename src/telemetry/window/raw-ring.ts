/** No request takes more than one of so many parts of the ring. */
const PARTS = 4

/**
 * The requests as they came, one behind the other, the oldest written over. A request is never split, so that it is decoded where it lies.
 * A position counts all bytes ever given room, so that it says by itself whether its bytes are still there.
 */
export class RawRing {
  /** Of a ring that keeps a request of so many bytes. */
  static sizeFor(bytes: number): number {
    return Math.max(1024, PARTS * bytes)
  }

  readonly bytes: Uint8Array
  #head = 0

  constructor(size: number) {
    this.bytes = new Uint8Array(size)
  }

  /** Copies a request in and returns its position; −1: it is over a quarter of the ring and is not kept. */
  put(request: Uint8Array): number {
    const { length: size } = this.bytes
    if (request.length > size / PARTS) return -1
    const offset = this.#head % size
    if (offset + request.length > size) this.#head += size - offset
    const position = this.#head
    this.bytes.set(request, position % size)
    this.#head += request.length
    return position
  }

  /** Where in `bytes` a position is; −1: written over since, or never kept. */
  offsetOf(position: number): number {
    return position < 0 || position < this.#head - this.bytes.length ? -1 : position % this.bytes.length
  }
}
