/** What roll-ups are kept by. */
export const ROLLUP = { operation: 1, call: 2, request: 3 } as const

const FIELDS = 6
/** An environment with more than this many operations, calls and releases within an hour has names that were made up. */
const MOST_OF_A_SCOPE = 10_000
const MOST = 400_000

/**
 * Numbers for (scope, kind, service, operation, peer, release): the same key has the same number until `forget`. No allocation once a key is known.
 * A scope that has too many gets `other` in place of operation and peer, and of the service if need be: counts stay right, only less is told apart.
 */
export class KeyTable {
  readonly #other: number
  #fields = new Uint32Array(FIELDS * 1024)
  #slots = new Int32Array(4096).fill(-1)
  #size = 0
  readonly #ofScope = new Map<number, number>()
  /** How often a key was replaced by `other`. */
  replaced = 0

  /** `other`: the name that stands for those that there is no room for. */
  constructor(other: number) {
    this.#other = other
  }

  get size(): number {
    return this.#size
  }

  find(scope: number, kind: number, service: number, operation: number, peer: number, release: number): number {
    const slot = this.#slotOf(scope, kind, service, operation, peer, release)
    const known = this.#slots[slot] as number
    if (known >= 0) return known
    const mine = this.#ofScope.get(scope) ?? 0
    if (mine < MOST_OF_A_SCOPE && this.#size < MOST) return this.#add(slot, scope, kind, service, operation, peer, release)
    this.replaced++
    const last = this.#slotOf(scope, kind, this.#other, this.#other, this.#other, 0)
    return (this.#slots[last] as number) >= 0 ? (this.#slots[last] as number) : this.#add(last, scope, kind, this.#other, this.#other, this.#other, 0)
  }

  scope(key: number): number {
    return this.#fields[key * FIELDS] as number
  }
  kind(key: number): number {
    return this.#fields[key * FIELDS + 1] as number
  }
  service(key: number): number {
    return this.#fields[key * FIELDS + 2] as number
  }
  operation(key: number): number {
    return this.#fields[key * FIELDS + 3] as number
  }
  peer(key: number): number {
    return this.#fields[key * FIELDS + 4] as number
  }
  release(key: number): number {
    return this.#fields[key * FIELDS + 5] as number
  }

  #add(slot: number, scope: number, kind: number, service: number, operation: number, peer: number, release: number): number {
    const key = this.#size++
    if (this.#size * FIELDS > this.#fields.length) {
      const larger = new Uint32Array(this.#fields.length * 2)
      larger.set(this.#fields)
      this.#fields = larger
    }
    this.#fields.set([scope, kind, service, operation, peer, release], key * FIELDS)
    this.#slots[slot] = key
    this.#ofScope.set(scope, (this.#ofScope.get(scope) ?? 0) + 1)
    if (this.#size * 2 > this.#slots.length) this.#rehash()
    return key
  }

  #slotOf(scope: number, kind: number, service: number, operation: number, peer: number, release: number): number {
    const mask = this.#slots.length - 1
    const fields = this.#fields
    let h = Math.imul(scope ^ Math.imul(service, 0x9e3779b1), 0x85ebca6b)
    h = Math.imul((h ^ (h >>> 15)) + operation, 0xc2b2ae35)
    h = Math.imul((h ^ (h >>> 13)) + Math.imul(peer, 31) + kind, 0x27d4eb2f)
    h = Math.imul((h ^ (h >>> 15)) + release, 0x9e3779b1)
    let slot = (h ^ (h >>> 16)) & mask
    for (;;) {
      const key = this.#slots[slot] as number
      if (key < 0) return slot
      const at = key * FIELDS
      if (
        fields[at + 2] === service &&
        fields[at + 3] === operation &&
        fields[at + 4] === peer &&
        fields[at + 5] === release &&
        fields[at] === scope &&
        fields[at + 1] === kind
      )
        return slot
      slot = (slot + 1) & mask
    }
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2).fill(-1)
    for (let key = 0; key < this.#size; key++) {
      const slot = this.#slotOf(this.scope(key), this.kind(key), this.service(key), this.operation(key), this.peer(key), this.release(key))
      this.#slots[slot] = key
    }
  }
}
