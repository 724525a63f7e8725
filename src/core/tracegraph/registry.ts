/** A thing with a number of its own; 0 is `other`: whatever came after all numbers were given out. */
export class Registry<Key> {
  readonly #most: number
  readonly #ids = new Map<Key, number>()
  readonly #keys: (Key | null)[] = [null]
  readonly #firstSeenMs: number[] = [0]
  readonly #lastSeenMs: number[] = [0]
  readonly #free: number[] = []
  /** How often something had to be called `other`. */
  overflow = 0

  constructor(most: number) {
    this.#most = most
  }

  idOf(key: Key, nowMs: number): number {
    let id = this.#ids.get(key)
    if (id === undefined) {
      id = this.#free.pop() ?? (this.#keys.length <= this.#most ? this.#keys.length : 0)
      if (id === 0) {
        this.overflow++
        return 0
      }
      this.#ids.set(key, id)
      this.#keys[id] = key
      this.#firstSeenMs[id] = nowMs
      this.#lastSeenMs[id] = 0
    }
    this.touch(id, nowMs)
    return id
  }

  touch(id: number, nowMs: number): void {
    if (nowMs > (this.#lastSeenMs[id] as number)) this.#lastSeenMs[id] = nowMs
  }

  keyOf(id: number): Key | null {
    return this.#keys[id] ?? null
  }

  /** Everything that has a number, but `other`. */
  entries(): { id: number; key: Key; lastSeenMs: number }[] {
    return [...this.#ids].map(([key, id]) => ({ id, key, lastSeenMs: this.#lastSeenMs[id] as number }))
  }

  /** Gives the numbers of what was not seen since to others. Returns how many. */
  forget(beforeMs: number): number {
    const old = this.entries().filter(({ lastSeenMs }) => lastSeenMs < beforeMs)
    for (const { id } of old) this.#free.push(this.#drop(id))
    return old.length
  }

  /** Takes back a number that was given out by mistake, unless it was there before. Whether it was taken back. */
  forgetSince(id: number, sinceMs: number): boolean {
    if (this.keyOf(id) === null || (this.#firstSeenMs[id] as number) < sinceMs) return false
    this.#free.push(this.#drop(id))
    return true
  }

  #drop(id: number): number {
    this.#ids.delete(this.#keys[id] as Key)
    this.#keys[id] = null
    return id
  }
}
